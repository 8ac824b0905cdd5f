"""Credentials for AWS and clusters: region, deployed stack and kubeconfig."""

from __future__ import annotations

import base64
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import trustme
import yaml
from botocore.awsrequest import AWSResponse
from botocore.credentials import Credentials

from cli.clients import deployed_stack
from cli.clients.aws_session import CallerIdentity, SharedSession, region_of
from cli.clients.cluster_login import KubeconfigLogin
from cli.errors import CommandError
from lambdas.contract.environment import Environment, Function, variable
from lambdas.contract.settings import UNKNOWN_FLOOR
from lambdas.domain.snapshot.snapshot import ClusterFacts
from tests.unit.cli.fake_dependencies import ENVIRONMENT

if TYPE_CHECKING:
    from pathlib import Path

AUTHORITY = trustme.CA()
CA = base64.b64encode(AUTHORITY.cert_pem.bytes()).decode()
SERVER = {"server": "https://127.0.0.1:6443", "certificate-authority-data": CA}
FACTS = ClusterFacts(
    name="demo",
    arn="arn:aws:eks:eu-west-1:111122223333:cluster/demo",
    version="1.33",
    status="ACTIVE",
    endpoint="https://elsewhere.example",
    certificate_authority=CA,
    issuer=None,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def kubeconfig(folder: Path, *, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> Path:
    file = folder / "config"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": SERVER if cluster is None else cluster}],
        "users": [{"name": "u", "user": user or {"token": "t0ken"}}],
        "contexts": [{"name": "mine", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "mine",
    }
    file.write_text(yaml.safe_dump(content))
    return file


def test_a_kubeconfig_provides_address_authority_and_token(tmp_path: Path) -> None:
    api = KubeconfigLogin(kubeconfig(tmp_path), None).open(FACTS)
    assert (api._pool.host, api._pool.port) == ("127.0.0.1", 6443)
    assert api._tokens.get("demo") == "t0ken"
    assert not api._tokens.forget("demo", "t0ken")


def test_an_exec_plug_in_provides_the_token(tmp_path: Path) -> None:
    credential = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"fr0m-plug-in"}}'
    plug_in = {"apiVersion": "client.authentication.k8s.io/v1", "command": "echo", "args": [credential], "interactiveMode": "Never"}
    api = KubeconfigLogin(kubeconfig(tmp_path, user={"exec": plug_in}), "mine").open(FACTS)
    assert api._tokens.get("demo") == "fr0m-plug-in"


def test_a_client_certificate_logs_in_without_a_token(tmp_path: Path) -> None:
    own = AUTHORITY.issue_cert("jane@example.com")
    certificate = own.cert_chain_pems[0].bytes() + own.private_key_pem.bytes()
    pem = {
        "client-certificate-data": base64.b64encode(certificate).decode(),
        "client-key-data": base64.b64encode(own.private_key_pem.bytes()).decode(),
    }
    api = KubeconfigLogin(kubeconfig(tmp_path, user=pem), None).open(FACTS)
    assert api._tokens.get("demo") == ""


def test_the_server_name_of_the_kubeconfig_is_required(tmp_path: Path) -> None:
    api = KubeconfigLogin(kubeconfig(tmp_path, cluster={**SERVER, "tls-server-name": "kubernetes"}), None).open(FACTS)
    assert api._pool.conn_kw["server_hostname"] == "kubernetes"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no check of the certificate": ({"server": SERVER["server"], "insecure-skip-tls-verify": True}, "disables the check"),
    "no authority": ({"server": SERVER["server"]}, "no certificate authority"),
    "a proxy": ({**SERVER, "proxy-url": "http://proxy.example:3128"}, "uses a proxy"),
    "a path": ({**SERVER, "server": "https://rancher.example/k8s/clusters/c-1"}, "uses a proxy"),
}


@pytest.mark.parametrize(("cluster", "words"), REFUSED.values(), ids=REFUSED)
def test_an_unusable_kubeconfig_is_rejected_with_the_reason(tmp_path: Path, cluster: dict[str, Any], words: str) -> None:
    with pytest.raises(CommandError, match=words) as error:
        KubeconfigLogin(kubeconfig(tmp_path, cluster=cluster), None).open(FACTS)
    assert error.value.next_step


