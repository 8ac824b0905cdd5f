"""The incident in the embedded cluster: the role is removed, the plug-in fails, new nodes stay NotReady, and the repair restores them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lambdas.domain.diagnosis.node_log import explain
from sandbox.cluster import aws_node, pod_identity_agent
from sandbox.cluster.bootstrap import bootstrap
from sandbox.cluster.manifests import CNI_MISSING, deployment, node, service_account, stateful_set
from sandbox.cluster.object_store import ObjectStore
from sandbox.cluster.pod_admission import pod_admission
from sandbox.cluster.resources import (
    CORE_EVENTS,
    DAEMON_SETS,
    DEPLOYMENTS,
    EVENTS,
    NODES,
    PODS,
    REPLICA_SETS,
    SERVICE_ACCOUNTS,
    STATEFUL_SETS,
    Resource,
    resource_of,
)
from sandbox.cluster.tables import pod_status
from sandbox.controllers.cluster_snapshot import is_ready
from sandbox.controllers.controller_manager import ControllerManager
from sandbox.controllers.kubelet import Timings
from sandbox.controllers.node_files import IPAMD_LOG
from sandbox.controllers.vpc_cni import AGENT_REFUSES, NO_AGENT, Allowed, Denied, NoCredentials, sts_refuses
from sandbox.webhook.identity_webhook import IdentityWebhook
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = "arn:aws:iam::111122223333:role/demo-vpc-cni"
TIMINGS = Timings(pod_start_s=0.03, pod_stop_s=0.01, plugin_run_s=0.05, back_off_s=0.1, longest_back_off_s=0.4, node_lost_s=0.05)


def _verdict(role: str | None) -> Allowed | Denied:
    return Allowed() if role == ROLE else Denied("DescribeNetworkInterfaces")


@pytest.fixture
def store() -> ObjectStore:
    """Twelve nodes' worth of a cluster whose plug-in has its role by annotation."""
    made = ObjectStore()
    bootstrap(made)
    webhook = IdentityWebhook(lambda namespace, name: made.get(SERVICE_ACCOUNTS, name, namespace)["metadata"].get("annotations") or {})
    made.admission[PODS] = pod_admission(made, webhook.admit)
    for manifest in (aws_node.service_account(role_arn=ROLE), aws_node.daemon_set()):
        made.apply(resource_of(manifest), manifest, by="eks")
    return made


@pytest.fixture
def life(store: ObjectStore) -> Iterator[ControllerManager]:
    with ControllerManager(store, role_can_run_cni=_verdict, timings=TIMINGS) as made:
        yield made
        assert made.failure is None


@pytest.fixture
def names(life: ControllerManager) -> list[str]:
    """The names of twelve nodes that are Ready."""
    joined = life.join_nodes(12)
    eventually(lambda: life.ready_nodes() == (12, 12))
    return joined


def _daemon_set(store: ObjectStore) -> dict[str, Any]:
    return store.get(DAEMON_SETS, "aws-node", "kube-system")


def _settled(store: ObjectStore) -> bool:
    obj = _daemon_set(store)
    status, wanted = obj["status"], obj["status"]["desiredNumberScheduled"]
    counts = (status.get("updatedNumberScheduled"), status.get("numberAvailable"))
    return bool(status.get("observedGeneration") == obj["metadata"]["generation"] and wanted and counts == (wanted, wanted))


def _restart(store: ObjectStore, when: str) -> None:
    template = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": when}}}
    store.patch(DAEMON_SETS, "aws-node", "kube-system", patch={"spec": {"template": template}})


def _pods(store: ObjectStore) -> list[dict[str, Any]]:
    return store.list(PODS, "kube-system", labels="k8s-app=aws-node")


def _role(pod: dict[str, Any]) -> str | None:
    return next((each["value"] for each in pod["spec"]["containers"][0]["env"] if each["name"] == "AWS_ROLE_ARN"), None)


def _ready(store: ObjectStore, name: str) -> dict[str, Any]:
    conditions = store.get(NODES, name)["status"]["conditions"]
    return next(each for each in conditions if each["type"] == "Ready")


