"""Kubernetes JSON to facts: rounding, conditions, environments, times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.adapters import kubernetes_objects
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.diagnosis.pod_credentials import CredentialSource, credential_source
from lambdas.domain.snapshot.snapshot import ContainerFacts
from tests.integration.adapters.embedded_clusters import NAME, ROLE, node, pod

AT = "2026-01-01T00:00:00Z"


def stored(item: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """As a server gives it back."""
    return {**item, "metadata": {**item["metadata"], "uid": "u", "creationTimestamp": AT, **metadata}}


def test_a_pod_has_its_role_and_termination_message() -> None:
    status = {
        "name": NAME,
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": "UnauthorizedOperation " + "x" * 500}},
    }
    conditions = [{"type": "Ready", "status": "True"}]
    (facts,) = kubernetes_objects.pods(
        {"items": [stored(pod("p", env={"AWS_ROLE_ARN": ROLE}, conditions=conditions, containerStatuses=[status]))]}
    )
    assert (facts.role_arn, facts.container_credentials, facts.ready) == (ROLE, False, True)
    assert (facts.waiting, len(facts.termination_message), facts.deleting) == ("CrashLoopBackOff", 400, False)
    assert facts.created_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_pod_without_status_is_not_ready_and_has_no_role() -> None:
    bare = stored(pod("p"))
    del bare["status"]
    (facts,) = kubernetes_objects.pods({"items": [bare]})
    assert (facts.role_arn, facts.ready, facts.waiting, facts.termination_message) == (None, False, "", "")


def test_a_terminating_pod_is_marked_and_finished_pods_are_omitted() -> None:
    going = stored(pod("p"), deletionTimestamp=AT)
    ended = [stored(pod("e", phase=phase)) for phase in ("Succeeded", "Failed")]
    assert [(item.name, item.deleting) for item in kubernetes_objects.pods({"items": [going, *ended]})] == [("p", True)]


@pytest.mark.parametrize("compute_type", ["", "auto", "hybrid"])
def test_a_node_has_its_compute_type(compute_type: str) -> None:
    labels = {"eks.amazonaws.com/compute-type": compute_type} if compute_type else {}
    assert kubernetes_objects.node(stored(node("n", "False"), labels=labels)).compute_type == compute_type


AGENT = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token",
}
WEB_IDENTITY = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"}
SOURCES = {
    "the agent": (AGENT, CredentialSource.ASSOCIATION),
    "the agent over IPv6": (
        {**AGENT, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[fd00:ec2::23]/v1/credentials"},
        CredentialSource.ASSOCIATION,
    ),
    "no token for the agent": (
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": AGENT["AWS_CONTAINER_CREDENTIALS_FULL_URI"]},
        CredentialSource.NODE_ROLE,
    ),
    "another provider": ({**AGENT, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:8080/credentials"}, CredentialSource.NODE_ROLE),
    "web identity": (WEB_IDENTITY, CredentialSource.WEB_IDENTITY),
    "both": (AGENT | WEB_IDENTITY, CredentialSource.WEB_IDENTITY),
    "a role without a token file beside the agent": (AGENT | {"AWS_ROLE_ARN": ROLE}, CredentialSource.ASSOCIATION),
    "access keys beside both": (AGENT | WEB_IDENTITY | {"AWS_ACCESS_KEY_ID": "AKIA"}, CredentialSource.STATIC_KEYS),
    "nothing": ({}, CredentialSource.NODE_ROLE),
}


@pytest.mark.parametrize(("environment", "source"), SOURCES.values(), ids=SOURCES)
def test_the_environment_decides_which_credentials_a_pod_uses(environment: dict[str, str], source: CredentialSource) -> None:
    (facts,) = kubernetes_objects.pods({"items": [stored(pod("p", env=environment))]})
    assert credential_source(facts) is source


@pytest.mark.parametrize(
    ("kind", "said", "desired", "resolved"),
    [
        (WorkloadKind.DAEMON_SET, "10%", 12, 2),  # up
        (WorkloadKind.DAEMON_SET, "10%", 10, 1),
        (WorkloadKind.DAEMON_SET, 0, 10, 1),
        (WorkloadKind.DAEMON_SET, None, 10, 1),
        (WorkloadKind.DEPLOYMENT, "25%", 7, 1),  # down
        (WorkloadKind.DEPLOYMENT, None, 9, 2),
        (WorkloadKind.DEPLOYMENT, "25%", 2, 1),
        (WorkloadKind.DEPLOYMENT, 3, 9, 3),
        (WorkloadKind.STATEFUL_SET, "34%", 8, 2),
        (WorkloadKind.STATEFUL_SET, None, 8, 1),
    ],
)
def test_max_unavailable_is_resolved_as_the_controllers_do(kind: WorkloadKind, said: object, desired: int, resolved: int) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {} if said is None else {"maxUnavailable": said}}
    item = workload_of(kind, strategy, desired)
    assert kubernetes_objects.workload(kind, item).max_unavailable == resolved


@pytest.mark.parametrize("kind", list(WorkloadKind))
@pytest.mark.parametrize(
    ("status", "missing"),
    [
        ({"observedGeneration": 3, "ready": 8, "updated": 8}, 0),
        ({"observedGeneration": 3, "ready": 6, "updated": 8}, 2),
        ({"observedGeneration": 3, "ready": 7, "updated": 2}, 7),
        ({"observedGeneration": 2, "ready": 8, "updated": 8}, 8),
        ({"observedGeneration": 3, "ready": 9, "updated": 9}, 0),
    ],
    ids=["complete", "not ready", "in progress", "not begun", "more than wanted"],
)
def test_the_steps_that_a_rollout_has_left_are_counted(kind: WorkloadKind, status: dict[str, int], missing: int) -> None:
    item = workload_of(kind, {}, 8)
    ready, updated = status["ready"], status["updated"]
    item["status"] |= {"observedGeneration": status["observedGeneration"], "numberReady": ready, "readyReplicas": ready}
    item["status"] |= {"updatedNumberScheduled": updated, "updatedReplicas": updated}
    assert kubernetes_objects.workload(kind, item).missing == missing


def workload_of(kind: WorkloadKind, strategy: dict[str, Any], desired: int) -> dict[str, Any]:
    field = "strategy" if kind is WorkloadKind.DEPLOYMENT else "updateStrategy"
    return {
        "metadata": {"name": "w", "generation": 3},
        "spec": {"replicas": desired, field: strategy, "template": {"metadata": {"annotations": None}}},
        "status": {
            "desiredNumberScheduled": desired,
            "numberReady": 1,
            "readyReplicas": 1,
            "updatedNumberScheduled": desired,
            "updatedReplicas": desired,
            "observedGeneration": 2,
        },
    }


def test_a_workload_has_its_images_and_only_the_variables_that_decide_its_calls() -> None:
    item = workload_of(WorkloadKind.DAEMON_SET, {}, 3)
    variables = [{"name": "ENABLE_SUBNET_DISCOVERY", "value": "false"}, {"name": "PASSWORD", "value": "secret"}]
    item["spec"]["template"]["spec"] = {"containers": [{"name": "aws-node", "image": "cni:v1.20.1", "env": variables}, {"name": "agent"}]}
    assert kubernetes_objects.workload(WorkloadKind.DAEMON_SET, item).containers == (
        ContainerFacts(name="aws-node", image="cni:v1.20.1", environment={"ENABLE_SUBNET_DISCOVERY": "false"}),
        ContainerFacts(name="agent", image="", environment={}),
    )


def test_a_workload_is_rolled_out_only_if_its_controller_observed_the_template() -> None:
    for kind in WorkloadKind:
        item = workload_of(kind, {"type": "OnDelete"}, 4)
        facts = kubernetes_objects.workload(kind, item)
        assert (facts.desired, facts.updated, facts.on_delete, facts.is_rolled_out) == (4, 4, True, False)
        item["status"]["observedGeneration"] = 3
        assert kubernetes_objects.workload(kind, item).is_rolled_out


def test_recreate_allows_every_pod_to_be_unavailable() -> None:
    assert (
        kubernetes_objects.workload(WorkloadKind.DEPLOYMENT, workload_of(WorkloadKind.DEPLOYMENT, {"type": "Recreate"}, 6)).max_unavailable
        == 6
    )


def test_a_node_with_the_shutdown_taint_is_shut_down() -> None:
    item = node("n", "Unknown")
    assert not kubernetes_objects.node(item).shut_down
    item["spec"]["taints"] = [{"key": "node.cloudprovider.kubernetes.io/shutdown", "effect": "NoSchedule"}]
    assert kubernetes_objects.node(item).shut_down
    assert kubernetes_objects.node(item).ready is None


def test_conditions_of_the_node_monitoring_agent_report_a_fault_when_false() -> None:
    item = node("n", "True")
    item["status"]["conditions"] += [{"type": "NetworkingReady", "status": "False"}, {"type": "KernelReady", "status": "True"}]
    found = kubernetes_objects.node(item)
    assert (found.pressures, found.is_monitored) == (("DiskPressure", "NetworkingReady"), True)


def test_a_table_is_read_by_its_column_names() -> None:
    table = {
        "columnDefinitions": [{"name": "Status"}, {"name": "Name"}, {"name": "OS-Image"}],
        "rows": [
            {"cells": ["Ready,SchedulingDisabled", "a", "Windows Server 2022 Datacenter"]},
            {"cells": ["NotReady", "b", "Amazon Linux 2023"]},
            {"cells": ["Unknown", "c", "Bottlerocket"]},
        ],
    }
    assert [(item.name, item.ready, item.os) for item in kubernetes_objects.nodes_in_table(table)] == [
        ("a", True, "windows"),
        ("b", False, "linux"),
        ("c", None, "linux"),
    ]


@pytest.mark.parametrize(
    ("times", "at"),
    [
        ({"series": {"lastObservedTime": "2026-01-01T00:00:03.123456Z"}, "eventTime": AT}, datetime(2026, 1, 1, 0, 0, 3, 123456, UTC)),
        ({"eventTime": None, "deprecatedLastTimestamp": "2026-01-01T00:00:02Z"}, datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC)),
        ({"eventTime": None}, datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_event_has_the_time_of_its_last_observation(times: dict[str, Any], at: datetime) -> None:
    event = {"metadata": {"creationTimestamp": AT}, "note": "failed to call ec2:CreateTags due to", "regarding": {"name": "p"}, **times}
    assert kubernetes_objects.plugin_error(event) == kubernetes_objects.PluginError(call="ec2:CreateTags", pod="p", at=at)


def container(name: str, *, ready: bool = False, state: dict[str, Any] | None = None, last: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": 0, "state": state or {}, "lastState": {"terminated": last} if last else {}}


RUNNING = {"running": {"startedAt": AT}}
CRASHED = {"exitCode": 2, "reason": "Error"}
KILLED = {"exitCode": 137, "reason": "OOMKilled"}
DONE = {"terminated": {"exitCode": 0, "reason": "Completed"}}


def waits(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason}}


@pytest.mark.parametrize(
    ("init", "containers", "expected"),
    [
        (
            [container("init", ready=True, state=DONE)],
            [container("aws-node", state=RUNNING, last=CRASHED), container("agent", ready=True, state=RUNNING)],
            ("aws-node", "", "Error, exit code 2", True),
        ),
        (
            [],
            [
                container("agent", ready=True, state=RUNNING, last={"exitCode": 137, "reason": "OOMKilled"}),
                container("aws-node", last=CRASHED),
            ],
            ("aws-node", "", "Error, exit code 2", True),
        ),
        (
            [],
            [container("aws-node", state=waits("CrashLoopBackOff"), last=CRASHED), container("agent", state=waits("ErrImagePull"))],
            ("aws-node", "CrashLoopBackOff", "Error, exit code 2", True),
        ),
        (
            [container("init", state=waits("CrashLoopBackOff"), last=CRASHED)],
            [container("aws-node", state=waits("PodInitializing")), container("agent", state=waits("PodInitializing"))],
            ("init", "CrashLoopBackOff", "Error, exit code 2", False),
        ),
        ([], [container("aws-node", state=waits("ImagePullBackOff"))], ("aws-node", "ImagePullBackOff", "", False)),
        ([], [container("aws-node", state=waits("ContainerCreating"))], ("", "ContainerCreating", "", False)),
        ([], [container("aws-node", state=RUNNING)], ("", "", "", True)),
        ([], [container("aws-node", last={"exitCode": "2"})], ("", "", "", True)),
        ([], [], ("", "", "", False)),
    ],
    ids=["after a restart", "not the ready one", "two fail", "init", "no image", "creating", "runs", "exit code of another type", "none"],
)
def test_a_pod_names_the_container_that_fails(
    init: list[dict[str, Any]], containers: list[dict[str, Any]], expected: tuple[str, str, str, bool]
) -> None:
    (facts,) = kubernetes_objects.pods({"items": [stored(pod("p", initContainerStatuses=init, containerStatuses=containers))]})
    assert (facts.failing_container, facts.waiting, facts.termination_message, facts.has_run) == expected


def failed_create(kind: str, name: str, note: str = "no quota", **times: Any) -> dict[str, Any]:
    return {"metadata": {"name": f"{name}.17f", "creationTimestamp": AT}, "regarding": {"kind": kind, "name": name}, "note": note, **times}


@pytest.mark.parametrize(
    ("kind", "name", "is_ours"),
    [
        ("DaemonSet", "aws-node", True),
        ("DaemonSet", "aws-node-termination-handler", False),
        ("ReplicaSet", "aws-node-5d8f6c7b9", True),
        ("ReplicaSet", "aws-node-termination-handler-5d8f6c7b9", False),
        ("ReplicaSet", "aws-node", False),
        ("StatefulSet", "aws-node-1", False),
    ],
)
def test_a_creation_error_belongs_to_the_workload_of_its_name_alone(kind: str, name: str, is_ours: bool) -> None:
    found = kubernetes_objects.controller_errors([failed_create(kind, name)], "aws-node")
    assert [error.message for error in found] == (["no quota"] if is_ours else [])


def test_a_creation_error_is_cut_and_has_the_time_of_its_last_occurrence() -> None:
    last = "2026-01-01T00:07:00Z"
    items = [
        failed_create("DaemonSet", "aws-node", "x" * 1_000, deprecatedLastTimestamp=last),
        failed_create("DaemonSet", "aws-node", series={"count": 3, "lastObservedTime": last}, eventTime=AT),
        failed_create("DaemonSet", "aws-node", eventTime=None),
    ]
    found = kubernetes_objects.controller_errors(items, "aws-node")
    assert [error.at.minute for error in found] == [7, 7, 0]
    assert len(found[0].message) == 400
