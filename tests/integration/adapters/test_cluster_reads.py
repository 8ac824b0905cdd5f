"""Reads of the cluster adapter from a Kubernetes API server."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.snapshot.snapshot import Missing
from sandbox.cluster import pod_identity_agent
from sandbox.cluster.faults import Fault
from sandbox.cluster.resources import MUTATING_WEBHOOKS
from tests.integration.adapters.embedded_clusters import NAME, NAMESPACE, ROLE, apply_aws_node, embedded, login, node, pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.cluster.embedded_cluster import EmbeddedCluster


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with embedded() as it:
        yield it


def test_a_service_account_has_its_role_and_writers(cluster: EmbeddedCluster) -> None:
    apply_aws_node(cluster, role_arn=ROLE)
    facts = login(cluster).service_account(NAMESPACE, NAME)
    assert not isinstance(facts, Missing)
    assert dict(facts.role_annotations) == {ROLE_ANNOTATION: ROLE}
    assert [(writer.manager, writer.owns_annotation) for writer in facts.writers] == [("eks", True)]


def test_a_service_account_has_the_audience_of_its_tokens(cluster: EmbeddedCluster) -> None:
    apply_aws_node(cluster, role_arn=ROLE)
    usual = login(cluster).service_account(NAMESPACE, NAME)
    said = {"metadata": {"name": NAME, "namespace": NAMESPACE, "annotations": {"eks.amazonaws.com/audience": "vault"}}}
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", **said}, "someone")
    other = login(cluster).service_account(NAMESPACE, NAME)
    assert not isinstance(usual, Missing)
    assert not isinstance(other, Missing)
    assert (usual.audience, other.audience) == (None, "vault")


def test_misspelt_role_annotations_are_read_and_others_are_not(cluster: EmbeddedCluster) -> None:
    apply_aws_node(cluster)
    misspelt = {"eks.amazon.com/role-arn": "a", "eks.amazonaws.com/roleARN": "b", "eks.amazonaws.com/sts-regional-endpoints": "true"}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE, "annotations": misspelt}}
    cluster.apply(account, "someone")
    facts = login(cluster).service_account(NAMESPACE, NAME)
    assert not isinstance(facts, Missing)
    assert dict(facts.role_annotations) == {"eks.amazon.com/role-arn": "a", "eks.amazonaws.com/roleARN": "b"}


def test_an_object_that_does_not_exist_is_missing(cluster: EmbeddedCluster) -> None:
    client = login(cluster)
    assert client.service_account(NAMESPACE, NAME) == Missing("ServiceAccount kube-system/aws-node")
    assert client.workload(NAMESPACE, WorkloadKind.DAEMON_SET, NAME) == Missing("DaemonSet kube-system/aws-node")


def test_a_daemon_set_has_its_update_strategy(cluster: EmbeddedCluster) -> None:
    apply_aws_node(cluster)
    facts = login(cluster).workload(NAMESPACE, WorkloadKind.DAEMON_SET, NAME)
    assert not isinstance(facts, Missing)
    assert (facts.name, facts.desired, facts.max_unavailable, facts.on_delete, facts.restarted_at) == (
        NAME,
        0,
        1,
        False,
        None,
    )


def test_the_pods_of_a_service_account_are_those_that_run_under_it(cluster: EmbeddedCluster) -> None:
    apply_aws_node(cluster)
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "coredns", "namespace": NAMESPACE}}, "test")
    cluster.apply(pod("good", env={"AWS_ROLE_ARN": ROLE}), "test")
    cluster.apply(pod("stale"), "test")
    other = pod("other")
    other["spec"]["serviceAccountName"] = "coredns"
    cluster.apply(other, "test")

    facts = {item.name: item for item in login(cluster).pods(NAMESPACE, NAME)}

    assert {name: item.role_arn for name, item in facts.items()} == {"good": ROLE, "stale": None}
    assert (facts["good"].owner, facts["good"].node) == (("DaemonSet", NAME), "node-of-good")


def test_the_server_selects_the_pods_of_one_node(cluster: EmbeddedCluster) -> None:
    apply_aws_node(cluster)
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


def test_long_lists_are_read_in_pages(cluster: EmbeddedCluster) -> None:
    apply_aws_node(cluster)
    for number in range(501):
        cluster.apply(pod(f"p{number}"), "test")
    cluster.requests.clear()
    assert len(login(cluster).pods(NAMESPACE, NAME)) == 501
    assert [request.query["limit"] for request in cluster.requests] == ["250"] * 3


def test_a_list_with_an_expired_continuation_restarts_once(cluster: EmbeddedCluster) -> None:
    apply_aws_node(cluster)
    for number in range(251):
        cluster.apply(pod(f"p{number}"), "test")
    cluster.faults.add(Fault(path="/pods", times=1))  # the first page passes as it is
    cluster.faults.add(Fault(path="/pods", expire_continue=True, times=1))
    cluster.requests.clear()
    facts = login(cluster).pods(NAMESPACE, NAME)
    assert len({item.uid for item in facts}) == len(facts) == 251
    assert [request.status for request in cluster.requests] == [200, 410, 200, 200]


def test_ready_nodes_cost_a_table_row_and_unready_nodes_are_read_in_full(cluster: EmbeddedCluster) -> None:
    why = "container runtime network not ready: cni plugin not initialized"
    for number in range(20):
        cluster.apply(node(f"n{number}", "True"), "test")
    cluster.apply(node("sick", "False", message=why, **{"eks.amazonaws.com/nodegroup": "blue"}), "test")
    cluster.apply(node("lost", "Unknown", message="Kubelet stopped posting node status."), "test")
    cluster.requests.clear()

    facts = {item.name: item for item in login(cluster).nodes()}

    assert Counter(item.ready for item in facts.values()) == {True: 20, False: 1, None: 1}
    assert (facts["sick"].message, facts["sick"].nodegroup) == (why, "blue")
    assert (facts["sick"].pressures, facts["sick"].since) == (("DiskPressure",), datetime(2026, 1, 1, tzinfo=UTC))
    assert len(cluster.requests) == 3
    assert sum(request.response_bytes for request in cluster.requests) < 8_000


def test_many_unready_nodes_are_read_in_one_list(cluster: EmbeddedCluster) -> None:
    for number in range(17):
        cluster.apply(node(f"n{number}", "False", message="m"), "test")
    cluster.requests.clear()
    assert [item.message for item in login(cluster).nodes()] == ["m"] * 17
    assert len(cluster.requests) == 2


def test_the_types_of_nodes_are_found_by_their_labels(cluster: EmbeddedCluster) -> None:
    for name, labels in {
        "i-0a": {"eks.amazonaws.com/compute-type": "auto"},
        "fargate-b": {"eks.amazonaws.com/compute-type": "fargate"},
        "mi-c": {"eks.amazonaws.com/compute-type": "hybrid"},
        "win": {"kubernetes.io/os": "windows"},
        "plain": {"kubernetes.io/os": "linux"},
    }.items():
        cluster.apply(node(name, "True", **labels), "test")
    assert login(cluster).compute_types() == {"i-0a": "auto", "fargate-b": "fargate", "mi-c": "hybrid", "win": "windows"}


def test_the_pods_of_the_agent_are_found_by_their_label(cluster: EmbeddedCluster) -> None:
    template = pod_identity_agent.daemon_set()["spec"]["template"]
    for name, labels in (("agent", template["metadata"]["labels"]), ("other", {"app.kubernetes.io/name": "other"})):
        metadata = {"name": name, "namespace": "kube-system", "labels": labels}
        cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}, "eks")
    assert [pod.name for pod in login(cluster).agent_pods()] == ["agent"]


def test_permission_errors_are_sorted_newest_first_and_name_the_denied_call(cluster: EmbeddedCluster) -> None:
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

    facts = login(cluster).plugin_errors(NAMESPACE)

    assert [(item.pod, item.call) for item in facts] == [("pod-new", "DescribeSubnets"), ("pod-old", "ec2:DescribeNetworkInterfaces")]


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


def test_the_identity_webhook_is_found_by_its_name(cluster: EmbeddedCluster) -> None:
    assert not login(cluster).has_identity_webhook()
    cluster.store.create(MUTATING_WEBHOOKS, {"metadata": {"name": "another-webhook"}, "webhooks": []})
    assert not login(cluster).has_identity_webhook()
    cluster.store.create(MUTATING_WEBHOOKS, {"metadata": {"name": "pod-identity-webhook"}, "webhooks": []})
    assert login(cluster).has_identity_webhook()


def test_an_api_server_without_admission_policies_has_no_guard(cluster: EmbeddedCluster) -> None:
    assert login(cluster).guards(NAMESPACE, NAME) == ()
