"""Answer in the place of a cluster's API server: the attacker redirects the endpoint's name or address to a server of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import AccessDenied, Denial
from tests.attacks.hostile_server import SECRET, send, serving
from tests.attacks.threat import Threat

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambdas.adapters.cluster import Cluster

THREAT = Threat(
    name="impersonated API server",
    actor="operator of the network, or of a name server",
    controls="the address behind the endpoint's name, and its certificate",
    attempt="receive the token, answer with another state, or accept writes in the place of the cluster",
    prevention="TLS trusts only the certificate authority that `DescribeCluster` returns, and the host name must be in the SAN; nothing is "
    "sent before that",
    proof=("test_a_server_that_the_authority_does_not_vouch_for_receives_no_request", "test_the_server_of_the_authority_is_asked"),
    residual="whoever holds the key of the cluster's authority, which is EKS, or can change the answer of `DescribeCluster`",
)
ANOTHER = trustme.CA()
CERTIFICATES: dict[str, Callable[[trustme.CA], trustme.LeafCert]] = {
    "another authority": lambda _: ANOTHER.issue_cert("127.0.0.1"),
    "another authority below the same name": lambda _: trustme.CA().create_child_ca().issue_cert("127.0.0.1"),
    "another host": lambda ca: ca.issue_cert("evil.example"),
    "a wildcard": lambda ca: ca.issue_cert("*.0.0.1"),
    "an expired certificate": lambda ca: ca.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1)),
    "a certificate of the future": lambda ca: ca.issue_cert("127.0.0.1", not_before=datetime.now(UTC) + timedelta(days=1)),
}
CALLS: dict[str, Callable[[Cluster], object]] = {
    "read": lambda cluster: cluster.service_account("kube-system", "aws-node"),
    "list": lambda cluster: cluster.pods("kube-system", "aws-node"),
    "restart": lambda cluster: cluster.restart("kube-system", WorkloadKind.DAEMON_SET, "aws-node", "2026-01-01T00:00:00Z"),
    "delete": lambda cluster: cluster.delete_pod("kube-system", "aws-node-1", "uid"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("certificate", CERTIFICATES.values(), ids=CERTIFICATES)
def test_a_server_that_the_authority_does_not_vouch_for_receives_no_request(
    certificate: Callable[[trustme.CA], trustme.LeafCert], call: Callable[[Cluster], object]
) -> None:
    received: list[Any] = []
    with serving(received.append, certificate) as cluster, pytest.raises(AccessDenied) as refusal:
        call(cluster)
    assert refusal.value.denial is Denial.CERTIFICATE
    assert SECRET not in str(refusal.value)
    assert received == []


def test_the_server_of_the_authority_is_asked() -> None:
    received: list[str] = []

    def answer(handler: Any) -> None:
        received.append(handler.headers["Authorization"])
        send(handler, b'{"metadata":{"resourceVersion":"7"}}')

    with serving(answer) as cluster:
        cluster.service_account("kube-system", "aws-node")
    assert received == [f"Bearer {SECRET}"]
