"""Links 1 to 3: access to the cluster, the workload, and the identity mechanism."""

from dataclasses import replace
from shlex import quote
from typing import Final

from lambdas.contract.names import CHECKER_GROUP, CNI_ADDON
from lambdas.contract.settings import Severity
from lambdas.domain.aws_commands import aws_command
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, Remedy, broken, not_applicable, object_name, ok, unknown
from lambdas.domain.diagnosis.links.addon_record import update_with_role
from lambdas.domain.diagnosis.links.pod_identity import association_link, missing_association
from lambdas.domain.diagnosis.node_readiness import is_within_grace, waiting_for_cni
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import Denial
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.bindings import wants_association
from lambdas.domain.snapshot.node_reachability import reachable_pods
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    ClusterFacts,
    Missing,
    NodeFacts,
    NotRead,
    Snapshot,
    Unknown,
    WorkloadFacts,
)

_CREATING: Final = ("CREATING", "PENDING")
"""Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_Cluster.html (status)"""

_APPLY_ACCESS: Final = "irsa-remediator access --cluster {cluster} --apply"
_ACCESS_REMEDY: Final = {
    Denial.UNAUTHENTICATED: Remedy("add an access entry of type STANDARD for the roles of the functions", _APPLY_ACCESS),
    Denial.FORBIDDEN: Remedy(f"apply the Roles and RoleBindings of the functions (group {CHECKER_GROUP})", _APPLY_ACCESS),
    Denial.CERTIFICATE: Remedy("another server answers in place of the cluster: check DNS and proxies for its endpoint"),
}


def cluster_link(snapshot: Snapshot) -> Finding:
    """Link 1: the cluster is active and reachable, and the login is accepted."""
    name = snapshot.target.cluster
    match snapshot.cluster:
        case Missing():
            return _cluster_gone(snapshot, f"There is no cluster {name} in this account and region.")
        case Unknown(reason, denial):
            return _no_access(snapshot, reason, denial)
        case ClusterFacts(status="DELETING"):
            return _cluster_gone(snapshot, f"The cluster {name} is being deleted.")
        case ClusterFacts(status=status) as facts if not facts.has_api_server:
            return broken(
                Link.CLUSTER, Verdict.CLUSTER_INITIALIZING if status in _CREATING else Verdict.NO_ACCESS, f"The cluster is {status}."
            )
    for part in (snapshot.service_account, snapshot.workload, snapshot.pods, snapshot.nodes):
        if isinstance(part, Unknown):
            return _no_access(snapshot, part.reason, part.denial)
    return ok(Link.CLUSTER, "active, and the login succeeded")


def _no_access(snapshot: Snapshot, reason: str, denial: Denial | None) -> Finding:
    return broken(Link.CLUSTER, Verdict.NO_ACCESS, f"The cluster cannot be read: {reason}", remedies=_access_remedies(snapshot, denial))


def _access_remedies(snapshot: Snapshot, denial: Denial | None) -> tuple[Remedy, ...]:
    name = snapshot.target.cluster
    if denial is None:
        return ()
    if denial is not Denial.UNREACHABLE:
        remedy = _ACCESS_REMEDY[denial]
        return (replace(remedy, command=remedy.command.format(cluster=name)),)
    return (
        Remedy(_network_remedy(snapshot.cluster)),
        Remedy("see what blocks the connection", f"irsa-remediator access --cluster {name} --check"),
    )


def _network_remedy(cluster: object) -> str:
    match cluster:
        case ClusterFacts(public_from=()):
            return "the endpoint is private: deploy the functions into its VPC (docs/network.md)"
        case ClusterFacts(public_to_all=False, public_from=ranges):
            return f"the endpoint lets in {', '.join(ranges[:3])} alone: deploy the functions into the cluster's VPC (docs/network.md)"
        case ClusterFacts():
            return "the endpoint is open to all, so the way out is closed: give the functions' subnets a NAT gateway (docs/network.md)"
    return "give the functions' subnets a NAT gateway or an endpoint for EKS (docs/network.md)"


def _cluster_gone(snapshot: Snapshot, sentence: str) -> Finding:
    """Nothing fails in a cluster that does not exist, so the severity is low."""
    return broken(Link.CLUSTER, Verdict.CLUSTER_GONE, sentence, severity=Severity.WARNING, remedies=_unbind_remedies(snapshot))


def _unbind_remedies(snapshot: Snapshot) -> tuple[Remedy, ...]:
    if isinstance(snapshot.binding, Missing):
        return ()
    return (
        Remedy(
            "if the cluster was deleted on purpose, remove its bindings",
            aws_command("ssm delete-parameter", snapshot.region, f"--name {quote(snapshot.binding.path)}"),
        ),
    )


def workload_link(snapshot: Snapshot) -> Finding:
    """Link 2: the workload exists and wants at least one pod. One that could not be read is a fault of the cluster link."""
    match snapshot.workload:
        case WorkloadFacts(desired=0) as workload:
            return not_applicable(Link.WORKLOAD, f"{workload.kind} {workload.name} should have no pods")
        case WorkloadFacts(service_account=used) as it if used and used != snapshot.target.name:
            return _other_service_account(snapshot, it)
        case WorkloadFacts() as workload:
            return ok(Link.WORKLOAD, f"{workload.kind} {workload.name}, {workload.desired} desired")
    return _without_workload(snapshot)


