"""What the cluster adapter makes of a Kubernetes API server's answers."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.snapshot.snapshot import Missing
from sandbox.cluster.faults import Fault
from tests.integration.adapters.clusters import NAME, NAMESPACE, ROLE, embedded, furnish, login, node, pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.cluster.embedded_cluster import EmbeddedCluster


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with embedded() as it:
        yield it


def test_a_service_account_tells_its_role_and_who_wrote_it(cluster: EmbeddedCluster) -> None:
    furnish(cluster, role_arn=ROLE)
    seen = login(cluster).service_account(NAMESPACE, NAME)
    assert not isinstance(seen, Missing)
    assert dict(seen.role_annotations) == {ROLE_ANNOTATION: ROLE}
    assert [(writer.manager, writer.owns_annotation) for writer in seen.writers] == [("eks", True)]


def test_a_service_account_tells_which_audience_its_tokens_are_for(cluster: EmbeddedCluster) -> None:
    furnish(cluster, role_arn=ROLE)
    usual = login(cluster).service_account(NAMESPACE, NAME)
    said = {"metadata": {"name": NAME, "namespace": NAMESPACE, "annotations": {"eks.amazonaws.com/audience": "vault"}}}
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", **said}, "someone")
    other = login(cluster).service_account(NAMESPACE, NAME)
    assert not isinstance(usual, Missing)
    assert not isinstance(other, Missing)
    assert (usual.audience, other.audience) == (None, "vault")


def test_annotations_under_a_misspelt_key_are_seen_and_others_are_not(cluster: EmbeddedCluster) -> None:
    furnish(cluster)
    misspelt = {"eks.amazon.com/role-arn": "a", "eks.amazonaws.com/roleARN": "b", "eks.amazonaws.com/sts-regional-endpoints": "true"}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE, "annotations": misspelt}}
    cluster.apply(account, "someone")
    seen = login(cluster).service_account(NAMESPACE, NAME)
    assert not isinstance(seen, Missing)
    assert dict(seen.role_annotations) == {"eks.amazon.com/role-arn": "a", "eks.amazonaws.com/roleARN": "b"}


def test_what_does_not_exist_is_missing(cluster: EmbeddedCluster) -> None:
    client = login(cluster)
    assert client.service_account(NAMESPACE, NAME) == Missing("ServiceAccount kube-system/aws-node")
    assert client.workload(NAMESPACE, WorkloadKind.DAEMON_SET, NAME) == Missing("DaemonSet kube-system/aws-node")


def test_a_daemon_set_is_read_with_its_own_pace(cluster: EmbeddedCluster) -> None:
    furnish(cluster)
    seen = login(cluster).workload(NAMESPACE, WorkloadKind.DAEMON_SET, NAME)
    assert not isinstance(seen, Missing)
    assert (seen.name, seen.desired, seen.max_unavailable, seen.on_delete, seen.restarted_at) == (NAME, 0, 1, False, None)


def test_the_pods_of_a_service_account_are_those_that_run_under_it(cluster: EmbeddedCluster) -> None:
    furnish(cluster)
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "coredns", "namespace": NAMESPACE}}, "test")
    cluster.apply(pod("good", env={"AWS_ROLE_ARN": ROLE}), "test")
    cluster.apply(pod("stale"), "test")
    other = pod("other")
    other["spec"]["serviceAccountName"] = "coredns"
    cluster.apply(other, "test")

    seen = {item.name: item for item in login(cluster).pods(NAMESPACE, NAME)}

    assert {name: item.role_arn for name, item in seen.items()} == {"good": ROLE, "stale": None}
    assert (seen["good"].owner, seen["good"].node) == (("DaemonSet", NAME), "node-of-good")


def test_pods_of_one_node_are_chosen_by_the_server(cluster: EmbeddedCluster) -> None:
    furnish(cluster)
    cluster.apply(pod("here"), "test")
    cluster.apply(pod("there"), "test")
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "coredns", "namespace": NAMESPACE}}, "test")
    stranger = pod("stranger")
    stranger["spec"] |= {"serviceAccountName": "coredns", "nodeName": "node-of-here"}
    cluster.apply(stranger, "test")
    cluster.requests.clear()

    assert [item.name for item in login(cluster).pods(NAMESPACE, NAME, "node-of-here")] == ["here"]
    assert [request.query["fieldSelector"] for request in cluster.requests] == [
        "spec.serviceAccountName=aws-node,spec.nodeName=node-of-here"
    ]


def test_long_lists_come_page_by_page_and_whole(cluster: EmbeddedCluster) -> None:
    furnish(cluster)
    for number in range(501):
        cluster.apply(pod(f"p{number}"), "test")
    cluster.requests.clear()
    assert len(login(cluster).pods(NAMESPACE, NAME)) == 501
    assert [request.query["limit"] for request in cluster.requests] == ["250"] * 3


def test_a_list_whose_continuation_expires_begins_anew_once(cluster: EmbeddedCluster) -> None:
    furnish(cluster)
    for number in range(251):
        cluster.apply(pod(f"p{number}"), "test")
    cluster.faults.add(Fault(path="/pods", times=1))  # the first page passes as it is
    cluster.faults.add(Fault(path="/pods", expire_continue=True, times=1))
    cluster.requests.clear()
    seen = login(cluster).pods(NAMESPACE, NAME)
    assert len({item.uid for item in seen}) == len(seen) == 251
    assert [request.status for request in cluster.requests] == [200, 410, 200, 200]


def test_ready_nodes_cost_a_table_row_and_unwell_ones_are_read_whole(cluster: EmbeddedCluster) -> None:
    why = "container runtime network not ready: cni plugin not initialized"
    for number in range(20):
        cluster.apply(node(f"n{number}", "True"), "test")
    cluster.apply(node("sick", "False", message=why, **{"eks.amazonaws.com/nodegroup": "blue"}), "test")
    cluster.apply(node("lost", "Unknown", message="Kubelet stopped posting node status."), "test")
    cluster.requests.clear()

    seen = {item.name: item for item in login(cluster).nodes()}

    assert Counter(item.ready for item in seen.values()) == {True: 20, False: 1, None: 1}
    assert (seen["sick"].message, seen["sick"].nodegroup) == (why, "blue")
    assert (seen["sick"].pressures, seen["sick"].since) == (("DiskPressure",), datetime(2026, 1, 1, tzinfo=UTC))
    assert len(cluster.requests) == 3
    assert sum(request.response_bytes for request in cluster.requests) < 8_000


def test_many_unwell_nodes_are_read_in_one_list(cluster: EmbeddedCluster) -> None:
    for number in range(17):
        cluster.apply(node(f"n{number}", "False", message="m"), "test")
    cluster.requests.clear()
    assert [item.message for item in login(cluster).nodes()] == ["m"] * 17
    assert len(cluster.requests) == 2


def test_permission_errors_come_newest_first_with_the_call_that_was_refused(cluster: EmbeddedCluster) -> None:
    def event(name: str, reason: str, at: str, note: str) -> dict[str, object]:
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "eventTime": at,
            "type": "Warning",
            "reason": reason,
            "action": "DescribeSubnets",
            "note": note,
            "reportingController": "aws-node",
            "reportingInstance": "i",
            "regarding": {"kind": "Pod", "namespace": NAMESPACE, "name": f"pod-{name}"},
        }

    note = "Unauthorized operation: failed to call ec2:DescribeNetworkInterfaces due to missing permissions."
    cluster.apply(event("old", "MissingIAMPermissions", "2026-01-01T00:00:00.000000Z", note), "test")
    cluster.apply(event("new", "MissingIAMPermissions", "2026-01-01T00:05:00.000000Z", ""), "test")
    cluster.apply(event("other", "Killing", "2026-01-01T00:06:00.000000Z", note), "test")

    seen = login(cluster).plugin_errors(NAMESPACE)

    assert [(item.pod, item.call) for item in seen] == [("pod-new", "DescribeSubnets"), ("pod-old", "ec2:DescribeNetworkInterfaces")]


def test_the_owner_of_a_pod_is_itself_or_the_deployment_of_its_replica_set() -> None:
    with embedded(good_tokens=("token-1",)) as cluster:
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "ebs", "uid": "u", "controller": True}
        cluster.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {"name": "ebs-1", "namespace": NAMESPACE, "ownerReferences": [owner]},
                "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}}},
            },
            "test",
        )
        rules = [{"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get"]}]
        about = {"name": "more", "namespace": NAMESPACE}
        cluster.apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": about, "rules": rules}, "test")
        bound = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": about,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "more"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "us"}],
        }
        cluster.apply(bound, "test")
        client = login(cluster)
        assert client.owner(NAMESPACE, "ReplicaSet", "ebs-1") == (WorkloadKind.DEPLOYMENT, "ebs")
        assert client.owner(NAMESPACE, "ReplicaSet", "gone") is None
        assert client.owner(NAMESPACE, "DaemonSet", NAME) == (WorkloadKind.DAEMON_SET, NAME)
        assert client.owner(NAMESPACE, "Job", "j") is None
