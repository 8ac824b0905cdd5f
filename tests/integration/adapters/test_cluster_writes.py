"""The three writes of the cluster adapter change one field or object under a precondition, and are safe to repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lambdas.contract.names import ADDON_MANAGER, FIELD_MANAGER, RESTARTED_AT_ANNOTATION, ROLE_ANNOTATION
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import Conflict, NotFound
from lambdas.domain.snapshot.snapshot import Missing, ServiceAccountFacts
from sandbox.cluster import aws_node
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
    client.apply_annotation(NAMESPACE, NAME, ROLE, account(client).resource_version)
    after: Any = cluster.store.find(SERVICE_ACCOUNTS, NAME, NAMESPACE)
    assert after["metadata"]["annotations"] == {ROLE_ANNOTATION: ROLE}
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    assert [writer.manager for writer in account(client).writers if writer.owns_annotation] == [FIELD_MANAGER]


@pytest.mark.parametrize("force", [True, False])
def test_an_applied_annotation_stays_at_an_update_of_the_add_on_without_a_role(cluster: EmbeddedCluster, force: bool) -> None:
    client, manifest = login(cluster), aws_node.service_account(role_arn=ROLE)
    cluster.store.apply(SERVICE_ACCOUNTS, manifest, by=ADDON_MANAGER, force=True)
    client.apply_annotation(NAMESPACE, NAME, ROLE, account(client).resource_version)
    cluster.store.apply(SERVICE_ACCOUNTS, aws_node.service_account(), by=ADDON_MANAGER, force=force)
    assert account(client).role_annotations == {ROLE_ANNOTATION: ROLE}


def test_another_value_is_taken_over_from_its_owner(cluster: EmbeddedCluster) -> None:
    client = login(cluster)
    theirs = {"metadata": {"annotations": {ROLE_ANNOTATION: "arn:aws:iam::111122223333:role/theirs"}}}
    cluster.store.patch(SERVICE_ACCOUNTS, NAME, NAMESPACE, patch=theirs, by="kubectl-annotate")
    client.apply_annotation(NAMESPACE, NAME, ROLE, account(client).resource_version)
    assert [writer.manager for writer in account(client).writers if writer.owns_annotation] == [FIELD_MANAGER]


def test_restoring_to_none_removes_the_key(cluster: EmbeddedCluster) -> None:
    client = login(cluster)
    client.apply_annotation(NAMESPACE, NAME, ROLE, account(client).resource_version)
    client.restore_annotation(NAMESPACE, NAME, None, account(client).resource_version)
    assert not account(client).role_annotations


def test_annotating_a_changed_object_is_a_conflict_and_changes_nothing(cluster: EmbeddedCluster) -> None:
    client = login(cluster)
    facts = account(client)
    client.apply_annotation(NAMESPACE, NAME, "arn:aws:iam::111122223333:role/theirs", facts.resource_version)
    with pytest.raises(Conflict, match="annotate ServiceAccount kube-system/aws-node in cluster demo: 409"):
        client.apply_annotation(NAMESPACE, NAME, ROLE, facts.resource_version)
    assert account(client).role_annotations[ROLE_ANNOTATION].endswith("theirs")


def test_annotating_a_missing_object_is_not_found() -> None:
    with embedded() as empty, pytest.raises(NotFound):
        login(empty).apply_annotation(NAMESPACE, NAME, ROLE, "1")


def test_a_patch_with_a_lost_response_ends_in_a_conflict_instead_of_a_second_write(cluster: EmbeddedCluster) -> None:
    client = login(cluster)
    facts = account(client)
    cluster.faults.add(Fault(verb="PATCH", close=ConnectionBreak.AFTER))
    with pytest.raises(Conflict):
        client.apply_annotation(NAMESPACE, NAME, ROLE, facts.resource_version)
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
