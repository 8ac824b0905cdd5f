"""Fault cases: snapshots of one cluster, each a small change of a healthy one, with the real diagnosis and plan."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from lambdas.contract.parameters import Mechanism, ServiceAccountRef, binding_path
from lambdas.contract.policy_kinds import PolicyKind
from lambdas.contract.settings import AddonRecord, Claim, Mode, Window
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.call_needs import ReleaseNeeds
from lambdas.domain.diagnosis.identity_chain import diagnose
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.diagnosis.workload_needs import needs
from lambdas.domain.errors import Denial
from lambdas.domain.incidents.incident import Outcome, PastIncident
from lambdas.domain.planning.planner import plan
from lambdas.domain.planning.policies import RepairHistory
from lambdas.domain.requests.request import Actor, Refusal, RoleEffect
from lambdas.domain.snapshot.simulation import ALLOWED
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    AddonFacts,
    Association,
    Binding,
    ClusterFacts,
    ControllerError,
    HealthIssue,
    InvalidBinding,
    Missing,
    NodeRepair,
    PodFacts,
    RoleFacts,
    Snapshot,
    Unknown,
    VersionAdvice,
    WorkloadFacts,
)
from tests.unit.notifications.snapshots import (
    ACCOUNT,
    BALANCER,
    CI,
    CNI,
    EBS,
    INCIDENT_ID,
    NO_AGENT,
    NOW,
    ROLE,
    SHOP,
    agent,
    healthy_snapshot,
    installed_policy,
    nodes,
    pods,
    refusals,
    service_account,
    trust,
    with_lost_nodes,
    with_pod_identity,
    with_waiting_nodes,
)

REFUSED_TOKEN = Refusal(
    call="sts:AssumeRoleWithWebIdentity",
    code="AccessDenied",
    principal="system:serviceaccount:kube-system:aws-node",
    at=NOW - timedelta(seconds=50),
    role_arn=ROLE,
)
REFUSED_NODE = Refusal(
    call="ec2:DescribeNetworkInterfaces",
    code="Client.UnauthorizedOperation",
    principal=f"arn:aws:iam::{ACCOUNT}:role/prod-blue-nodes",
    at=NOW - timedelta(seconds=20),
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/prod-blue-nodes",
    is_by_cni=True,
)


def _snapshot(**changes: Any) -> Snapshot:
    """The healthy snapshot with changes."""
    return replace(healthy_snapshot(), **changes)


def _addon(snapshot: Snapshot, **changes: Any) -> AddonFacts:
    assert isinstance(snapshot.addon, AddonFacts)
    return replace(snapshot.addon, **changes)


def _cluster(snapshot: Snapshot, **changes: Any) -> ClusterFacts:
    assert isinstance(snapshot.cluster, ClusterFacts)
    return replace(snapshot.cluster, **changes)


def _workload(**changes: Any) -> WorkloadFacts:
    found = healthy_snapshot().workload
    assert isinstance(found, WorkloadFacts)
    return replace(found, **changes)


def _allowed(snapshot: Snapshot) -> Snapshot:
    """The same snapshot, with every needed call simulated and allowed."""
    found = needs(snapshot)
    assert isinstance(found, ReleaseNeeds)
    return replace(snapshot, simulated=dict.fromkeys(found.required, ALLOWED))


def addon_role_missing() -> Snapshot:
    """The known case: an update without the role removed it from the record, the annotation and the pods."""
    snapshot = healthy_snapshot()
    dropped = _addon(snapshot, role_arn=None, version="v1.15.1-eksbuild.1")
    return with_waiting_nodes(
        replace(
            snapshot,
            cluster=_cluster(snapshot, version="1.28"),
            addon=dropped,
            service_account=service_account(None, at=NOW - timedelta(seconds=15)),
            versions=VersionAdvice(default="v1.16.0-eksbuild.1"),
            actor=CI,
        )
    )


def _failing(snapshot: Snapshot, count: int) -> Snapshot:
    """The same snapshot; the last `count` pods crash, and their nodes wait."""
    assert isinstance(snapshot.pods, tuple)
    running = len(snapshot.pods) - count
    crashed = tuple(
        replace(pod, ready=i < running, waiting="" if i < running else "CrashLoopBackOff") for i, pod in enumerate(snapshot.pods)
    )
    return replace(snapshot, pods=crashed, nodes=nodes(15, unready=count))


def _record_without_role() -> Snapshot:
    snapshot = healthy_snapshot()
    return replace(snapshot, addon=_addon(snapshot, role_arn=None), actor=CI)


def _no_annotation(manager: str, **more: Any) -> Snapshot:
    return _snapshot(service_account=service_account(None, manager=manager, at=NOW - timedelta(minutes=2)), **more)


def _generic(target: ServiceAccountRef, addon: str | None, name: str, *, unready: int) -> Snapshot:
    role = f"arn:aws:iam::{ACCOUNT}:role/prod-blue-{name}"
    snapshot = healthy_snapshot(target, role)
    kept = AddonFacts(name=addon, version="v1.38.1-eksbuild.1", status="ACTIVE", role_arn=role) if addon else NOT_READ
    workload = WorkloadFacts(
        kind=WorkloadKind.DEPLOYMENT, name=name, desired=2, updated=2, max_unavailable=1, generation=1, observed_generation=1
    )
    running = tuple(replace(pod, name=pod.name.replace("aws-node", name)) for pod in pods(2, None, unready=unready))
    return replace(
        snapshot,
        addon_name=addon,
        addon=kept,
        workload=workload,
        pods=running,
        service_account=service_account(None, manager="helm"),
        versions=NOT_READ,
    )


def _unreadable(why: Unknown) -> Snapshot:
    return _snapshot(service_account=why, workload=why, pods=why, nodes=NOT_READ, permission_errors=NOT_READ)


def _repaired(at: datetime, name: str) -> PastIncident:
    return PastIncident(
        id=name,
        target=CNI,
        opened_at=at - timedelta(minutes=1),
        closed_at=at,
        outcome=Outcome.VERIFIED,
        verdict="annotation-wiped",
        trigger="identity-changed",
        changes=("annotate-service-account",),
        signals=1,
    )


def _flapping_history() -> RepairHistory:
    closed = tuple(_repaired(NOW - timedelta(hours=hours), f"past-{hours}") for hours in (1, 3, 5))
    return RepairHistory(incident_id=INCIDENT_ID, incidents=closed)


def _settings(snapshot: Snapshot, **changes: Any) -> Snapshot:
    return replace(snapshot, settings=replace(snapshot.settings, **changes))


@dataclass(frozen=True, kw_only=True)
class FaultCase:
    """One fault: the snapshot that shows it, the verdict that it must get, and the repairs before it."""

    verdict: Verdict
    build: Callable[[], Snapshot]
    history: RepairHistory = field(default_factory=lambda: RepairHistory(incident_id=INCIDENT_ID))

    def assess(self) -> AssessmentSummary:
        """The summary of the snapshot, its diagnosis and its plan."""
        return _assessed(self.build(), self.history)


PATH: Final = binding_path("prod-blue", "kube-system", "aws-node")

FAULT_CASES: Final[Mapping[str, FaultCase]] = {
    "addon-role-missing": FaultCase(verdict=Verdict.ADDON_ROLE_MISSING, build=addon_role_missing),
    "addon-role-missing-latent": FaultCase(verdict=Verdict.ADDON_ROLE_MISSING, build=_record_without_role),
    "annotation-missing": FaultCase(
        verdict=Verdict.ANNOTATION_MISSING, build=lambda: with_waiting_nodes(_no_annotation("kubectl-client-side-apply"), 1)
    ),
    "annotation-missing-latent": FaultCase(
        verdict=Verdict.ANNOTATION_MISSING, build=lambda: _no_annotation("terraform", addon=Missing("vpc-cni"), pods=pods(15, None))
    ),
    "lost-node": FaultCase(
        verdict=Verdict.ANNOTATION_MISSING,
        build=lambda: with_lost_nodes(with_waiting_nodes(_no_annotation("kubectl-client-side-apply"), 1), 0),
    ),
    "annotation-wiped": FaultCase(
        verdict=Verdict.ANNOTATION_WIPED,
        build=lambda: _no_annotation(
            "argocd-controller",
            known_good_at=NOW - timedelta(hours=2),
            addon=Missing("vpc-cni"),
            actor=Actor(
                who="system:serviceaccount:argocd:argocd-application-controller",
                what="replaced the ServiceAccount",
                at=NOW - timedelta(minutes=2),
            ),
        ),
    ),
    "annotation-differs": FaultCase(
        verdict=Verdict.ANNOTATION_DIFFERS,
        build=lambda: _snapshot(service_account=service_account(f"arn:aws:iam::{ACCOUNT}:role/old-cni", manager="eksctl")),
    ),
    "annotation-key-misspelt": FaultCase(
        verdict=Verdict.ANNOTATION_KEY_MISSPELT,
        build=lambda: _snapshot(service_account=service_account(key="eks.amazon.com/role-arn", manager="helm"), pods=pods(15, None)),
    ),
    "annotation-unclaimed": FaultCase(
        verdict=Verdict.ANNOTATION_UNCLAIMED, build=lambda: _settings(healthy_snapshot(), claim=Claim.ALWAYS)
    ),
    "guard-differs": FaultCase(
        verdict=Verdict.GUARD_DIFFERS, build=lambda: _snapshot(guards=(installed_policy(PolicyKind.GUARD, f"{ROLE}-former"),))
    ),
    "guard-unbound": FaultCase(
        verdict=Verdict.GUARD_DIFFERS,
        build=lambda: _snapshot(binding=Missing("its parameter"), guards=(installed_policy(PolicyKind.WARNING, ROLE),)),
    ),
    "role-kept": FaultCase(
        verdict=Verdict.ROLE_KEPT,
        build=lambda: _snapshot(
            service_account=replace(service_account(), left_out_by="system:serviceaccount:argocd:argocd-application-controller"),
            actor=Actor(
                who="system:serviceaccount:argocd:argocd-application-controller",
                what="patch of ServiceAccount kube-system/aws-node, which left out its role; the guard kept it",
                agent="argocd-application-controller/v3.1",
                at=NOW - timedelta(seconds=20),
                effect=RoleEffect.KEPT,
            ),
        ),
    ),
    "pods-stale": FaultCase(
        verdict=Verdict.PODS_STALE,
        build=lambda: _snapshot(
            service_account=service_account(at=NOW - timedelta(minutes=2)), pods=(*pods(12, ROLE), *pods(15, None)[12:])
        ),
    ),
    "webhook-missed": FaultCase(
        verdict=Verdict.WEBHOOK_MISSED,
        build=lambda: _snapshot(
            pods=(*pods(14, ROLE), *_changed(pods(15, None, created_at=NOW - timedelta(minutes=2))[14:], ready=False)),
            permission_errors=refusals("aws-node-14"),
            has_identity_webhook=True,
        ),
    ),
    "webhook-absent": FaultCase(
        verdict=Verdict.WEBHOOK_MISSED,
        build=lambda: _snapshot(
            pods=_changed(pods(15, None, created_at=NOW - timedelta(minutes=2)), ready=False), has_identity_webhook=False
        ),
    ),
    "trust-other-issuer": FaultCase(
        verdict=Verdict.TRUST_OTHER_ISSUER,
        build=lambda: replace(
            with_waiting_nodes(_no_annotation("eks")), role=RoleFacts(arn=ROLE, trust=trust("oidc.eks.eu-west-1.amazonaws.com/id/9A1C"))
        ),
    ),
    "trust-condition-wrong": FaultCase(
        verdict=Verdict.TRUST_CONDITION_WRONG,
        build=lambda: _snapshot(role=RoleFacts(arn=ROLE, trust=trust(subject="system:serviceaccount:default:aws-node"))),
    ),
    "oidc-provider-missing": FaultCase(
        verdict=Verdict.OIDC_PROVIDER_MISSING,
        build=lambda: replace(with_waiting_nodes(healthy_snapshot(), 1), oidc_provider=Missing("OIDC provider")),
    ),
    "binding-invalid": FaultCase(
        verdict=Verdict.BINDING_INVALID,
        build=lambda: _snapshot(binding=InvalidBinding(path=PATH, reason="is not a role ARN: 'prod-blue-vpc-cni'"), role=NOT_READ),
    ),
    "binding-to-no-role": FaultCase(verdict=Verdict.BINDING_INVALID, build=lambda: _snapshot(role=Missing("role"))),
    "permissions-missing": FaultCase(
        verdict=Verdict.PERMISSIONS_MISSING,
        build=lambda: _snapshot(permission_errors=refusals("aws-node-14", call="ec2:AssignPrivateIpAddresses"), nodes=nodes(15, unready=1)),
    ),
    "no-access": FaultCase(
        verdict=Verdict.NO_ACCESS,
        build=lambda: _unreadable(Unknown("read the ServiceAccount: 401 Unauthorized", denial=Denial.UNAUTHENTICATED)),
    ),
    "cluster-and-binding-gone": FaultCase(
        verdict=Verdict.CLUSTER_GONE,
        build=lambda: replace(_unreadable(Unknown("no cluster")), cluster=Missing("cluster prod-blue"), binding=Missing(PATH)),
    ),
    "cluster-gone": FaultCase(
        verdict=Verdict.CLUSTER_GONE, build=lambda: replace(_unreadable(Unknown("no cluster")), cluster=Missing("cluster prod-blue"))
    ),
    "cluster-initializing": FaultCase(
        verdict=Verdict.CLUSTER_INITIALIZING,
        build=lambda: _snapshot(
            cluster=_cluster(healthy_snapshot(), created_at=NOW - timedelta(minutes=4)), addon=Unknown("describe the add-on: 500")
        ),
    ),
    "addon-not-installed": FaultCase(
        verdict=Verdict.ADDON_NOT_INSTALLED,
        build=lambda: _snapshot(
            addon=Missing("vpc-cni"), workload=Missing("aws-node"), pods=(), service_account=Missing("aws-node"), nodes=nodes(2, unready=2)
        ),
    ),
    "update-in-progress": FaultCase(
        verdict=Verdict.UPDATE_IN_PROGRESS,
        build=lambda: replace(_no_annotation("eks"), addon=_addon(healthy_snapshot(), status="UPDATING")),
    ),
    "addon-degraded": FaultCase(
        verdict=Verdict.ADDON_DEGRADED,
        build=lambda: _snapshot(
            addon=_addon(
                healthy_snapshot(),
                status="DEGRADED",
                issues=(
                    HealthIssue(code="ConfigurationConflict", message="Conflicts found when trying to apply.", resources=("aws-node",)),
                ),
            )
        ),
    ),
    "sts-unreachable": FaultCase(
        verdict=Verdict.STS_UNREACHABLE,
        build=lambda: _snapshot(
            pods=pods(15, ROLE, unready=2, termination_message="WebIdentityErr: dial tcp 10.0.3.7:443: i/o timeout"),
            nodes=nodes(15, unready=2, message="PLEG is not healthy"),
        ),
    ),
    "refused-token": FaultCase(
        verdict=Verdict.STS_ERROR,
        build=lambda: _snapshot(pods=pods(15, ROLE, unready=2), refusals=(REFUSED_TOKEN, REFUSED_NODE)),
    ),
    "refused-call-of-node-role": FaultCase(
        verdict=Verdict.ANNOTATION_MISSING,
        build=lambda: _no_annotation("eks", refusals=(REFUSED_NODE,)),
    ),
    "nodes-not-ready": FaultCase(
        verdict=Verdict.NODES_NOT_READY,
        build=lambda: _snapshot(
            nodes=nodes(15, unready=1, message="kubelet has disk pressure", pressures=("DiskPressure",)),
            node_repair=NodeRepair(nodegroups=("workers",)),
        ),
    ),
    "nodes-waiting-for-cni": FaultCase(verdict=Verdict.NODES_WAITING_FOR_CNI, build=lambda: _snapshot(nodes=nodes(15, unready=3))),
    "nodes-waiting-for-cni-role-cleared": FaultCase(
        verdict=Verdict.NODES_WAITING_FOR_CNI, build=lambda: _allowed(_snapshot(nodes=nodes(15, unready=3)))
    ),
    "service-account-mismatch": FaultCase(
        verdict=Verdict.SERVICE_ACCOUNT_MISMATCH,
        build=lambda: _snapshot(workload=_workload(service_account="aws-vpc-cni"), pods=()),
    ),
    "role-in-pod-template": FaultCase(
        verdict=Verdict.ROLE_IN_POD_TEMPLATE,
        build=lambda: _snapshot(workload=_workload(template_role_arn=f"{ROLE}-chart"), pods=pods(15, f"{ROLE}-chart")),
    ),
    "pods-not-created": FaultCase(
        verdict=Verdict.PODS_NOT_CREATED,
        build=lambda: _snapshot(
            pods=(),
            controller_errors=(
                ControllerError(message='failed calling webhook "validate.kyverno.svc": timeout', at=NOW - timedelta(minutes=2)),
            ),
        ),
    ),
    "annotation-missing-and-pods-not-created": FaultCase(
        verdict=Verdict.ANNOTATION_MISSING,
        build=lambda: _no_annotation(
            "eks",
            pods=(),
            nodes=nodes(15, unready=15),
            controller_errors=(
                ControllerError(message='failed calling webhook "validate.kyverno.svc": timeout', at=NOW - timedelta(minutes=1)),
            ),
        ),
    ),
    "nodes-without-cni-pod": FaultCase(
        verdict=Verdict.NODES_WAITING_FOR_CNI,
        build=lambda: _snapshot(
            nodes=nodes(15, unready=3, is_monitored=True), pods=pods(15, ROLE)[:13], workload=_workload(desired=13, updated=13)
        ),
    ),
    "pods-without-credentials": FaultCase(
        verdict=Verdict.PODS_WITHOUT_CREDENTIALS,
        build=lambda: with_pod_identity(healthy_snapshot(), bare=3),
    ),
    "pods-stuck": FaultCase(
        verdict=Verdict.PODS_STUCK,
        build=lambda: _snapshot(
            pods=(
                *pods(14, ROLE),
                *_changed(
                    pods(15, ROLE)[14:],
                    ready=False,
                    phase="Pending",
                    node="",
                    intended_node="ip-10-0-0-14.eu-west-1.compute.internal",
                    created_at=NOW - timedelta(minutes=11),
                ),
            )
        ),
    ),
    "pods-not-ready": FaultCase(
        verdict=Verdict.PODS_NOT_READY,
        build=lambda: _snapshot(
            pods=pods(15, ROLE, unready=15, waiting="CrashLoopBackOff", termination_message="Error"),
            role=Unknown("it belongs to account 444455556666"),
            oidc_provider=Unknown("it belongs to account 444455556666"),
        ),
    ),
    "sts-error": FaultCase(
        verdict=Verdict.STS_ERROR,
        build=lambda: _snapshot(
            pods=pods(15, ROLE, unready=2, termination_message="WebIdentityErr: failed to retrieve credentials: ExpiredTokenException")
        ),
    ),
    "flapping": FaultCase(
        verdict=Verdict.FLAPPING, build=lambda: _no_annotation("argocd-controller", addon=Missing("vpc-cni")), history=_flapping_history()
    ),
    "association-missing": FaultCase(
        verdict=Verdict.ASSOCIATION_MISSING,
        build=lambda: replace(
            with_pod_identity(healthy_snapshot()),
            associations=(),
            agent=NOT_READ,
            binding=Missing("/eks-irsa-remediator/bindings/prod-blue/kube-system/aws-node"),
            addon=_addon(healthy_snapshot(), role_arn=None),
            role=NOT_READ,
            oidc_provider=NOT_READ,
        ),
    ),
    "association-wanted": FaultCase(
        verdict=Verdict.ASSOCIATION_MISSING,
        build=lambda: replace(
            with_pod_identity(healthy_snapshot()),
            associations=(),
            binding=Binding(path=PATH, role_arn=ROLE, mechanism=Mechanism.POD_IDENTITY),
        ),
    ),
    "association-differs": FaultCase(
        verdict=Verdict.ASSOCIATION_DIFFERS,
        build=lambda: replace(with_pod_identity(healthy_snapshot()), associations=(Association(id="a-1", role_arn=f"{ROLE}-old"),)),
    ),
    "pod-identity-agent-missing": FaultCase(
        verdict=Verdict.POD_IDENTITY_AGENT_MISSING,
        build=lambda: replace(_failing(with_pod_identity(healthy_snapshot()), 15), agent=NO_AGENT),
    ),
    "pod-identity-agent-not-on-node": FaultCase(
        verdict=Verdict.POD_IDENTITY_AGENT_NOT_ON_NODE,
        build=lambda: replace(_failing(with_pod_identity(healthy_snapshot()), 2), agent=agent(absent=2)),
    ),
    "pod-identity-not-trusted": FaultCase(
        verdict=Verdict.POD_IDENTITY_NOT_TRUSTED,
        build=lambda: replace(with_pod_identity(healthy_snapshot()), role=RoleFacts(arn=ROLE, trust=trust())),
    ),
    "mode-observe": FaultCase(verdict=Verdict.ADDON_ROLE_MISSING, build=lambda: _settings(addon_role_missing(), mode=Mode.OBSERVE)),
    "addon-record-notify-only": FaultCase(
        verdict=Verdict.ADDON_ROLE_MISSING,
        build=lambda: _settings(
            _snapshot(addon=_addon(healthy_snapshot(), role_arn=f"{ROLE}-old"), actor=CI), addon_record=AddonRecord.NOTIFY_ONLY
        ),
    ),
    "cooldown": FaultCase(
        verdict=Verdict.ADDON_ROLE_MISSING,
        build=addon_role_missing,
        history=RepairHistory(incident_id=INCIDENT_ID, incidents=(_repaired(NOW - timedelta(minutes=2), "past-1"),)),
    ),
    "maintenance-window": FaultCase(
        verdict=Verdict.ANNOTATION_DIFFERS,
        build=lambda: _settings(
            _snapshot(service_account=service_account(f"arn:aws:iam::{ACCOUNT}:role/old-cni")),
            maintenance_window=Window(days=(1,), start=timedelta(hours=22), length=timedelta(hours=4)),
        ),
    ),
    "trust-unread": FaultCase(
        verdict=Verdict.ANNOTATION_DIFFERS,
        build=lambda: _snapshot(
            service_account=service_account(f"arn:aws:iam::{ACCOUNT}:role/old-cni"),
            role=Unknown("read the role: AccessDenied", denial=Denial.FORBIDDEN),
        ),
    ),
    "no-binding": FaultCase(
        verdict=Verdict.ANNOTATION_MISSING,
        build=lambda: replace(
            with_waiting_nodes(_no_annotation("eks")), binding=Missing(PATH), addon=_addon(healthy_snapshot(), role_arn=None)
        ),
    ),
    "ebs-csi": FaultCase(
        verdict=Verdict.ANNOTATION_MISSING, build=lambda: _generic(EBS, "aws-ebs-csi-driver", "ebs-csi-controller", unready=2)
    ),
    "load-balancer-controller": FaultCase(
        verdict=Verdict.ANNOTATION_MISSING, build=lambda: _generic(BALANCER, None, "aws-load-balancer-controller", unready=0)
    ),
    "any-workload": FaultCase(verdict=Verdict.ANNOTATION_MISSING, build=lambda: _generic(SHOP, None, "uploader", unready=1)),
}
"""`name -> case`: every verdict at least once, and every other input that changes the text."""


def _changed(some: tuple[PodFacts, ...], **changes: Any) -> tuple[PodFacts, ...]:
    return tuple(replace(pod, **changes) for pod in some)


def repaired_summary(snapshot: Snapshot, at: datetime) -> AssessmentSummary:
    """The summary that verifies a repair: the same cluster, healthy, at a later time."""
    role = snapshot.desired_role or ROLE
    repaired = replace(
        healthy_snapshot(snapshot.target, role), began_at=at, addon_name=snapshot.addon_name, service_account=service_account(role)
    )
    if isinstance(snapshot.workload, WorkloadFacts) and isinstance(snapshot.pods, tuple):
        new = tuple(replace(pod, role_arn=role, ready=True, created_at=at - timedelta(seconds=10)) for pod in snapshot.pods)
        repaired = replace(repaired, workload=snapshot.workload, pods=new or repaired.pods)
    if isinstance(snapshot.nodes, tuple) and (lost := [number for number, node in enumerate(snapshot.nodes) if node.ready is None]):
        repaired = with_lost_nodes(repaired, *lost)
    if snapshot.addon_name != "vpc-cni":
        repaired = replace(repaired, addon=snapshot.addon, versions=NOT_READ)
    return _assessed(repaired, RepairHistory())


def _assessed(snapshot: Snapshot, history: RepairHistory) -> AssessmentSummary:
    diagnosis = diagnose(snapshot)
    return summarize(snapshot, diagnosis, plan(snapshot, diagnosis, history))
