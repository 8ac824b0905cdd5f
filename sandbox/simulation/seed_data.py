"""Creates the initial state: add-on and node group in EKS; ServiceAccount, workload and nodes in the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.names import CNI_ADDON, POD_IDENTITY_AGENT_ADDON
from lambdas.contract.workloads import known
from lambdas.domain.snapshot.snapshot import ComputeType
from sandbox.cluster import aws_node
from sandbox.cluster.manifests import deployment, node, service_account
from sandbox.cluster.resources import DAEMON_SETS, SERVICE_ACCOUNTS
from sandbox.simulation.aws_account import CLUSTER, NAMESPACE, NODE_ROLE, resolve_role, role_arn
from sandbox.simulation.scenario import BOUND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.aws.local_aws import LocalAws
    from sandbox.simulation.cluster_backend import ClusterBackend
    from sandbox.simulation.scenario import World

FIRST_WINDOWS_INDEX: Final = 500
FIRST_OTHER_INDEX: Final = 600
"""First indices of other nodes; their names are derived from them and must differ from those of the Linux nodes."""


def addon_name(world: World) -> str | None:
    """The add-on that owns the ServiceAccount of this world."""
    workload = known(NAMESPACE, world.service_account)
    return workload.addon if workload else None


def seed_eks(aws: LocalAws, world: World) -> None:
    """Create the add-on record, the node group and the pod identity association."""
    addon = addon_name(world)
    if world.addon and world.addon_installed and addon:
        role = {"serviceAccountRoleArn": it} if (it := resolve_role(world.addon_role)) else {}
        version = {"addonVersion": world.addon_version} if addon == CNI_ADDON else {}
        owned = _owned_association(world) if world.pod_identity_owner == "addon" else {}
        aws.eks.add_addon(CLUSTER, addon, **version, **role, **owned)
    aws.eks.add_nodegroup(CLUSTER, "default", node_role=role_arn(NODE_ROLE), size=world.nodes, repair=world.node_repair)
    if world.has_pod_identity_agent:
        aws.eks.add_addon(CLUSTER, POD_IDENTITY_AGENT_ADDON)
    if world.pod_identity and world.pod_identity_owner != "addon":
        aws.client("eks").create_pod_identity_association(
            clusterName=CLUSTER,
            namespace=NAMESPACE,
            serviceAccount=world.service_account,
            roleArn=resolve_role(world.pod_identity),
            tags={"aws:cloudformation:stack-name": STACK} if world.pod_identity_owner else {},
        )


STACK: Final = "eks-demo"
"""The stack of an association that CloudFormation declares."""


def _owned_association(world: World) -> dict[str, Any]:
    return {"podIdentityAssociations": [{"serviceAccount": world.service_account, "roleArn": resolve_role(world.pod_identity)}]}


def seed_cluster(backend: ClusterBackend, world: World) -> None:
    """Create the ServiceAccount with its annotation, its workload, the CNI and the nodes."""
    backend.webhook_faults.cache_lag_s = world.webhook_lag_s
    manager = "eks" if world.addon else "helm"
    backend.apply(_account(world), manager)
    others = [kind for kind, count in world.other_nodes.items() for _ in range(count)]
    for number, kind in enumerate(others):  # before the workload, whose pods are scheduled on the nodes that are there
        backend.apply(_other_node(FIRST_OTHER_INDEX + number, kind, world), "kubelet")
    if world.workload and world.addon_installed:
        backend.apply(_workload(world), manager)
    if world.service_account != aws_node.NAME:  # without the CNI no node is Ready and no other pod starts
        backend.apply(aws_node.service_account(role_arn=resolve_role(BOUND)), "eks")
        backend.apply(aws_node.daemon_set(), "eks")
    if world.has_pod_identity_agent:
        set_agents(backend, absent=world.pod_identity_agent_absent, unready=world.pod_identity_agent_unready)
    backend.join_nodes(world.nodes)
    for number in range(world.windows_nodes):  # their machine image contains the CNI, so they are Ready at once
        backend.apply(node(FIRST_WINDOWS_INDEX + number, version=world.kubernetes, os="windows"), "kubelet")


def _other_node(index: int, kind: str, world: World) -> dict[str, Any]:
    """A node on which neither aws-node nor the agent runs, and which has a pod network without them."""
    is_windows = kind == ComputeType.WINDOWS
    made = node(index, version=world.kubernetes, os="windows" if is_windows else "linux", compute_type="ec2" if is_windows else kind)
    made["metadata"]["annotations"] = {"sandbox/cni-configuration": "built-in"}
    return made


def set_agents(backend: ClusterBackend, *, absent: int, unready: int) -> None:
    """Install the Pod Identity agent: not on the first `absent` nodes, not ready on the next `unready`, and ready on all others."""
    names = [str(node(index)["metadata"]["name"]) for index in range(absent + unready)]
    backend.set_agents(absent=names[:absent], unready=names[absent:])


def apply_addon(backend: ClusterBackend, world: World, record: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Apply an add-on update to the cluster as EKS does: set the fields of the manager `eks`."""
    if record["addonName"] != addon_name(world):
        return
    annotation = {"metadata": {"annotations": {aws_node.ROLE_KEY: record.get("serviceAccountRoleArn")}}}
    backend.patch(SERVICE_ACCOUNTS, world.service_account, NAMESPACE, annotation, "eks")
    if request.get("addonVersion") and world.service_account == aws_node.NAME:
        template = aws_node.daemon_set(version=_plugin(request["addonVersion"]))["spec"]["template"]
        backend.patch(DAEMON_SETS, aws_node.NAME, NAMESPACE, {"spec": {"template": template}}, "eks")


def _account(world: World) -> dict[str, Any]:
    if world.service_account == aws_node.NAME:
        account = aws_node.service_account(version=_plugin(world.addon_version))
    else:
        account = service_account(world.service_account)
    if value := resolve_role(world.annotation):
        account["metadata"]["annotations"] = {world.annotation_key: value}
    return account


def _workload(world: World) -> dict[str, Any]:
    if world.service_account == aws_node.NAME:
        return aws_node.daemon_set(version=_plugin(world.addon_version))
    workload = known(NAMESPACE, world.service_account)
    return deployment(workload.name if workload else world.service_account, account=world.service_account, replicas=4)


def _plugin(addon_version: str) -> str:
    """The version of the plug-in in the version of an add-on: `v1.15.1-eksbuild.1` -> `v1.15.1`."""
    return addon_version.partition("-")[0]
