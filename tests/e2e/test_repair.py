"""A lost role and its repair, act by act, on a hundred nodes with the identity webhook in the API server's path."""

import pytest

from lambdas.adapters.cluster import Cluster
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.snapshot.snapshot import Missing
from sandbox.control_plane.api_client import ApiClient
from sandbox.webhook.identity_webhook import IdentityWebhook
from tests.e2e import aws_node
from tests.waiting import eventually

AWS_NODE = ("kube-system", "aws-node")
NODES = aws_node.names(100)
AT = "2026-01-02T03:04:05Z"


@pytest.fixture(scope="module")
def node_names() -> tuple[str, ...]:
    return NODES


def _annotate(port: Cluster) -> None:
    account = port.service_account(*AWS_NODE)
    assert not isinstance(account, Missing)
    port.apply_annotation(*AWS_NODE, aws_node.ROLE, account.resource_version)


def _stale(port: Cluster) -> list[tuple[str, str]]:
    """Name and uid of pods without the role, as the adapter sees them."""
    return [(pod.name, pod.uid) for pod in port.pods(*AWS_NODE) if pod.role_arn != aws_node.ROLE and not pod.deleting]


def _all_well(admin: ApiClient, wanted: int = len(NODES)) -> None:
    aws_node.wait_for_roll_out(admin, wanted, within_s=120)
    assert set(aws_node.roles(admin)) == {aws_node.ROLE}


def test_annotation_and_restart_make_every_pod_and_node_ready(broken: ApiClient, remediator: Cluster) -> None:
    assert len(_stale(remediator)) == len(NODES)
    _annotate(remediator)
    remediator.restart("kube-system", WorkloadKind.DAEMON_SET, "aws-node", AT)
    _all_well(broken)
    assert _stale(remediator) == []
    eventually(lambda: [node.name for node in remediator.nodes() if not node.ready], lambda unready: not unready)


def test_permission_errors_of_pods_are_read(broken: ApiClient, remediator: Cluster) -> None:
    errors = eventually(lambda: remediator.plugin_errors("kube-system"), lambda found: len(found) >= len(NODES), within_s=30)
    assert "ec2:DescribeNetworkInterfaces" in str(errors[0])


def test_a_batch_of_stale_pods_is_within_max_unavailable(broken: ApiClient, remediator: Cluster) -> None:
    _annotate(remediator)
    waves = 0
    while stale := _stale(remediator):
        for name, uid in stale[:10]:
            assert remediator.delete_pod("kube-system", name, uid)
        left = len(stale) - len(stale[:10])
        eventually(lambda left=left: len(_stale(remediator)), lambda found, left=left: found <= left)  # type: ignore[misc]
        eventually(lambda: len(aws_node.pods(broken)), lambda count: count == len(NODES))
        waves += 1
    assert waves == 10
    _all_well(broken)


def test_only_the_pod_that_the_webhook_missed_is_replaced(broken: ApiClient, remediator: Cluster, webhook: IdentityWebhook) -> None:
    _annotate(remediator)
    webhook.faults.miss_next = 1
    remediator.restart("kube-system", WorkloadKind.DAEMON_SET, "aws-node", AT)
    eventually(lambda: broken.get(aws_node.DAEMON_SET)["status"], _all_but_one, within_s=120)
    before = {pod["metadata"]["uid"] for pod in eventually(lambda: aws_node.pods(broken), lambda pods: len(pods) == len(NODES))}
    missed = _stale(remediator)
    assert len(missed) == 1
    assert remediator.delete_pod("kube-system", *missed[0])
    _all_well(broken)
    after = {pod["metadata"]["uid"] for pod in aws_node.pods(broken)}
    assert before - after == {missed[0][1]}


def _all_but_one(status: dict[str, int]) -> bool:
    return (status.get("updatedNumberScheduled"), status.get("numberAvailable")) == (len(NODES), len(NODES) - 1)


def test_pods_are_admitted_without_a_role_while_the_webhook_is_down(
    broken: ApiClient, remediator: Cluster, webhook: IdentityWebhook
) -> None:
    _annotate(remediator)
    webhook.faults.outage = True
    name, uid = _stale(remediator)[0]
    remediator.delete_pod("kube-system", name, uid)
    eventually(lambda: aws_node.pods(broken), lambda pods: len(pods) == len(NODES) and uid not in {pod["metadata"]["uid"] for pod in pods})
    assert len(_stale(remediator)) == len(NODES)


def test_joining_and_leaving_nodes_do_not_stop_the_repair(broken: ApiClient, remediator: Cluster) -> None:
    _annotate(remediator)
    remediator.restart("kube-system", WorkloadKind.DAEMON_SET, "aws-node", AT)
    broken.delete("/api/v1/nodes/node-000")
    aws_node.add_nodes(broken, ["newcomer"])
    aws_node.wait_for_roll_out(broken, len(NODES), within_s=120)
    orphans = [pod for pod in aws_node.pods(broken) if aws_node.role(pod) is None]
    assert {pod["spec"]["nodeName"] for pod in orphans} <= {"node-000"}, "a node's pod outlives it until the garbage collector comes by"
    eventually(lambda: _stale(remediator), lambda stale: not stale, within_s=90)
    eventually(lambda: aws_node.ready_nodes(broken), lambda ready: ready == {*NODES, "newcomer"} - {"node-000"})
    broken.delete("/api/v1/nodes/newcomer")
    aws_node.add_nodes(broken, ["node-000"])
