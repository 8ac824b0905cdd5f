"""The way to a cluster, step by step, against an API server with TLS, login and RBAC."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.adapters.cluster_probe import ClusterProbe
from lambdas.contract.access import REMEDIATOR_GROUP, AccessQuestion
from lambdas.domain.errors import AccessDenied, Denial, PermanentError, TransientError
from sandbox.cluster.faults import Fault
from tests.integration.adapters.embedded_clusters import NAMESPACE, GivenTokens, authority, embedded, facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.cluster.embedded_cluster import EmbeddedCluster

LIST_PODS = AccessQuestion(verb="list", group="", resource="pods", namespace=NAMESPACE)
UNREACHABLE = "https://127.0.0.1:1"


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with embedded() as running:
        yield running


def probe(tokens: Any = None) -> ClusterProbe:
    return ClusterProbe(tokens or GivenTokens(renews=False), "arn:aws:iam::111122223333:role/remediator")


def test_each_step_succeeds(cluster: EmbeddedCluster) -> None:
    found, way = facts(cluster.url, cluster.ca_pem), probe()
    assert way.resolve(found) == ("127.0.0.1",)
    way.connect(found)
    assert way.handshake(found).startswith("TLS")
    assert REMEDIATOR_GROUP in way.identity(found).groups
    assert way.allows(found, LIST_PODS)


@pytest.mark.parametrize(
    "change", [{"verb": "create"}, {"namespace": "default"}, {"resource": "secrets"}, {"group": "apps"}], ids=lambda item: next(iter(item))
)
def test_a_call_without_a_rule_is_not_allowed(cluster: EmbeddedCluster, change: dict[str, str]) -> None:
    assert not probe().allows(facts(cluster.url, cluster.ca_pem), replace(LIST_PODS, **change))


def test_a_name_that_does_not_resolve_is_unreachable(cluster: EmbeddedCluster) -> None:
    with pytest.raises(AccessDenied) as caught:
        probe().resolve(facts("https://nowhere.invalid", cluster.ca_pem))
    assert caught.value.denial is Denial.UNREACHABLE
    assert "nowhere.invalid" in str(caught.value)


def test_a_closed_port_is_unreachable(cluster: EmbeddedCluster) -> None:
    with pytest.raises(AccessDenied) as caught:
        probe().connect(facts(UNREACHABLE, cluster.ca_pem))
    assert caught.value.denial is Denial.UNREACHABLE


def test_another_authority_is_a_certificate_error(cluster: EmbeddedCluster) -> None:
    with pytest.raises(AccessDenied) as caught:
        probe().handshake(facts(cluster.url, authority().cert_pem.bytes()))
    assert caught.value.denial is Denial.CERTIFICATE


def _hang_up(server: socket.socket) -> None:
    connection, _ = server.accept()
    connection.close()


def test_a_server_that_hangs_up_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_hang_up, args=(server,)).start()
        with pytest.raises(AccessDenied) as caught:
            probe().handshake(facts(f"https://127.0.0.1:{server.getsockname()[1]}", authority().cert_pem.bytes()))
    assert caught.value.denial is Denial.UNREACHABLE


def test_a_refused_login_names_the_role(cluster: EmbeddedCluster) -> None:
    tokens = GivenTokens(renews=False)
    tokens.number = 9
    with pytest.raises(AccessDenied) as caught:
        probe(tokens).identity(facts(cluster.url, cluster.ca_pem))
    assert caught.value.denial is Denial.UNAUTHENTICATED
    assert "create an access entry for arn:aws:iam::111122223333:role/remediator" in str(caught.value)


@pytest.mark.parametrize("body", [{}, {"status": None}, {"status": {"userInfo": {}}}])
def test_an_answer_of_another_shape_is_an_error_in_words(
    cluster: EmbeddedCluster, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.adapters.kubernetes_api.KubernetesApi._answer", lambda *_: body)
    with pytest.raises(PermanentError, match="not a valid Kubernetes object"):
        probe().identity(facts(cluster.url, cluster.ca_pem))


def test_a_busy_server_is_no_refusal(cluster: EmbeddedCluster) -> None:
    cluster.faults.add(Fault(status=503, times=None))
    with pytest.raises(TransientError):
        probe().allows(facts(cluster.url, cluster.ca_pem), LIST_PODS)


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1", "not an address"])
def test_a_cluster_without_an_endpoint_is_an_error_in_words(endpoint: str) -> None:
    with pytest.raises(PermanentError, match="endpoint"):
        probe().connect(facts(endpoint, b""))
