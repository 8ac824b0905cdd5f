"""Who a person is in AWS and in the cluster: what is read from where, and what is refused."""

from __future__ import annotations

import base64
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import trustme
import yaml

from cli.clients import deployed_stack
from cli.clients.aws_session import Caller, region_of
from cli.errors import CommandError
from cli.clients.cluster_login import KubeconfigLogin
from lambdas.contract.environment import Environment, Function, variable
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
    certificate_authority="",
    issuer=None,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def kubeconfig(folder: Path, *, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> Path:
    file = folder / "config"
    told = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": SERVER if cluster is None else cluster}],
        "users": [{"name": "u", "user": user or {"token": "t0ken"}}],
        "contexts": [{"name": "mine", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "mine",
    }
    file.write_text(yaml.safe_dump(told))
    return file


def test_a_kubeconfig_gives_address_authority_and_token(tmp_path: Path) -> None:
    api = KubeconfigLogin(kubeconfig(tmp_path), None).open(FACTS)
    assert (api._pool.host, api._pool.port) == ("127.0.0.1", 6443)
    assert api._tokens.get("demo") == "t0ken"
    assert not api._tokens.forget("demo", "t0ken")


def test_a_plug_in_of_the_kubeconfig_gives_the_token(tmp_path: Path) -> None:
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


def test_a_server_name_of_the_kubeconfig_is_demanded(tmp_path: Path) -> None:
    api = KubeconfigLogin(kubeconfig(tmp_path, cluster={**SERVER, "tls-server-name": "kubernetes"}), None).open(FACTS)
    assert api._pool.conn_kw["server_hostname"] == "kubernetes"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no check of the certificate": ({"server": SERVER["server"], "insecure-skip-tls-verify": True}, "switches the check"),
    "no authority": ({"server": SERVER["server"]}, "no certificate authority"),
    "a proxy": ({**SERVER, "proxy-url": "http://proxy.example:3128"}, "through a proxy"),
    "a path": ({**SERVER, "server": "https://rancher.example/k8s/clusters/c-1"}, "through a proxy"),
}


@pytest.mark.parametrize(("cluster", "words"), REFUSED.values(), ids=REFUSED)
def test_a_kubeconfig_that_cannot_be_used_says_why(tmp_path: Path, cluster: dict[str, Any], words: str) -> None:
    with pytest.raises(CommandError, match=words) as refused:
        KubeconfigLogin(kubeconfig(tmp_path, cluster=cluster), None).open(FACTS)
    assert refused.value.then


def test_a_context_or_file_that_is_not_there_is_named(tmp_path: Path) -> None:
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


def test_the_region_is_as_asked_else_the_environments_else_the_profiles(no_aws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert no_aws.exists()
    with pytest.raises(CommandError, match="no AWS region"):
        region_of(None, None)
    assert region_of("here", None) == "eu-north-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert region_of("here", None) == "eu-west-1"
    assert region_of("here", "us-east-1") == "us-east-1"
    with pytest.raises(CommandError, match="no AWS profile 'nowhere'"):
        region_of("nowhere", "us-east-1")


class FakeSession:
    """Answers with the configuration of one function, or refuses."""

    def __init__(self, answer: dict[str, Any] | str) -> None:
        self.answer = answer
        self.asked = ""

    def client(self, _service: str) -> FakeSession:
        return self

    def get_function_configuration(self, *, FunctionName: str) -> dict[str, Any]:  # noqa: N803  # as boto3 has it
        from botocore.exceptions import ClientError

        self.asked = FunctionName
        if isinstance(self.answer, str):
            raise ClientError({"Error": {"Code": self.answer, "Message": "no"}}, "GetFunctionConfiguration")
        return self.answer


def _variables() -> dict[str, str]:
    return {variable(field.name): getattr(ENVIRONMENT, field.name) for field in fields(Environment)}


@pytest.mark.parametrize(("stack", "function"), [("", "eks-irsa-remediator"), ("blue", "eks-irsa-remediator-blue")])
def test_the_stack_is_found_by_its_remediators_name(no_aws: Path, stack: str, function: str) -> None:
    session = FakeSession({"Environment": {"Variables": {**_variables(), "OTHER": "x"}}})
    assert deployed_stack.find(session, stack) == ENVIRONMENT  # type: ignore[arg-type]  # the one method that it calls
    assert session.asked == function


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_without_a_stack_or_the_right_to_look_there_is_none(no_aws: Path, code: str) -> None:
    assert deployed_stack.find(FakeSession(code), "") is None  # type: ignore[arg-type]


def test_the_shells_own_variables_come_first(no_aws: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _variables().items():
        monkeypatch.setenv(name, value)
    session = FakeSession("ResourceNotFoundException")
    assert deployed_stack.find(session, "") == ENVIRONMENT  # type: ignore[arg-type]
    assert session.asked == ""


def test_without_a_stack_nothing_is_made_up() -> None:
    here = deployed_stack.without_stack(Caller(arn="arn:aws:iam::111122223333:user/j", account="111122223333", partition="aws"), "eu-west-1")
    assert (here.incidents_table, here.chat_topic_arn, here.our_role_arns) == ("", "", "")
    assert deployed_stack.roles(here) == {}


def test_roles_are_named_in_the_order_of_the_functions() -> None:
    assert [(item, arn.rpartition("/")[2]) for item, arn in deployed_stack.roles(ENVIRONMENT).items()] == [
        (Function.CHECKER, "checker"),
        (Function.REMEDIATOR, "remediator"),
        (Function.NODE_WATCHER, "watcher"),
    ]
