"""Stop a check, or mislead it, with an answer of an API server that has the wrong shape, status or header.

The attacker controls an API server that the cluster's authority vouches for. Each odd answer must become an error of its target alone.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import types
import typing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.adapters import kubernetes_objects, log
from lambdas.adapters.kubernetes_errors import MAX_RETRY_AFTER_S, expected_shape
from lambdas.adapters.log import Title, write
from lambdas.application.check.check_loop import MAX_LEASE_TIME
from lambdas.application.check.results import CheckHandedOver, NoFaultFound
from lambdas.contract.names import PROJECT
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import PermanentError, RemediatorError, TransientError
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.snapshot import PodFacts, ServiceAccountFacts
from lambdas.notifications.escape import chat, chat_code, chat_line, line, plain
from sandbox.cluster import aws_node
from tests.attacks.hostile_server import SECRET, page, pod, send, serving
from tests.attacks.threat import Threat
from tests.fakes import FakeCluster
from tests.integration.adapters import embedded_clusters as clusters
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER
from tests.unit.checker.simulated_checker import TARGET, check, result_of, simulate

if TYPE_CHECKING:
    from collections.abc import Callable

THREAT = Threat(
    name="odd answers",
    actor="operator of an API server, or proxy before it",
    controls="shape, status and headers of answers",
    attempt="stop or mislead the check of aws-node, redirect it, or have the token logged",
    prevention="any odd shape is a permanent error of that target alone; redirections are not followed; tokens are redacted in "
    "every text; host names are checked against the SAN",
    proof=(
        "test_any_value_at_any_place_is_read_as_its_type_or_refused",
        "test_an_error_whose_message_is_no_text_is_the_error_of_its_status",
        "test_a_server_that_echoes_the_token_puts_it_into_no_error",
        "test_a_tenant_whose_pods_end_the_process_leaves_aws_node_checked",
        "test_no_token_reaches_the_log_or_a_message",
    ),
    residual="an API server that answers well-formed lies decides about its own cluster",
)
ANNOTATION = "eks.amazonaws.com/role-arn"


def answering(body: bytes, status: int = 200, **headers: str) -> Callable[[Any], None]:
    return lambda handler: send(handler, body, status, **headers)


OBJECTS: dict[str, bytes] = {
    "html": b"<html>",
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "NaN": b'{"metadata":{"resourceVersion":NaN}}',
    "a lone surrogate": b'{"metadata":{"resourceVersion":"\\ud800"}}',
    "200,000 nested arrays": b'{"metadata":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "900 nested objects": b'{"metadata":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
    "200,000 objects that are not closed": b'{"a":' * 200_000,
    "NaN in an unread field": b'{"metadata":{"resourceVersion":"1"},"x":[NaN]}',
    "an infinite number": b'{"metadata":{"resourceVersion":1e999}}',
    "a version of 5,000 digits": b'{"metadata":{"resourceVersion":' + b"9" * 5_000 + b"}}",
    "no metadata": b"{}",
    "metadata is null": b'{"metadata":null}',
    "a version that is a number": b'{"metadata":{"resourceVersion":7}}',
    "annotations that are a list": b'{"metadata":{"resourceVersion":"1","annotations":[]}}',
    "an annotation that is a number": b'{"metadata":{"resourceVersion":"1","annotations":{"eks.amazonaws.com/role-arn":1}}}',
    "annotations of 1 MB": json.dumps({"metadata": {"resourceVersion": "1", "annotations": {ANNOTATION: "x" * 1_000_000}}}).encode(),
    "a key twice": b'{"metadata":{"resourceVersion":"1","annotations":{"a/role-arn":"a","a/role-arn":"b"}}}',
}
LISTS: dict[str, bytes] = {
    "null items": b'{"metadata":{},"items":null}',
    "no items": b'{"metadata":{}}',
    "items that are an object": b'{"metadata":{},"items":{}}',
    "an item that is null": b'{"metadata":{},"items":[null]}',
    "no metadata": b'{"items":[]}',
    "a continuation that is a number": b'{"metadata":{"continue":1},"items":[]}',
    "items nested 200,000 deep": b'{"metadata":{},"items":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "an item nested 900 deep": b'{"metadata":{},"items":[' + b"[" * 900 + b"]" * 900 + b"]}",
    "NaN among the items": b'{"metadata":{},"items":[NaN]}',
    "minus infinity as the number of remaining objects": b'{"metadata":{"remainingItemCount":-Infinity},"items":[]}',
    "a continuation of 5,000 digits": b'{"metadata":{"continue":' + b"9" * 5_000 + b'},"items":[]}',
    "an item that is a number of 5,000 digits": b'{"metadata":{},"items":[' + b"9" * 5_000 + b"]}",
    "the token as a time": page([{**pod(1), "metadata": {"name": "p", "uid": "1", "creationTimestamp": SECRET}}]),
    "a time that is none": page([{**pod(1), "metadata": {"name": "p", "uid": "1", "creationTimestamp": "x"}}]),
    "a time in the year 9999": page([{**pod(1), "metadata": {"name": "p", "uid": "1", "creationTimestamp": "9999-12-31T23:59:59Z"}}]),
}


@pytest.mark.parametrize("body", OBJECTS.values(), ids=OBJECTS)
def test_an_odd_object_is_a_permanent_error(body: bytes) -> None:
    with serving(answering(body)) as cluster, pytest.raises(PermanentError) as raised:
        cluster.service_account("kube-system", "aws-node")
    assert type(raised.value) is PermanentError
    assert "read ServiceAccount kube-system/aws-node in cluster demo" in str(raised.value)


@pytest.mark.parametrize("body", LISTS.values(), ids=LISTS)
def test_an_odd_page_is_a_permanent_error(body: bytes) -> None:
    with serving(answering(body)) as cluster, pytest.raises(PermanentError) as raised:
        cluster.pods("kube-system", "aws-node")
    assert "list pods of ServiceAccount kube-system/aws-node in cluster demo" in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("status", [204, 300, 301, 302, 303, 305, 307, 308, 399, 304])
def test_a_redirection_with_a_body_of_json_is_no_success_and_is_not_followed(status: int) -> None:
    asked: list[str] = []

    def redirect(handler: Any) -> None:
        asked.append(handler.path)
        body = b"" if status in (204, 304) else b'{"metadata":{"resourceVersion":"7"}}'
        send(handler, body, status, Location="https://169.254.169.254/latest/meta-data/iam/security-credentials/")

    calls: tuple[Callable[[Any], object], ...] = (
        lambda cluster: cluster.service_account("kube-system", "aws-node"),
        lambda cluster: cluster.pods("kube-system", "aws-node"),
        lambda cluster: cluster.restart("kube-system", WorkloadKind.DAEMON_SET, "aws-node", "2026-01-01T00:00:00Z"),
        lambda cluster: cluster.delete_pod("kube-system", "aws-node-1", "uid"),
    )
    for number, call in enumerate(calls, start=1):
        with serving(redirect) as cluster, pytest.raises(PermanentError):
            call(cluster)
        assert len(asked) == number


@pytest.mark.parametrize("value", ["9" * 400, "999999999", "1e9", "inf", "-1", "٣"])
def test_a_retry_after_decides_nothing_about_our_time(value: str) -> None:
    with serving(answering(b"{}", 429, Retry_After=value.encode().decode("latin-1"))) as cluster, pytest.raises(TransientError) as raised:
        cluster.service_account("kube-system", "aws-node")
    assert raised.value.retry_after_s is None or 0 <= raised.value.retry_after_s <= MAX_RETRY_AFTER_S


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
def test_an_unrequested_encoding_is_refused(encoding: str) -> None:
    account = answering(b'{"metadata":{"resourceVersion":"7"}}', Content_Encoding=encoding)
    with serving(account) as cluster, pytest.raises(PermanentError, match="encoding"):
        cluster.service_account("kube-system", "aws-node")


def test_gzip_that_is_none_is_refused() -> None:
    account = answering(b'{"metadata":{"resourceVersion":"7"}}', Content_Encoding="gzip")
    with serving(account) as cluster, pytest.raises(PermanentError, match="gzip"):
        cluster.service_account("kube-system", "aws-node")


@pytest.mark.parametrize("status", [400, 401, 403, 409, 418, 500, 307])
def test_a_server_that_echoes_the_token_puts_it_into_no_error(status: int) -> None:
    def echo(handler: Any) -> None:
        header = handler.headers["Authorization"]
        send(handler, json.dumps({"message": f"denied for {header} {SECRET.partition('.')[2]}"}).encode(), status)

    with serving(echo) as cluster, pytest.raises(RemediatorError) as raised:
        cluster.service_account("kube-system", "aws-node")
    assert SECRET.partition(".")[2] not in repr(raised.value) + str(raised.value)


ODD_MESSAGES: dict[str, bytes] = {
    "1,000 nested lists": b"[" * 1_000 + b"]" * 1_000,
    "1,000 nested objects": b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
    "30,000 nested lists": b"[" * 30_000 + b"]" * 30_000,
    "NaN": b"NaN",
    "5,000 digits": b"9" * 5_000,
    "an infinite number": b"1e999",
    "null": b"null",
    "a list with the token": b'["' + SECRET.encode() + b'"]',
}


@pytest.mark.parametrize("status", [403, 422, 500])
@pytest.mark.parametrize("message", ODD_MESSAGES.values(), ids=ODD_MESSAGES)
def test_an_error_whose_message_is_no_text_is_the_error_of_its_status(message: bytes, status: int) -> None:
    with (
        serving(answering(b'{"message":' + message + b"}", status)) as cluster,
        pytest.raises(RemediatorError, match=str(status)) as raised,
    ):
        cluster.service_account("kube-system", "aws-node")
    assert len(str(raised.value)) < 500
    assert SECRET not in str(raised.value)


def test_a_large_error_with_line_feeds_and_escapes_is_one_short_line() -> None:
    message = '\n\n{"level":"INFO"}\x1b[2J<!channel>\u202e' + "x" * 5_000
    for body in (json.dumps({"message": message}).encode(), message.encode(), b"x" * 5_000_000):
        with serving(answering(body, 500)) as cluster, pytest.raises(TransientError) as raised:
            cluster.service_account("kube-system", "aws-node")
        assert str(raised.value).isprintable()
        assert len(str(raised.value)) < 400


@pytest.mark.parametrize("alternative", ["", "evil.example", "localhost.evil.example", "127.0.0.1"])
def test_a_certificate_that_names_its_host_in_the_common_name_alone_is_refused(alternative: str) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID
    from trustme import LeafCert

    def without_alternative_name(ca: Any) -> LeafCert:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
        authority_key: Any = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
            .issuer_name(issuer.subject)
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        )
        if alternative:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(alternative)]), critical=False)
        made = made.sign(authority_key, hashes.SHA256())
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return LeafCert(private, made.public_bytes(serialization.Encoding.PEM), [])

    account = answering(b'{"metadata":{"resourceVersion":"7"}}')
    with serving(account, without_alternative_name, host="localhost") as cluster, pytest.raises(RemediatorError, match="certificate"):
        cluster.service_account("kube-system", "aws-node")
    with serving(account, lambda ca: ca.issue_cert("localhost"), host="localhost") as cluster:
        assert isinstance(cluster.service_account("kube-system", "aws-node"), ServiceAccountFacts)


# --- any value at any place --------------------------------------------------------------------------------------------------------------

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12) | st.sampled_from(["True", "99999%"])
)
JSON_VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3))
AT = "2026-01-01T00:00:00Z"
STORED = {"uid": "u", "creationTimestamp": AT, "resourceVersion": "1", "generation": 3}


def _stored(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "metadata": {**item["metadata"], **STORED}}


POD = _stored(
    clusters.pod(
        "p",
        env={"AWS_ROLE_ARN": BOUND_ROLE},
        conditions=[{"type": "Ready", "status": "True"}],
        containerStatuses=[{"state": {"waiting": {"reason": "x"}}, "lastState": {"terminated": {"message": "m"}}}],
    )
)
ACCOUNT = _stored(aws_node.service_account(role_arn=BOUND_ROLE))
ACCOUNT["metadata"]["managedFields"] = [
    {"manager": "m", "time": AT, "fieldsV1": {"f:metadata": {"f:annotations": {"f:eks.amazonaws.com/role-arn": {}}}}}
]
TABLE = {"columnDefinitions": [{"name": "Name"}, {"name": "Status"}, {"name": "OS-Image"}], "rows": [{"cells": ["n", "Ready", "Linux"]}]}
EVENT = {
    "metadata": STORED,
    "note": "failed to call ec2:CreateTags",
    "action": "a",
    "regarding": {"name": "p"},
    "series": {"lastObservedTime": AT},
    "eventTime": AT,
}
READERS: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {
    "ServiceAccount": (ACCOUNT, kubernetes_objects.service_account),
    "pods": ({"items": [POD]}, lambda page: list(kubernetes_objects.pods(page))),
    "node": (_stored(clusters.node("n", "True", **{"eks.amazonaws.com/nodegroup": "g"})), kubernetes_objects.node),
    "table": (TABLE, lambda table: list(kubernetes_objects.nodes_in_table(table))),
    "event": (EVENT, kubernetes_objects.plugin_error),
    "DaemonSet": (_stored(aws_node.daemon_set()), lambda item: kubernetes_objects.workload(WorkloadKind.DAEMON_SET, item)),
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value within a JSON document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, child in inner for found in places(child, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


def is_of_type(value: object, declared: Any) -> bool:
    """Whether a value has its declared type, whose parts are checked, too."""
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if origin in (types.UnionType, typing.Union):
        return any(is_of_type(value, one) for one in arguments)
    if origin is tuple and arguments[-1] is ...:
        return isinstance(value, tuple) and all(is_of_type(item, arguments[0]) for item in value)
    if origin is tuple:
        return isinstance(value, tuple) and len(value) == len(arguments) and all(map(is_of_type, value, arguments))
    if origin is not None:  # a mapping of texts
        return isinstance(value, dict) and all(isinstance(part, str) for item in value.items() for part in item)
    if dataclasses.is_dataclass(declared):
        hints = typing.get_type_hints(declared)
        return isinstance(value, declared) and all(  # type: ignore[arg-type]
            is_of_type(getattr(value, field.name), hints[field.name]) for field in dataclasses.fields(declared)
        )
    return isinstance(value, declared) and not (declared is int and isinstance(value, bool))


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
def test_any_value_at_any_place_is_read_as_its_type_or_refused(kind: str, data: st.DataObject) -> None:
    document, read = READERS[kind]
    changed = replaced(document, data.draw(st.sampled_from(places(document))), data.draw(JSON_VALUES))
    try:
        with expected_shape("read"):
            found = read(changed)
    except PermanentError:
        return
    for item in found if isinstance(found, list) else [found]:
        assert is_of_type(item, type(item))
        json.dumps(dataclasses.asdict(item), default=str)


def test_the_unchanged_documents_are_read() -> None:
    for document, read in READERS.values():
        assert read(document)


def test_a_tenant_whose_pods_end_the_process_leaves_aws_node_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = simulate(annotation=None)
    for namespace in ("apps", "z"):
        simulation.world.parameters[binding_path(CLUSTER, namespace, "reader")] = Parameter(value=BOUND_ROLE)
    read_pods = FakeCluster.pods

    def pods(self: FakeCluster, namespace: str, service_account: str, node: str = "") -> tuple[PodFacts, ...]:
        if namespace == "apps":
            raise MemoryError("the function is killed")
        return read_pods(self, namespace, service_account, node)

    monkeypatch.setattr(FakeCluster, "pods", pods)
    with pytest.raises(MemoryError):
        check(simulation)
    assert simulation.incidents.get(TARGET)


def test_slow_pods_of_a_tenant_do_not_prevent_other_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = simulate()
    tenants = ("apps", "billing", "z")
    for namespace in tenants:
        simulation.world.parameters[binding_path(CLUSTER, namespace, "reader")] = Parameter(value=BOUND_ROLE)
    read_pods = FakeCluster.pods

    def slow_pods(self: FakeCluster, namespace: str, service_account: str, node: str = "") -> tuple[PodFacts, ...]:
        simulation.world.sleep(MAX_LEASE_TIME.total_seconds() + 1 if namespace == "apps" else 0)
        return read_pods(self, namespace, service_account, node)

    monkeypatch.setattr(FakeCluster, "pods", slow_pods)
    result = check(simulation)
    assert result_of(result) == NoFaultFound(Verdict.NO_FAULT_FOUND)
    requested = [detail["serviceAccount"]["namespace"] for kind, detail in simulation.bus.sent if kind == "Check Requested"]
    assert requested == ["billing", "z"]
    assert {result_of(result, ServiceAccountRef(CLUSTER, name, "reader")) for name in requested} == {CheckHandedOver()}


def test_no_token_reaches_the_log_or_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    log._logger.cache_clear()  # the logger keeps the standard output of the test that made it
    logging.Logger.manager.loggerDict.pop(PROJECT, None)
    write(Title.REPORT, f"denied for {SECRET}", error=PermanentError(SECRET), text=SECRET, texts=[SECRET], fields={"text": SECRET})
    written = capsys.readouterr().out
    assert "denied for" in written
    for text in (written, *(form(f"denied for {SECRET}") for form in (plain, line, chat, chat_code, chat_line))):
        assert SECRET not in text