def test_nodes_become_ready_with_their_plugin_and_lose_the_taint(store: ObjectStore, names: list[str]) -> None:
    eventually(lambda: not any(each["spec"].get("taints") for each in store.list(NODES)))
    assert {_role(pod) for pod in _pods(store)} == {ROLE}
    assert {each["type"] for each in store.get(NODES, names[0])["status"]["conditions"]} == {
        "MemoryPressure",
        "DiskPressure",
        "PIDPressure",
        "Ready",
    }


def test_a_role_that_eks_no_longer_applies_is_removed(store: ObjectStore) -> None:
    store.apply(SERVICE_ACCOUNTS, aws_node.service_account(), by="eks")
    assert "annotations" not in store.get(SERVICE_ACCOUNTS, "aws-node", "kube-system")["metadata"]


def test_a_role_that_another_manager_set_survives_eks(store: ObjectStore) -> None:
    store.apply(SERVICE_ACCOUNTS, aws_node.service_account(), by="eks")
    change = {"metadata": {"annotations": {aws_node.ROLE_KEY: ROLE}}}
    store.patch(SERVICE_ACCOUNTS, "aws-node", "kube-system", patch=change, by="remediator")
    store.apply(SERVICE_ACCOUNTS, aws_node.service_account(version="v1.15.3"), by="eks")
    assert store.get(SERVICE_ACCOUNTS, "aws-node", "kube-system")["metadata"]["annotations"] == {aws_node.ROLE_KEY: ROLE}