def test_a_missing_context_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="other"):
        KubeconfigLogin(kubeconfig(tmp_path), "other").open(FACTS)
    with pytest.raises(CommandError, match="nowhere"):
        KubeconfigLogin(tmp_path / "nowhere", None).open(FACTS)


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", *map(variable, (field.name for field in fields(Environment)))):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "aws-config"
    config.write_text("[profile here]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    return config


def test_options_precede_the_environment_which_precedes_the_profile(no_aws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert no_aws.exists()
    with pytest.raises(CommandError, match="no AWS region"):
        region_of(None, None)
    assert region_of("here", None) == "eu-north-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert region_of("here", None) == "eu-west-1"
    assert region_of("here", "us-east-1") == "us-east-1"
    with pytest.raises(CommandError, match="AWS profile 'nowhere' does not exist"):
        region_of("nowhere", "us-east-1")


class FakeSession:
    """Returns the configuration of one function, or raises an error with the given code."""

    def __init__(self, answer: dict[str, Any] | str) -> None:
        self.answer = answer
        self.function = ""

    def client(self, _service: str) -> FakeSession:
        return self

    def get_function_configuration(self, *, FunctionName: str) -> dict[str, Any]:  # noqa: N803  # the name of the API
        from botocore.exceptions import ClientError

        self.function = FunctionName
        if isinstance(self.answer, str):
            raise ClientError({"Error": {"Code": self.answer, "Message": "no"}}, "GetFunctionConfiguration")
        return self.answer


def _variables() -> dict[str, str]:
    return {variable(field.name): getattr(ENVIRONMENT, field.name) for field in fields(Environment)}


@pytest.mark.parametrize(("stack", "function"), [("", "eks-irsa-remediator"), ("blue", "eks-irsa-remediator-blue")])
def test_the_stack_is_found_by_the_name_of_its_remediator(no_aws: Path, stack: str, function: str) -> None:
    session = FakeSession({"Environment": {"Variables": {**_variables(), "OTHER": "x"}}})
    assert deployed_stack.find(session, stack) == ENVIRONMENT  # type: ignore[arg-type]  # has the one method in use
    assert session.function == function


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_a_missing_or_unreadable_function_means_no_stack(no_aws: Path, code: str) -> None:
    assert deployed_stack.find(FakeSession(code), "") is None  # type: ignore[arg-type]


def test_variables_of_the_shell_take_precedence(no_aws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _variables().items():
        monkeypatch.setenv(name, value)
    session = FakeSession("ResourceNotFoundException")
    assert deployed_stack.find(session, "") == ENVIRONMENT  # type: ignore[arg-type]
    assert session.function == ""


def test_a_shell_without_the_variable_of_the_floor_does_not_say_that_there_is_none(no_aws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _variables().items():
        if name != deployed_stack.FLOOR_VARIABLE:
            monkeypatch.setenv(name, value)
    found = deployed_stack.find(FakeSession("ResourceNotFoundException"), "")  # type: ignore[arg-type]
    assert found
    assert found.settings_floor == UNKNOWN_FLOOR


def test_a_function_without_the_variable_of_the_floor_has_none(no_aws: Path) -> None:
    variables = {name: value for name, value in _variables().items() if name != deployed_stack.FLOOR_VARIABLE}
    found = deployed_stack.find(FakeSession({"Environment": {"Variables": variables}}), "")  # type: ignore[arg-type]
    assert found
    assert found.settings_floor == ""


def test_without_a_stack_the_environment_is_empty() -> None:
    environment = deployed_stack.without_stack(
        CallerIdentity(arn="arn:aws:iam::111122223333:user/j", account="111122223333", partition="aws"), "eu-west-1"
    )
    assert (environment.incidents_table, environment.chat_topic_arn, environment.our_role_arns) == ("", "", "")
    assert environment.settings_floor == UNKNOWN_FLOOR
    assert deployed_stack.roles(environment) == {}


def test_roles_are_listed_in_the_order_of_the_functions() -> None:
    assert [(function, arn.rpartition("/")[2]) for function, arn in deployed_stack.roles(ENVIRONMENT).items()] == [
        (Function.CHECKER, "checker"),
        (Function.REMEDIATOR, "remediator"),
        (Function.NODE_WATCHER, "watcher"),
    ]


def test_one_client_signs_for_the_account_of_each_block_and_for_none_outside() -> None:
    session = SharedSession("eu-west-1")
    other = session.in_region("us-east-1")
    signed: list[str] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        signed.append(re.search(r"Credential=(\w+)/\d+/([\w-]+)/", request.headers["Authorization"].decode()).expand(r"\1 \2"))  # type: ignore[union-attr]
        response = AWSResponse(request.url, 200, {}, None)
        response._content = b'{"clusters": []}'
        return response

    for client in (session.client("eks"), other.client("eks")):
        client.meta.events.register("before-send.eks", answer)
    for key in ("PROD", "LAB"):
        with SharedSession.signed_by(Credentials(key, "secret")):
            session.client("eks").list_clusters()
            session.in_region("us-east-1").client("eks").list_clusters()
    assert signed == ["PROD eu-west-1", "PROD us-east-1", "LAB eu-west-1", "LAB us-east-1"]
    with pytest.raises(LookupError):
        session.client("eks").list_clusters()
    with SharedSession.signed_by(Credentials("PROD", "secret")), ThreadPoolExecutor(1) as pool, pytest.raises(LookupError):
        pool.submit(session.client("eks").list_clusters).result()
