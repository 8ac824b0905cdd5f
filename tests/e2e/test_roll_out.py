"""The real DaemonSet controller: a restart on a hundred nodes."""

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.control_plane.api_client import ApiClient
from tests.e2e import aws_node
from tests.waiting import eventually

NODES = aws_node.names(100)
WITH_ROLE = {"AWS_ROLE_ARN": aws_node.ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"}


@pytest.fixture(scope="module")
def node_names() -> tuple[str, ...]:
    return NODES


@pytest.fixture
def admin(admin: ApiClient, nodes: tuple[str, ...]) -> Iterator[ApiClient]:
    """A cluster of a hundred Ready nodes with a healthy aws-node."""
    missing = set(NODES) - {node["metadata"]["name"] for node in admin.get("/api/v1/nodes")["items"]}
    aws_node.add_nodes(admin, missing)
    admin.create(aws_node.SERVICE_ACCOUNTS, aws_node.service_account())
    admin.create(aws_node.DAEMON_SETS, aws_node.daemon_set(env=WITH_ROLE))
    aws_node.wait_for_roll_out(admin, len(NODES))
    eventually(lambda: aws_node.ready_nodes(admin), lambda ready: ready == set(NODES))
    yield admin
    admin.delete(aws_node.DAEMON_SET)
    admin.delete(aws_node.SERVICE_ACCOUNT)
    aws_node.forget_pods(admin)
    eventually(lambda: aws_node.pods(admin), lambda left: not left, within_s=60)


def test_a_restart_replaces_every_pod(admin: ApiClient) -> None:
    before = {pod["metadata"]["uid"] for pod in aws_node.pods(admin)}
    aws_node.restart(admin, at="2026-01-02T03:04:05Z")
    aws_node.wait_for_roll_out(admin, len(NODES))
    after = aws_node.pods(admin)
    assert before.isdisjoint(pod["metadata"]["uid"] for pod in after)
    assert {pod["metadata"]["annotations"][aws_node.RESTARTED_AT] for pod in after} == {"2026-01-02T03:04:05Z"}


def test_a_restart_replaces_a_tenth_of_the_pods_at_a_time(admin: ApiClient) -> None:
    """A rollout may exceed it by chance; the contract test of rollouts says why."""
    restarts = [f"2026-01-02T03:0{number}:05Z" for number in range(4)]
    assert any(0 < _most_missing(admin, at) <= len(NODES) // 10 for at in restarts)


def _most_missing(admin: ApiClient, at: str) -> int:
    missing = []

    def look() -> dict[str, Any]:
        daemon: dict[str, Any] = admin.get(aws_node.DAEMON_SET)
        missing.append(daemon["status"].get("numberUnavailable", 0))
        return daemon

    aws_node.restart(admin, at)
    eventually(look, aws_node.is_rolled_out, within_s=60)
    return max(missing)


def test_a_repeated_restart_restarts_nothing(admin: ApiClient) -> None:
    aws_node.restart(admin, at="2026-01-02T03:04:05Z")
    once = aws_node.wait_for_roll_out(admin, len(NODES))
    aws_node.restart(admin, at="2026-01-02T03:04:05Z")
    twice = admin.get(aws_node.DAEMON_SET)
    assert twice["metadata"]["generation"] == once["metadata"]["generation"]
    assert twice["metadata"]["resourceVersion"] == once["metadata"]["resourceVersion"]


def test_pods_without_the_role_stop_the_rollout_at_a_tenth(admin: ApiClient) -> None:
    assert any(_stops_at(admin) == len(NODES) // 10 for _ in range(4))
    events = eventually(
        lambda: admin.get("/apis/events.k8s.io/v1/namespaces/kube-system/events", fieldSelector="reason=MissingIAMPermissions")["items"],
        lambda seen: len(seen) >= 10,
    )
    assert {event["regarding"]["kind"] for event in events} == {"Pod"}
    assert "ec2:DescribeNetworkInterfaces" in events[0]["note"]
    assert aws_node.ready_nodes(admin) == set(NODES), "a node keeps the network that its first plug-in set up"


def _stops_at(admin: ApiClient) -> int:
    """The number of pods that a rollout without the role replaces before it stops."""
    admin.merge(aws_node.DAEMON_SET, {"spec": {"template": {"spec": {"containers": aws_node.containers(WITH_ROLE)}}}})
    aws_node.wait_for_roll_out(admin, len(NODES))
    admin.merge(aws_node.DAEMON_SET, {"spec": {"template": {"spec": {"containers": aws_node.containers()}}}})

    def stopped(status: dict[str, int]) -> bool:
        return status.get("numberUnavailable", 0) == status.get("updatedNumberScheduled", 0) >= len(NODES) // 10

    return eventually(lambda: admin.get(aws_node.DAEMON_SET)["status"], stopped, within_s=60)["numberUnavailable"]


def test_a_new_node_becomes_ready_when_its_plugin_has_the_role(admin: ApiClient) -> None:
    admin.merge(aws_node.DAEMON_SET, {"spec": {"template": {"spec": {"containers": aws_node.containers()}}}})
    aws_node.add_nodes(admin, ["newcomer"])

    def ready() -> dict[str, str]:
        conditions = admin.get("/api/v1/nodes/newcomer")["status"].get("conditions", ())
        return next((condition for condition in conditions if condition["type"] == "Ready"), {})

    condition = eventually(ready, lambda item: item.get("reason") == "KubeletNotReady")
    assert "cni plugin not initialized" in condition["message"]
    eventually(lambda: [p for p in aws_node.pods(admin) if p["spec"].get("nodeName") == "newcomer"], lambda found: len(found) == 1)
    assert ready()["status"] == "False"
    admin.merge(
        aws_node.DAEMON_SET,
        {"spec": {"template": {"spec": {"containers": aws_node.containers(WITH_ROLE)}}}},
    )
    eventually(ready, lambda item: item["status"] == "True", within_s=60)
    admin.delete("/api/v1/nodes/newcomer")


def test_a_leaving_node_does_not_stop_a_rollout(admin: ApiClient) -> None:
    aws_node.restart(admin, at="2026-01-02T03:04:05Z")
    admin.delete("/api/v1/nodes/node-099")
    aws_node.wait_for_roll_out(admin, len(NODES) - 1)
