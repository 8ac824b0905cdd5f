"""The three writes of the cluster adapter change one field or object under a precondition, and are safe to repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lambdas.contract.names import FIELD_MANAGER, RESTARTED_AT_ANNOTATION, ROLE_ANNOTATION
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import Conflict, NotFound
from lambdas.domain.snapshot.snapshot import Missing, ServiceAccountFacts
from sandbox.cluster.faults import ConnectionBreak, Fault
from sandbox.cluster.resources import PODS, SERVICE_ACCOUNTS
from tests.integration.adapters.embedded_clusters import NAME, NAMESPACE, ROLE, apply_aws_node, embedded, login, pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.adapters.cluster import Cluster
    from sandbox.cluster.embedded_cluster import EmbeddedCluster

STAMP = "2026-01-01T00:00:00Z"


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with embedded() as it:
        apply_aws_node(it)
        yield it


def account(client: Cluster) -> ServiceAccountFacts:
    facts = client.service_account(NAMESPACE, NAME)
    assert not isinstance(facts, Missing)
    return facts


def test_annotating_changes_one_key_under_the_field_manager(cluster: EmbeddedCluster) -> None:
    client = login(cluster)
    before: Any = cluster.store.find(SERVICE_ACCOUNTS, NAME, NAMESPACE)
    client.annotate(NAMESPACE, NAME, ROLE, account(client).resource_version)
    after: Any = cluster.store.find(SERVICE_ACCOUNTS, NAME, NAMESPACE)
    assert after["metadata"]["annotations"] == {ROLE_ANNOTATION: ROLE}
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    assert [writer.manager for writer in account(client).writers if writer.owns_annotation] == [FIELD_MANAGER]


def test_annotating_with_none_removes_the_key(cluster: EmbeddedCluster) -> None:
    client = login(cluster)
    client.annotate(NAMESPACE, NAME, ROLE, account(client).resource_version)
    client.annotate(NAMESPACE, NAME, None, account(client).resource_version)
    assert not account(client).role_annotations


def test_annotating_a_changed_object_is_a_conflict_and_changes_nothing(cluster: EmbeddedCluster) -> None:
    client = login(cluster)
    facts = account(client)
    client.annotate(NAMESPACE, NAME, "arn:aws:iam::111122223333:role/theirs", facts.resource_version)
    with pytest.raises(Conflict, match="annotate ServiceAccount kube-system/aws-node in cluster demo: 409"):
        client.annotate(NAMESPACE, NAME, ROLE, facts.resource_version)
    assert account(client).role_annotations[ROLE_ANNOTATION].endswith("theirs")


def test_annotating_a_missing_object_is_not_found() -> None:
    with embedded() as empty, pytest.raises(NotFound):
        login(empty).annotate(NAMESPACE, NAME, ROLE, "1")


def test_a_patch_with_a_lost_response_ends_in_a_conflict_instead_of_a_second_write(cluster: EmbeddedCluster) -> None:
    client = login(cluster)
    facts = account(client)
    cluster.faults.add(Fault(verb="PATCH", close=ConnectionBreak.AFTER))
    with pytest.raises(Conflict):
        client.annotate(NAMESPACE, NAME, ROLE, facts.resource_version)
    assert account(client).role_annotations == {ROLE_ANNOTATION: ROLE}


def test_the_same_restart_twice_changes_the_template_once(cluster: EmbeddedCluster) -> None:
    client = login(cluster)
    cluster.faults.add(Fault(verb="PATCH", close=ConnectionBreak.AFTER))  # the first answer is lost, so it is sent again
    client.restart(NAMESPACE, WorkloadKind.DAEMON_SET, NAME, STAMP)
    client.restart(NAMESPACE, WorkloadKind.DAEMON_SET, NAME, STAMP)
    facts = client.workload(NAMESPACE, WorkloadKind.DAEMON_SET, NAME)
    assert not isinstance(facts, Missing)
    assert (facts.restarted_at, facts.generation) == (STAMP, 2)
    assert RESTARTED_AT_ANNOTATION == "kubectl.kubernetes.io/restartedAt"


def test_a_pod_is_deleted_by_its_uid(cluster: EmbeddedCluster) -> None:
    cluster.apply(pod("p"), "test")
    client = login(cluster)
    (facts,) = client.pods(NAMESPACE, NAME)
    assert client.delete_pod(NAMESPACE, "p", "uid-of-a-predecessor") is False
    assert cluster.store.find(PODS, "p", NAMESPACE) is not None
    assert client.delete_pod(NAMESPACE, "p", facts.uid) is True
    assert client.delete_pod(NAMESPACE, "gone", facts.uid) is False
