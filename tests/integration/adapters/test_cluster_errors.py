"""Each way in which a cluster can refuse or fail us ends in the error that says whether a retry helps, and changes nothing."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.adapters import kubernetes_api
from lambdas.adapters.cluster import Clusters
from lambdas.contract.environment import Function
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import AccessDenied, Conflict, Denial, NotFound, PermanentError, Rejected, RemediatorError, TransientError
from sandbox.cluster.faults import ConnectionBreak, Fault
from sandbox.cluster.resources import SERVICE_ACCOUNTS
from tests.integration.adapters.embedded_clusters import (
    NAME,
    NAMESPACE,
    ROLE,
    GivenTokens,
    apply_aws_node,
    authority,
    embedded,
    facts,
    login,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.cluster.embedded_cluster import EmbeddedCluster


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with embedded() as it:
        apply_aws_node(it)
        yield it


ANSWERS = {
    "401": (Fault(status=401, times=None), AccessDenied, "access entry"),
    "403": (Fault(status=403, times=None), AccessDenied, "RBAC"),
    "404 on a list": (Fault(status=404, times=None), NotFound, "404"),
    "409": (Fault(status=409, times=None), Conflict, "409"),
    "410 on a first page": (Fault(status=410, times=None), TransientError, "410"),
    "429": (Fault(status=429, retry_after_s=7, times=None), TransientError, "429"),
    "429 without a time": (Fault(status=429, times=None), TransientError, "429"),
    "500": (Fault(status=500, times=None), TransientError, "500"),
    "503": (Fault(status=503, times=None), TransientError, "503"),
    "504": (Fault(status=504, times=None), TransientError, "504"),
    "422": (Fault(status=422, times=None), Rejected, "422"),
    "closed before": (Fault(close=ConnectionBreak.BEFORE, times=None), TransientError, "list pods"),
    "closed after": (Fault(close=ConnectionBreak.AFTER, times=None), TransientError, "list pods"),
}


@pytest.mark.parametrize(("fault", "kind", "word"), ANSWERS.values(), ids=ANSWERS)
def test_each_error_response_is_translated(cluster: EmbeddedCluster, fault: Fault, kind: type[RemediatorError], word: str) -> None:
    cluster.faults.add(replace(fault))
    with pytest.raises(kind) as raised:
        login(cluster).pods(NAMESPACE, NAME)
    assert type(raised.value) is kind or fault.status == 410
    assert "list pods of ServiceAccount kube-system/aws-node in cluster demo" in str(raised.value)
    assert word in str(raised.value)
    assert raised.value.__cause__ is None or not isinstance(raised.value.__cause__, RemediatorError)


def test_denials_name_the_missing_access(cluster: EmbeddedCluster) -> None:
    for status, denial in ((401, Denial.UNAUTHENTICATED), (403, Denial.FORBIDDEN)):
        cluster.faults.clear()
        cluster.faults.add(Fault(status=status, times=None))
        with pytest.raises(AccessDenied) as raised:
            login(cluster).pods(NAMESPACE, NAME)
        assert raised.value.denial is denial


def test_a_forbidden_request_has_the_message_of_the_server() -> None:
    with embedded(Function.CHECKER) as cluster:
        apply_aws_node(cluster)
        client = login(cluster)
        writes: list[Callable[[], object]] = [
            lambda: client.apply_annotation(NAMESPACE, NAME, ROLE, "1"),
            lambda: client.restart(NAMESPACE, WorkloadKind.DAEMON_SET, NAME, "now"),
            lambda: client.delete_pod(NAMESPACE, "p", "u"),
        ]
        for write in writes:
            with pytest.raises(AccessDenied, match="is forbidden") as raised:
                write()
            assert raised.value.denial is Denial.FORBIDDEN


def test_retry_after_is_kept(cluster: EmbeddedCluster) -> None:
    cluster.faults.add(Fault(status=429, retry_after_s=7))
    with pytest.raises(TransientError) as raised:
        login(cluster).pods(NAMESPACE, NAME)
    assert raised.value.retry_after_s == 7


def test_a_short_retry_after_is_waited_for_once(cluster: EmbeddedCluster) -> None:
    cluster.faults.add(Fault(status=429, retry_after_s=0))
    assert login(cluster).pods(NAMESPACE, NAME) == ()


def test_a_closed_connection_is_replaced(cluster: EmbeddedCluster) -> None:
    client = login(cluster)
    client.pods(NAMESPACE, NAME)
    cluster.faults.add(Fault(close=ConnectionBreak.BEFORE))
    assert client.pods(NAMESPACE, NAME) == ()


def test_an_expired_token_is_replaced_once() -> None:
    with embedded(good_tokens=("token-2",)) as cluster:
        apply_aws_node(cluster)
        assert login(cluster).pods(NAMESPACE, NAME) == ()
        assert [request.status for request in cluster.requests] == [401, 200]


def test_a_new_token_that_is_rejected_is_not_replaced() -> None:
    with embedded(good_tokens=()) as cluster:
        with pytest.raises(AccessDenied):
            login(cluster, GivenTokens(renews=False)).pods(NAMESPACE, NAME)
        assert [request.status for request in cluster.requests] == [401]


def test_no_error_contains_the_token(cluster: EmbeddedCluster) -> None:
    for fault in (Fault(status=500), Fault(status=401, times=2), Fault(close=ConnectionBreak.BEFORE, times=2)):
        cluster.faults.add(fault)
        with pytest.raises(RemediatorError) as raised:
            login(cluster).pods(NAMESPACE, NAME)
        assert "token-" not in str(raised.value) + repr(raised.value)


def test_a_long_response_is_truncated(cluster: EmbeddedCluster) -> None:
    long_name = "n" * 253
    with pytest.raises(AccessDenied) as raised:
        login(cluster).workload("x" * 60, WorkloadKind.DAEMON_SET, long_name)
    assert len(str(raised.value)) < 400


def test_a_certificate_of_another_authority_is_refused(cluster: EmbeddedCluster) -> None:
    cluster_facts = facts(cluster.url, authority().cert_pem.bytes())
    with pytest.raises(AccessDenied) as raised:
        Clusters(GivenTokens()).login(cluster_facts).pods(NAMESPACE, NAME)  # type: ignore[arg-type]
    assert raised.value.denial is Denial.CERTIFICATE
    assert cluster.requests == []


def test_a_certificate_for_another_host_is_refused() -> None:
    ca = authority()
    with serving(ca.issue_cert("kubernetes.example"), lambda _: None) as url, pytest.raises(AccessDenied) as raised:
        Clusters(GivenTokens()).login(facts(url, ca.cert_pem.bytes())).pods(NAMESPACE, NAME)  # type: ignore[arg-type]
    assert raised.value.denial is Denial.CERTIFICATE


def test_a_closed_port_is_unreachable(cluster: EmbeddedCluster) -> None:
    with socket.socket() as deaf:  # holds the port without listening
        deaf.bind(("127.0.0.1", 0))
        cluster_facts = facts(f"https://127.0.0.1:{deaf.getsockname()[1]}", cluster.ca_pem)
        with pytest.raises(AccessDenied, match="route") as raised:
            Clusters(GivenTokens()).login(cluster_facts).pods(NAMESPACE, NAME)  # type: ignore[arg-type]
    assert raised.value.denial is Denial.UNREACHABLE


def test_a_name_that_does_not_resolve_is_unreachable(cluster: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    with pytest.raises(AccessDenied, match="not known") as raised:
        Clusters(GivenTokens()).login(facts("https://cluster.invalid", cluster.ca_pem)).pods(NAMESPACE, NAME)  # type: ignore[arg-type]
    assert raised.value.denial is Denial.UNREACHABLE


def test_a_time_out_is_transient(cluster: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_api, "READ_TIMEOUT_S", 0.2)
    cluster.faults.add(Fault(delay_s=60.0))
    with pytest.raises(TransientError, match="timed out"):
        login(cluster).pods(NAMESPACE, NAME)


def test_a_truncated_response_is_transient() -> None:
    def half(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")

    ca = authority()
    with serving(ca.issue_cert("127.0.0.1"), half) as url, pytest.raises(TransientError):
        Clusters(GivenTokens()).login(facts(url, ca.cert_pem.bytes())).pods(NAMESPACE, NAME)  # type: ignore[arg-type]


def test_a_response_that_is_not_json_is_a_permanent_error() -> None:
    def portal(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")

    ca = authority()
    with serving(ca.issue_cert("127.0.0.1"), portal) as url, pytest.raises(PermanentError, match="not JSON"):
        Clusters(GivenTokens()).login(facts(url, ca.cert_pem.bytes())).pods(NAMESPACE, NAME)  # type: ignore[arg-type]


BAD_FACTS = {
    "no endpoint yet": {"endpoint": ""},
    "not https": {"endpoint": "http://127.0.0.1:1"},
    "no authority yet": {"certificate_authority": ""},
    "authority is not base64": {"certificate_authority": "%%%"},
    "authority is no certificate": {"certificate_authority": base64.b64encode(b"hello").decode()},
}


@pytest.mark.parametrize("change", BAD_FACTS.values(), ids=BAD_FACTS)
def test_a_cluster_without_a_usable_endpoint_or_authority_is_a_permanent_error(cluster: EmbeddedCluster, change: dict[str, str]) -> None:
    cluster_facts = replace(facts(cluster.url, cluster.ca_pem), **change)  # type: ignore[arg-type]
    with pytest.raises(PermanentError, match="log in to cluster demo"):
        Clusters(GivenTokens()).login(cluster_facts)  # type: ignore[arg-type]


def test_hostile_names_stay_inside_their_path_segment(cluster: EmbeddedCluster) -> None:
    with pytest.raises(RemediatorError):
        login(cluster).apply_annotation(f"../../../api/v1/namespaces/{NAMESPACE}", f"{NAME}?x=", ROLE, "1")
    stored: Any = cluster.store.find(SERVICE_ACCOUNTS, NAME, NAMESPACE)
    assert "annotations" not in stored["metadata"]


def test_a_cluster_has_one_connection_pool(cluster: EmbeddedCluster) -> None:
    clusters = Clusters(GivenTokens())  # type: ignore[arg-type]
    cluster_facts = facts(cluster.url, cluster.ca_pem)
    assert clusters.login(cluster_facts)._api is clusters.login(cluster_facts)._api
    assert clusters.login(cluster_facts)._api is not clusters.login(replace(cluster_facts, name="other"))._api


@contextmanager
def serving(certificate: Any, answer: Callable[[Any], None]) -> Iterator[str]:
    """A TLS server that gives every connection to `answer` and closes it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
                with context.wrap_socket(raw, server_side=True) as connection:
                    answer(connection)
            except ssl.SSLError:
                continue
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