def _other_service_account(snapshot: Snapshot, workload: WorkloadFacts) -> Finding:
    target, kind = snapshot.target, workload.kind.lower()
    return broken(
        Link.WORKLOAD,
        Verdict.SERVICE_ACCOUNT_MISMATCH,
        f"{workload.kind} {workload.name} uses the ServiceAccount {workload.service_account}, not {target.name}.",
        Evidence(f"{workload.kind} {workload.name}", "serviceAccountName", workload.service_account),
        severity=Severity.WARNING,
        remedies=(
            Remedy(
                f"if the workload must use {target.name}, set it in the code that declares the workload",
                f"kubectl -n {target.namespace} set serviceaccount {kind} {object_name(workload.name)} {target.name}",
            ),
            Remedy("if the other ServiceAccount is intended, bind the role to it instead"),
        ),
    )


def _without_workload(snapshot: Snapshot) -> Finding:
    waiting = waiting_for_cni(snapshot.nodes) if isinstance(snapshot.nodes, tuple) else ()
    if snapshot.addon_name != CNI_ADDON or not waiting:
        if pods := len(reachable_pods(snapshot)):
            run = pluralize(pods, "pod runs", "pods run")
            return unknown(Link.WORKLOAD, f"{run} under this ServiceAccount, and the workload that creates them was not found")
        return not_applicable(Link.WORKLOAD, "no workload runs under this ServiceAccount")
    wait = pluralize(len(waiting), "node waits", "nodes wait")
    if isinstance(snapshot.addon, AddonFacts) and snapshot.addon.status in ("CREATING", "UPDATING"):
        return broken(Link.WORKLOAD, Verdict.UPDATE_IN_PROGRESS, f"{wait} for the CNI, whose add-on is {snapshot.addon.status}.")
    late = tuple(node for node in waiting if not is_within_grace(node, snapshot.began_at, snapshot.settings.node_grace_s))
    if not late:
        return not_applicable(Link.WORKLOAD, f"no aws-node here; {wait} for a network within the grace period of a joining node")
    return _not_installed(snapshot, late)


def _not_installed(snapshot: Snapshot, waiting: tuple[NodeFacts, ...]) -> Finding:
    wait = pluralize(len(waiting), "node waits", "nodes wait")
    besides = isinstance(snapshot.nodes, tuple) and any(node.ready and node.os == "linux" for node in snapshot.nodes)
    gone, install = _missing_cni(snapshot)
    return broken(
        Link.WORKLOAD,
        Verdict.ADDON_NOT_INSTALLED,
        f"{wait} for a CNI, and {gone}{', though other nodes are Ready' if besides else ''}.",
        *(Evidence(f"Node {node.name}", "Ready", node.message, node.since) for node in waiting[:3]),
        remedies=(
            *((_ANOTHER_CNI,) if besides else ()),
            *install,
            Remedy("do not replace the nodes: they become Ready once the CNI runs"),
        ),
    )


def _missing_cni(snapshot: Snapshot) -> tuple[str, tuple[Remedy, ...]]:
    """What does not exist, as a part of a sentence, and how to install it."""
    match snapshot.addon:
        case AddonFacts() as addon:
            again = Remedy("let EKS install it again", update_with_role(snapshot, addon, version=addon.version))
            return "the vpc-cni add-on exists, but its DaemonSet does not", (again,)
        case Missing():
            install = Remedy("install the vpc-cni add-on", _create_with_role(snapshot))
            return "neither the vpc-cni add-on nor its DaemonSet exists", (install, _NODES_AFTER_CNI)
    options = f"--cluster-name {snapshot.target.cluster} --addon-name {CNI_ADDON}"
    look = Remedy("see whether the add-on exists", aws_command("eks describe-addon", snapshot.region, options))
    return "its DaemonSet does not exist; whether its add-on does was not read", (look,)


_ANOTHER_CNI: Final = Remedy(
    "if the Ready nodes use another CNI (Cilium, Calico), check that CNI: these nodes do not wait for aws-node then"
)
_NODES_AFTER_CNI: Final = Remedy("declare the vpc-cni add-on before the node groups: before_compute = true in terraform-aws-eks")


def _create_with_role(snapshot: Snapshot) -> str:
    """The command that creates the add-on, with its role where a binding names one.

    Source: https://docs.aws.amazon.com/cli/latest/reference/eks/create-addon.html
    """
    options, role = f"--cluster-name {snapshot.target.cluster} --addon-name {CNI_ADDON}", snapshot.desired_role
    create = aws_command("eks create-addon", snapshot.region, options)
    if role is None:
        return create
    if wants_association(snapshot.binding):
        return f"{create} --pod-identity-associations {quote(f'serviceAccount={snapshot.target.name},roleArn={role}')}"
    return f"{create} --service-account-role-arn {quote(role)}"


def mechanism_link(snapshot: Snapshot) -> Finding:
    """Link 3: IRSA, or a Pod Identity association, which takes precedence."""
    match snapshot.associations:
        case Unknown(reason):
            return unknown(Link.MECHANISM, reason)
        case NotRead() | ():
            return missing_association(snapshot) or ok(Link.MECHANISM, "IRSA (no pod identity association)")
    return association_link(snapshot, snapshot.associations[0])