def test_without_the_role_a_new_node_waits_for_its_cni(store: ObjectStore, life: ControllerManager, names: list[str]) -> None:
    store.apply(SERVICE_ACCOUNTS, aws_node.service_account(), by="eks")
    (name,) = life.join_nodes(1)

    def crashed() -> list[dict[str, Any]]:
        here = store.list(PODS, fields=f"spec.nodeName={name}")
        return [pod for pod in here if any(each["restartCount"] >= 2 for each in pod["status"].get("containerStatuses") or ())]

    (pod,) = eventually(crashed)
    ready = _ready(store, name)
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", "KubeletNotReady", CNI_MISSING)
    assert store.get(NODES, name)["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]
    by_name = {each["name"]: each for each in pod["status"]["containerStatuses"]}
    assert not by_name["aws-node"]["ready"]
    assert by_name["aws-eks-nodeagent"]["ready"]
    assert pod["status"]["phase"] == "Running"
    assert life.ready_nodes() == (12, 13)


def test_the_plugin_emits_an_event_about_its_own_pod(store: ObjectStore, life: ControllerManager) -> None:
    store.apply(SERVICE_ACCOUNTS, aws_node.service_account(), by="eks")
    life.join_nodes(1)
    event = eventually(lambda: store.list(EVENTS, "kube-system", fields="reason=MissingIAMPermissions"))[0]
    pod = store.get(PODS, event["regarding"]["name"], "kube-system")
    assert event["regarding"]["uid"] == pod["metadata"]["uid"]
    assert (event["type"], event["action"], event["reportingController"]) == ("Warning", "DescribeNetworkInterfaces", "aws-node")
    assert event["note"].startswith("Unauthorized operation: failed to call DescribeNetworkInterfaces due to missing permissions.")


def test_a_failing_container_has_the_status_that_kubectl_shows(store: ObjectStore, life: ControllerManager) -> None:
    store.apply(SERVICE_ACCOUNTS, aws_node.service_account(), by="eks")
    life.join_nodes(1)
    eventually(lambda: "CrashLoopBackOff" in [pod_status(pod) for pod in _pods(store)])


def _plugin(pod: dict[str, Any]) -> dict[str, Any]:
    return next((each for each in pod["status"].get("containerStatuses", ()) if each["name"] == "aws-node"), {})


def _exited(store: ObjectStore) -> dict[str, Any] | None:
    return next((pod for pod in _pods(store) if "terminated" in _plugin(pod).get("lastState", {})), None)


def test_a_failing_plugin_exits_with_code_2_and_without_a_message(store: ObjectStore, life: ControllerManager) -> None:
    store.apply(SERVICE_ACCOUNTS, aws_node.service_account(), by="eks")
    life.join_nodes(1)
    first = eventually(lambda: _exited(store))
    assert {"exitCode": 2, "reason": "Error"}.items() <= _plugin(first)["lastState"]["terminated"].items()
    assert "message" not in _plugin(first)["lastState"]["terminated"]
    assert life.ready_nodes() == (0, 1)


def test_the_log_of_the_plugin_is_a_file_on_its_node_alone(store: ObjectStore) -> None:
    """STS refuses the role: no event, no termination message, and the error code in the file."""
    with ControllerManager(store, role_can_run_cni=lambda _: sts_refuses("ExpiredTokenException"), timings=TIMINGS) as life:
        (name,) = life.join_nodes(1)
        pod = eventually(lambda: _exited(store))
        log = life.files.read(name, IPAMD_LOG)
        assert store.list(EVENTS, "kube-system") == []
        assert "ExpiredToken" not in str(pod)
        assert [finding.cause.id for finding in explain(log.splitlines()).findings if finding.cause.decisive] == ["identity-token-expired"]
        life.remove_node(name)
        assert life.files.read(name, IPAMD_LOG) == ""


def test_a_release_before_1_13_exits_at_once_and_its_node_becomes_ready(store: ObjectStore) -> None:
    store.apply(DAEMON_SETS, aws_node.daemon_set(version="v1.12.6"), by="eks")
    with ControllerManager(store, role_can_run_cni=lambda _: sts_refuses("AccessDenied"), timings=TIMINGS) as life:
        life.join_nodes(1)
        eventually(lambda: life.ready_nodes() == (1, 1))
        assert _plugin(eventually(lambda: _exited(store)))["lastState"]["terminated"]["exitCode"] == 1


def test_the_first_restart_follows_at_once_and_the_next_ones_back_off(store: ObjectStore, life: ControllerManager) -> None:
    store.apply(SERVICE_ACCOUNTS, aws_node.service_account(), by="eks")
    life.join_nodes(1)

    def waiting() -> dict[str, Any] | None:
        return next((pod for pod in _pods(store) if "CrashLoopBackOff" in str(_plugin(pod).get("state"))), None)

    backing_off = eventually(waiting)
    assert _plugin(backing_off)["restartCount"] >= 1, "the first restart was not delayed"
    assert _plugin(backing_off)["lastState"]["terminated"]["exitCode"] == 2


def test_a_restart_without_the_role_stalls_and_the_old_nodes_stay_ready(
    store: ObjectStore, life: ControllerManager, names: list[str]
) -> None:
    store.apply(SERVICE_ACCOUNTS, aws_node.service_account(), by="eks")
    _restart(store, "1")
    eventually(lambda: _daemon_set(store)["status"].get("numberUnavailable") == 2)
    eventually(lambda: store.list(EVENTS, "kube-system"))
    assert _daemon_set(store)["status"]["updatedNumberScheduled"] <= 2
    assert life.ready_nodes() == (12, 12)


def test_the_role_and_a_restart_restore_the_cluster(store: ObjectStore, life: ControllerManager, names: list[str]) -> None:
    store.apply(SERVICE_ACCOUNTS, aws_node.service_account(), by="eks")
    _restart(store, "1")
    joined = life.join_nodes(3)
    eventually(lambda: _daemon_set(store)["status"].get("numberUnavailable", 0) >= 3)
    store.patch(SERVICE_ACCOUNTS, "aws-node", "kube-system", patch={"metadata": {"annotations": {aws_node.ROLE_KEY: ROLE}}})
    _restart(store, "2")
    eventually(lambda: _settled(store) and life.ready_nodes() == (15, 15))
    assert {_role(pod) for pod in _pods(store)} == {ROLE}
    assert all(_ready(store, name)["status"] == "True" for name in joined)


def test_replacing_a_skipped_pod_repairs_it(store: ObjectStore, life: ControllerManager, names: list[str]) -> None:
    store.patch(SERVICE_ACCOUNTS, "aws-node", "kube-system", patch={"metadata": {"annotations": {aws_node.ROLE_KEY: None}}})
    victim = _pods(store)[0]["metadata"]["name"]
    store.delete(PODS, victim, "kube-system")
    broken = eventually(lambda: [pod for pod in _pods(store) if _role(pod) is None])[0]["metadata"]["name"]
    store.patch(SERVICE_ACCOUNTS, "aws-node", "kube-system", patch={"metadata": {"annotations": {aws_node.ROLE_KEY: ROLE}}})
    eventually(lambda: (store.find(PODS, broken, "kube-system") or {}).get("status", {}).get("phase") == "Running")
    assert _role(store.get(PODS, broken, "kube-system")) is None
    store.delete(PODS, broken, "kube-system")
    eventually(lambda: {_role(pod) for pod in _pods(store)} == {ROLE} and _settled(store))


def test_the_plugin_recovers_when_the_node_role_gets_permissions(store: ObjectStore) -> None:
    allowed: set[str | None] = set()
    store.apply(SERVICE_ACCOUNTS, aws_node.service_account(), by="eks")
    with ControllerManager(
        store, role_can_run_cni=lambda role: Allowed() if role in allowed else Denied("DescribeInstances"), timings=TIMINGS
    ) as life:
        life.join_nodes(2)
        eventually(lambda: store.list(EVENTS, "kube-system"))
        eventually(lambda: [pod["status"]["containerStatuses"][0]["restartCount"] > 0 for pod in _pods(store)] == [True, True])
        assert life.ready_nodes() == (0, 2)
        allowed.add(None)
        eventually(lambda: life.ready_nodes() == (2, 2))


@pytest.fixture
def associated(store: ObjectStore) -> Iterator[tuple[ControllerManager, list[str | None]]]:
    """A cluster whose plug-in has its role by an association, and the roles with which it has started."""
    asked: list[str | None] = []

    def verdict(role: str | None) -> Allowed | NoCredentials:
        asked.append(role)
        return AGENT_REFUSES if role == NO_AGENT else Allowed()

    webhook = IdentityWebhook(lambda *_: {}, association_of=lambda *_: {"roleArn": ROLE})
    store.admission[PODS] = pod_admission(store, webhook.admit)
    with ControllerManager(store, role_can_run_cni=verdict, associated_role=lambda *_: ROLE, timings=TIMINGS) as life:
        yield life, asked
        assert life.failure is None


def _install_agent(store: ObjectStore, *not_on: str) -> None:
    manifest = pod_identity_agent.daemon_set(not_on=not_on)
    store.apply(resource_of(manifest), manifest, by="eks")


def test_pod_identity_gives_the_role_of_the_association_once_the_agent_of_the_node_is_ready(
    store: ObjectStore, associated: tuple[ControllerManager, list[str | None]]
) -> None:
    life, asked = associated
    _install_agent(store)
    life.join_nodes(2)
    eventually(lambda: life.ready_nodes() == (2, 2))
    assert asked == [ROLE, ROLE]


def test_a_plug_in_without_the_agent_of_its_node_fails_until_the_agent_comes(
    store: ObjectStore, associated: tuple[ControllerManager, list[str | None]]
) -> None:
    life, asked = associated
    names = [str(node(index)["metadata"]["name"]) for index in range(2)]
    _install_agent(store, names[0])
    life.join_nodes(2)
    eventually(lambda: _pods_ready(store) == {names[0]: False, names[1]: True})
    assert NO_AGENT in asked
    _install_agent(store)
    eventually(lambda: life.ready_nodes() == (2, 2))
    assert asked[-1] == ROLE


def test_an_agent_can_be_not_ready_on_a_node(store: ObjectStore, associated: tuple[ControllerManager, list[str | None]]) -> None:
    life, _ = associated
    names = [str(node(index)["metadata"]["name"]) for index in range(2)]
    life.set_unready_agents([names[0]])
    _install_agent(store)
    life.join_nodes(2)
    eventually(lambda: _pods_ready(store) == {names[0]: False, names[1]: True})
    assert _agents_ready(store) == {names[0]: False, names[1]: True}
    life.set_unready_agents([names[1]])
    eventually(lambda: _agents_ready(store) == {names[0]: True, names[1]: False})
    eventually(lambda: life.ready_nodes() == (2, 2))  # the plug-in on the second node keeps its credentials


def _pods_ready(store: ObjectStore) -> dict[str, bool]:
    return {pod["spec"]["nodeName"]: is_ready(pod) for pod in _pods(store) if pod["status"]["phase"] == "Running"}


def _agents_ready(store: ObjectStore) -> dict[str, bool]:
    return {pod["spec"]["nodeName"]: is_ready(pod) for pod in store.list(PODS) if pod_identity_agent.is_agent(pod)}


def test_nodes_of_auto_mode_run_no_plugin(store: ObjectStore, life: ControllerManager) -> None:
    life.join_nodes(2, compute_type="auto")
    life.join_nodes(1)
    eventually(lambda: life.ready_nodes() == (1, 3))
    assert _daemon_set(store)["status"]["desiredNumberScheduled"] == 1


def test_pods_are_deleted_with_their_node(store: ObjectStore, life: ControllerManager, names: list[str]) -> None:
    life.remove_node(names[0])
    eventually(lambda: not store.list(PODS, fields=f"spec.nodeName={names[0]}"))
    eventually(lambda: _daemon_set(store)["status"]["desiredNumberScheduled"] == 11 and _settled(store))


def test_a_stopped_kubelet_makes_its_node_unknown_until_it_restarts(store: ObjectStore, life: ControllerManager, names: list[str]) -> None:
    life.stop_kubelet(names[0])
    eventually(lambda: _ready(store, names[0])["status"] == "Unknown")
    node = store.get(NODES, names[0])
    assert {each["reason"] for each in node["status"]["conditions"]} == {"NodeStatusUnknown"}
    eventually(lambda: "node.kubernetes.io/unreachable" in [each["key"] for each in store.get(NODES, names[0])["spec"].get("taints", ())])
    eventually(lambda: _daemon_set(store)["status"].get("numberUnavailable") == 1)
    (event,) = eventually(lambda: store.list(CORE_EVENTS, fields="reason=NodeNotReady"))
    assert event["message"] == f"Node {names[0]} status is now: NodeNotReady"
    life.start_kubelet(names[0])
    eventually(lambda: life.ready_nodes() == (12, 12) and _settled(store))
    eventually(lambda: "taints" not in store.get(NODES, names[0])["spec"])


@pytest.mark.parametrize(
    ("resource", "manifest"),
    [(DEPLOYMENTS, deployment("ebs-csi-controller", account="ebs-csi-controller-sa")), (STATEFUL_SETS, stateful_set("db", account="db"))],
    ids=["Deployment", "StatefulSet"],
)
def test_a_workload_restarts(
    store: ObjectStore, life: ControllerManager, names: list[str], resource: Resource, manifest: dict[str, Any]
) -> None:
    namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
    account = manifest["spec"]["template"]["spec"]["serviceAccountName"]
    store.create(SERVICE_ACCOUNTS, service_account(account, namespace))
    store.create(resource, manifest)

    def settled() -> set[str]:
        obj = store.get(resource, name, namespace)
        pods = [pod for pod in store.list(PODS, namespace, labels=f"app={name}") if "deletionTimestamp" not in pod["metadata"]]
        status = obj["status"]
        done = status.get("observedGeneration") == obj["metadata"]["generation"] and len(pods) == 2
        ready = status.get("readyReplicas") == status.get("updatedReplicas") == 2
        return {pod["metadata"]["uid"] for pod in pods} if done and ready else set()

    before = eventually(settled)
    template = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "1"}}}
    store.patch(resource, name, namespace, patch={"spec": {"template": template}})
    eventually(lambda: settled() and not settled() & before)
    if resource is DEPLOYMENTS:
        assert sorted(each["spec"]["replicas"] for each in store.list(REPLICA_SETS)) == [0, 2]
