"""Cases of the chain under EKS Pod Identity: association, agent, role, trust, permissions, record, annotation and pods."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from lambdas.contract.parameters import Mechanism
from lambdas.contract.settings import Claim
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.snapshot.simulation import ALLOWED, CallDecision, RefusalCause
from lambdas.domain.snapshot.snapshot import NOT_READ, AgentFacts, Association, Binding, ComputeType, Missing, PodFacts, RoleFacts, Snapshot
from lambdas.domain.trust import POD_IDENTITY_ACTIONS
from tests.unit.domain.link_cases.fixtures import BROKEN, NOT_APPLICABLE, OK, POD_IDENTITY_TRUST, UNKNOWN, UNREAD, Case, associated
from tests.unit.domain.snapshot_fixtures import OTHER_ROLE, addon, cluster, settings, snapshot_with, workload
from tests.unit.notifications.snapshots import NO_AGENT, NOW, ROLE, TRUST_OF_BOTH, agent, nodes, pods, service_account, trust
from tests.world.simulations import REFUSED, simulation

UNBOUND = Missing("/eks-irsa-remediator/bindings/prod-blue/kube-system/aws-node")
TARGET_ROLE = "arn:aws:iam::444455556666:role/target"
FIRST_ACCOUNT = "arn:aws:iam::111122223333:root"
JUST_NOW = NOW - timedelta(seconds=5)


def _associations(**changes: Any) -> tuple[Association, ...]:
    return (replace(Association(id="a-1", role_arn=ROLE), **changes),)


def _binding(mechanism: Mechanism, target_role_arn: str | None = None) -> Binding:
    return Binding(path=UNBOUND.what, role_arn=ROLE, mechanism=mechanism, target_role_arn=target_role_arn)


def _trust(**condition: Any) -> RoleFacts:
    """The role with a condition on the statement for EKS Pod Identity."""
    statement = {**POD_IDENTITY_TRUST["Statement"][0], "Condition": condition}
    return RoleFacts(arn=ROLE, trust={"Version": "2012-10-17", "Statement": [statement]})


def _trust_for(*actions: str) -> RoleFacts:
    """The role with these actions on the statement for EKS Pod Identity."""
    statement = {**POD_IDENTITY_TRUST["Statement"][0], "Action": list(actions)}
    return RoleFacts(arn=ROLE, trust={"Version": "2012-10-17", "Statement": [statement]})


def _pods(bare: int = 0, **changes: Any) -> tuple[Any, ...]:
    """Fifteen pods with the association's credentials; the first ones have these other facts, or no credentials."""
    found = pods(15, None, container_credentials=True)
    changed = {"container_credentials": False} | changes
    return tuple(replace(pod, **changed) if i < bare else pod for i, pod in enumerate(found))


def _joined(age: timedelta) -> tuple[Any, ...]:
    """Pods with the association's credentials, the last two of this age."""
    return (*_pods()[:13], *(replace(pod, created_at=NOW - age) for pod in _pods()[13:]))


def _ebs(**changes: Any) -> Snapshot:
    """A workload that is not the CNI, on a cluster with Auto Mode."""
    return associated(addon_name="aws-ebs-csi-driver", cluster=cluster(auto_mode=True), **changes)


def _on(compute_type: ComputeType, *numbers: int) -> dict[str, ComputeType]:
    """The nodes with these numbers, of this type."""
    return {node.name: compute_type for i, node in enumerate(nodes(15)) if i in numbers}


def _target(
    arn: str = TARGET_ROLE, *, principal: str = FIRST_ACCOUNT, actions: Sequence[str] = POD_IDENTITY_ACTIONS, **condition: Any
) -> RoleFacts:
    """A target role that trusts the principal under the condition."""
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": list(actions), "Condition": condition}
    return RoleFacts(arn=arn, trust={"Version": "2012-10-17", "Statement": [statement]})


def _chained(*, has_session_tags: bool = True, **changes: Any) -> Snapshot:
    """An association that chains to the target role, which trusts the account; the first role may assume it."""
    facts: dict[str, Any] = {"target_role": _target(), "target_simulated": dict.fromkeys(POD_IDENTITY_ACTIONS, ALLOWED), **changes}
    chained = _associations(target_role_arn=TARGET_ROLE, has_session_tags=has_session_tags)
    return associated(associations=chained, binding=UNBOUND, **facts)


EXTERNAL = {"StringEquals": {"sts:ExternalId": "eu-west-1/111122223333/prod-blue/kube-system/aws-node"}}
OWN_TARGET = _target(OTHER_ROLE, principal=ROLE)
DENIED = CallDecision(allowed=False, cause=RefusalCause.EXPLICIT_DENY)
EVERY: range = range(15)
AGENTS: tuple[PodFacts, ...] = agent().pods if isinstance(agent().pods, tuple) else ()
FARGATE_NODES = tuple(replace(node, name=f"fargate-{node.name}") for node in nodes(15))
FARGATE_PODS = tuple(replace(pod, node=f"fargate-{pod.node}") for pod in pods(15, None, container_credentials=True))


CASES: dict[str, Case] = {
    # association
    "association: right role": (associated(), Link.MECHANISM, OK, None),
    "association: another role": (
        associated(associations=_associations(role_arn=OTHER_ROLE)),
        Link.MECHANISM,
        BROKEN,
        Verdict.ASSOCIATION_DIFFERS,
    ),
    "association: another role, and no binding to compare with": (
        associated(associations=_associations(role_arn=OTHER_ROLE), binding=UNBOUND),
        Link.MECHANISM,
        OK,
        None,
    ),
    "association: chained to a role that the binding does not name": (
        associated(associations=_associations(target_role_arn=TARGET_ROLE)),
        Link.MECHANISM,
        BROKEN,
        Verdict.ASSOCIATION_DIFFERS,
    ),
    "association: gone, and pods live on it": (
        snapshot_with(pods=_pods(), binding=UNBOUND, service_account=service_account(None), addon=addon(role_arn=None), role=NOT_READ),
        Link.MECHANISM,
        BROKEN,
        Verdict.ASSOCIATION_MISSING,
    ),
    "association: gone, and the annotation gives the next pods a role": (snapshot_with(pods=_pods()), Link.MECHANISM, OK, None),
    "association: chained as the binding says": (
        associated(associations=_associations(target_role_arn=TARGET_ROLE), binding=_binding(Mechanism.POD_IDENTITY, TARGET_ROLE)),
        Link.MECHANISM,
        OK,
        None,
    ),
    "association: not chained, though the binding says so": (
        associated(binding=_binding(Mechanism.POD_IDENTITY, TARGET_ROLE)),
        Link.MECHANISM,
        BROKEN,
        Verdict.ASSOCIATION_DIFFERS,
    ),
    "association: there, and the binding says IRSA": (
        associated(binding=_binding(Mechanism.IRSA)),
        Link.MECHANISM,
        BROKEN,
        Verdict.ASSOCIATION_DIFFERS,
    ),
    "association: not there, and the binding says IRSA": (snapshot_with(binding=_binding(Mechanism.IRSA)), Link.MECHANISM, OK, None),
    "pod identity pods: one is Pending, and no association exists": (
        snapshot_with(
            binding=_binding(Mechanism.POD_IDENTITY),
            pods=tuple(replace(pod, ready=False, phase="Pending", node="", created_at=NOW - timedelta(minutes=9)) for pod in pods(1, None)),
        ),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STUCK,
    ),
    "association: not there, and the binding asks for one": (
        snapshot_with(binding=_binding(Mechanism.POD_IDENTITY)),
        Link.MECHANISM,
        BROKEN,
        Verdict.ASSOCIATION_MISSING,
    ),
    "association: not there, and the binding asks for one with everything": (
        snapshot_with(binding=replace(_binding(Mechanism.POD_IDENTITY, TARGET_ROLE), session_tags=False, policy='{"a b":1}')),
        Link.MECHANISM,
        BROKEN,
        Verdict.ASSOCIATION_MISSING,
    ),
    "association: another than the one with everything that the binding asks for": (
        associated(
            associations=_associations(role_arn=OTHER_ROLE, policy="{}", declared_by="eksctl"),
            binding=replace(_binding(Mechanism.POD_IDENTITY, TARGET_ROLE), session_tags=False, policy='{"a b":1}'),
        ),
        Link.MECHANISM,
        BROKEN,
        Verdict.ASSOCIATION_DIFFERS,
    ),
    "association: of the add-on, and another role": (
        associated(addon=replace(addon(), arn="arn:addon"), associations=_associations(owner="arn:addon", role_arn=OTHER_ROLE)),
        Link.MECHANISM,
        BROKEN,
        Verdict.ASSOCIATION_DIFFERS,
    ),
    "association: not there, and the bound role is of another account": (
        snapshot_with(binding=replace(_binding(Mechanism.POD_IDENTITY), role_arn=TARGET_ROLE)),
        Link.MECHANISM,
        BROKEN,
        Verdict.ASSOCIATION_MISSING,
    ),
    "association: not there, the binding asks for one, and some pods have the role by web identity": (
        snapshot_with(binding=_binding(Mechanism.POD_IDENTITY), agent=agent(absent=1), pods=(*pods(13, ROLE), *pods(15, None)[13:])),
        Link.MECHANISM,
        BROKEN,
        Verdict.ASSOCIATION_MISSING,
    ),
    "association: gone, and four pods live on it": (
        snapshot_with(
            pods=_pods()[:4],
            workload=workload(desired=4),
            binding=UNBOUND,
            service_account=service_account(None),
            addon=addon(role_arn=None),
            role=NOT_READ,
        ),
        Link.MECHANISM,
        BROKEN,
        Verdict.ASSOCIATION_MISSING,
    ),
    "agent: not on five nodes of three kinds": (
        associated(
            agent=replace(
                agent(absent=5, unready=1),
                compute_types={**_on(ComputeType.WINDOWS, 14), **_on(ComputeType.HYBRID, 13), **_on(ComputeType.FARGATE, 12)},
            )
        ),
        Link.MECHANISM,
        BROKEN,
        Verdict.POD_IDENTITY_AGENT_NOT_ON_NODE,
    ),
    "agent: not yet ready on nodes that have joined for just less than the grace": (
        associated(agent=agent(unready=2), pods=_joined(timedelta(seconds=179))),
        Link.MECHANISM,
        UNKNOWN,
        None,
    ),
    "agent: not ready on a node after the grace": (
        associated(agent=agent(unready=2), pods=_joined(timedelta(seconds=180))),
        Link.MECHANISM,
        BROKEN,
        Verdict.POD_IDENTITY_AGENT_NOT_ON_NODE,
    ),
    "agent: its pod ends with a long message": (
        associated(agent=replace(agent(), pods=(*AGENTS[:3], replace(AGENTS[3], ready=False, termination_message="x" * 201), *AGENTS[4:]))),
        Link.MECHANISM,
        BROKEN,
        Verdict.POD_IDENTITY_AGENT_NOT_ON_NODE,
    ),
    "association: not read, and the binding asks for one": (
        snapshot_with(binding=_binding(Mechanism.POD_IDENTITY), associations=UNREAD),
        Link.MECHANISM,
        UNKNOWN,
        None,
    ),
    "association wanted: the annotation is not missed": (
        snapshot_with(binding=_binding(Mechanism.POD_IDENTITY), service_account=service_account(None)),
        Link.ANNOTATION,
        NOT_APPLICABLE,
        None,
    ),
    "association wanted: no pod is stale": (
        snapshot_with(binding=_binding(Mechanism.POD_IDENTITY), pods=pods(15, None)),
        Link.PODS,
        NOT_APPLICABLE,
        None,
    ),
    "association wanted: the role does not trust it": (
        snapshot_with(binding=_binding(Mechanism.POD_IDENTITY)),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    # agent
    "agent: not read": (associated(agent=NOT_READ), Link.MECHANISM, UNKNOWN, None),
    "agent: its pods not read": (associated(agent=AgentFacts(addon=addon(), pods=UNREAD)), Link.MECHANISM, UNKNOWN, None),
    "agent: its pods not read, no add-on": (associated(agent=replace(NO_AGENT, pods=UNREAD)), Link.MECHANISM, UNKNOWN, None),
    "agent: no pod, and its add-on not read": (
        associated(agent=AgentFacts(addon=UNREAD, pods=()), pods=pods(15, None, container_credentials=True, unready=15)),
        Link.MECHANISM,
        UNKNOWN,
        None,
    ),
    "agent: not installed": (
        associated(agent=NO_AGENT, pods=pods(15, None, container_credentials=True, unready=15)),
        Link.MECHANISM,
        BROKEN,
        Verdict.POD_IDENTITY_AGENT_MISSING,
    ),
    "agent: an add-on without a pod": (
        associated(agent=AgentFacts(addon=addon(), pods=()), pods=pods(15, None, container_credentials=True, unready=15)),
        Link.MECHANISM,
        BROKEN,
        Verdict.POD_IDENTITY_AGENT_MISSING,
    ),
    "agent: none found, and a CNI that lives on nothing else is ready": (associated(agent=NO_AGENT), Link.MECHANISM, UNKNOWN, None),
    "agent: none, and pods from before the association are ready": (
        associated(agent=NO_AGENT, pods=pods(15, OTHER_ROLE)),
        Link.MECHANISM,
        BROKEN,
        Verdict.POD_IDENTITY_AGENT_MISSING,
    ),
    "agent: none for aws-node, which does not run on Auto Mode's nodes": (
        associated(agent=NO_AGENT, cluster=cluster(auto_mode=True), pods=pods(15, None, container_credentials=True, unready=15)),
        Link.MECHANISM,
        BROKEN,
        Verdict.POD_IDENTITY_AGENT_MISSING,
    ),
    "agent: built into Auto Mode": (
        _ebs(agent=replace(NO_AGENT, compute_types=_on(ComputeType.AUTO, *EVERY))),
        Link.MECHANISM,
        OK,
        None,
    ),
    "agent: built into Auto Mode on one node, and not on the others": (
        _ebs(agent=replace(NO_AGENT, compute_types=_on(ComputeType.AUTO, 0))),
        Link.MECHANISM,
        BROKEN,
        Verdict.POD_IDENTITY_AGENT_MISSING,
    ),
    "agent: built into Auto Mode on the node without a pod of it": (
        _ebs(agent=replace(agent(absent=1), compute_types=_on(ComputeType.AUTO, 14))),
        Link.MECHANISM,
        OK,
        None,
    ),
    "agent: none, and the types of the nodes of Auto Mode not read": (_ebs(agent=NO_AGENT), Link.MECHANISM, UNKNOWN, None),
    "agent: none, on Fargate": (
        _ebs(agent=replace(NO_AGENT, compute_types=UNREAD), pods=FARGATE_PODS, nodes=FARGATE_NODES),
        Link.MECHANISM,
        BROKEN,
        Verdict.POD_IDENTITY_AGENT_NOT_ON_NODE,
    ),
    "agent: none, on Fargate and on another node": (
        _ebs(agent=replace(NO_AGENT, compute_types={}), pods=(*FARGATE_PODS[:14], _pods()[14]), nodes=(*FARGATE_NODES, *nodes(15))),
        Link.MECHANISM,
        BROKEN,
        Verdict.POD_IDENTITY_AGENT_MISSING,
    ),
    "agent: not on one node, with Windows": (
        associated(agent=replace(agent(absent=1), compute_types=_on(ComputeType.WINDOWS, 14))),
        Link.MECHANISM,
        BROKEN,
        Verdict.POD_IDENTITY_AGENT_NOT_ON_NODE,
    ),
    "agent: not on one hybrid node": (
        associated(agent=replace(agent(absent=1), compute_types=_on(ComputeType.HYBRID, 14))),
        Link.MECHANISM,
        BROKEN,
        Verdict.POD_IDENTITY_AGENT_NOT_ON_NODE,
    ),
    "agent: not on one node": (associated(agent=agent(absent=1)), Link.MECHANISM, BROKEN, Verdict.POD_IDENTITY_AGENT_NOT_ON_NODE),
    "agent: not ready on one node": (associated(agent=agent(unready=1)), Link.MECHANISM, BROKEN, Verdict.POD_IDENTITY_AGENT_NOT_ON_NODE),
    "agent: not yet on a node that just joined": (
        associated(agent=agent(absent=1), pods=(*_pods()[:14], replace(_pods()[14], created_at=JUST_NOW))),
        Link.MECHANISM,
        UNKNOWN,
        None,
    ),
    "agent: not on a node of a cluster with Auto Mode": (_ebs(agent=agent(absent=1)), Link.MECHANISM, UNKNOWN, None),
    "agent: absent from a node without a pod of the ServiceAccount": (
        associated(agent=agent(absent=1), pods=_pods()[:14], workload=workload(desired=14)),
        Link.MECHANISM,
        OK,
        None,
    ),
    "agent: absent from a lost node": (
        associated(agent=agent(absent=1), nodes=tuple(replace(node, ready=None) if i == 14 else node for i, node in enumerate(nodes(15)))),
        Link.MECHANISM,
        OK,
        None,
    ),
    # role
    "associated role: exists": (associated(), Link.ROLE, OK, None),
    "associated role: gone": (associated(role=Missing("role"), binding=UNBOUND), Link.ROLE, BROKEN, Verdict.POD_IDENTITY_NOT_TRUSTED),
    "associated role: gone, and bound": (associated(role=Missing("role")), Link.ROLE, BROKEN, Verdict.BINDING_INVALID),
    "associated role: not read": (associated(role=UNREAD), Link.ROLE, UNKNOWN, None),
    # trust
    "associated trust: as the guide writes it": (associated(), Link.TRUST, OK, None),
    "associated trust: of IRSA": (
        associated(role=RoleFacts(arn=ROLE, trust=trust())),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    "associated trust: without sts:TagSession": (
        associated(role=_trust_for("sts:AssumeRole")),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    "associated trust: without sts:TagSession, with session tags disabled": (
        associated(role=_trust_for("sts:AssumeRole"), associations=_associations(has_session_tags=False)),
        Link.TRUST,
        UNKNOWN,
        None,
    ),
    "associated trust: every action of STS": (associated(role=_trust_for("sts:*")), Link.TRUST, OK, None),
    "associated trust: namespaces by a wildcard": (
        associated(role=_trust(StringLike={"aws:RequestTag/kubernetes-namespace": "kube-*"})),
        Link.TRUST,
        OK,
        None,
    ),
    "associated trust: a wildcard that is compared as text": (
        associated(role=_trust(StringEquals={"aws:RequestTag/kubernetes-namespace": "kube-*"})),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    "associated trust: clusters by a wildcard, and this account": (
        associated(
            role=_trust(
                StringEquals={"aws:SourceAccount": "111122223333"},
                ArnLike={"aws:RequestTag/eks-cluster-arn": "arn:aws:eks:*:111122223333:cluster/prod-*"},
            )
        ),
        Link.TRUST,
        OK,
        None,
    ),
    "associated trust: this account": (
        associated(role=_trust(StringEquals={"aws:SourceAccount": "111122223333"})),
        Link.TRUST,
        OK,
        None,
    ),
    "associated trust: another account": (
        associated(role=_trust(StringEquals={"aws:SourceAccount": "999999999999"})),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    "associated trust: this cluster by its tag": (
        associated(role=_trust(ArnEquals={"aws:RequestTag/eks-cluster-arn": "arn:aws:eks:eu-west-1:111122223333:cluster/prod-blue"})),
        Link.TRUST,
        OK,
        None,
    ),
    "associated trust: another namespace": (
        associated(role=_trust(StringEquals={"aws:RequestTag/kubernetes-namespace": "shop"})),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    "associated trust: by the name of a pod": (
        associated(role=_trust(StringLike={"aws:RequestTag/kubernetes-pod-name": "aws-node-*"})),
        Link.TRUST,
        UNKNOWN,
        None,
    ),
    "associated trust: a tag, with session tags disabled": (
        associated(
            role=_trust(StringEquals={"aws:RequestTag/kubernetes-namespace": "kube-system"}),
            associations=_associations(has_session_tags=False),
        ),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    "associated trust: the source is any resource of this account": (
        associated(
            role=_trust(ArnLike={"aws:SourceArn": "arn:aws:eks:eu-west-1:111122223333:*"}),
            associations=_associations(arn="arn:aws:eks:eu-west-1:111122223333:podidentityassociation/prod-blue/a-1"),
        ),
        Link.TRUST,
        OK,
        None,
    ),
    "associated trust: the source is the cluster": (
        associated(
            role=_trust(ArnEquals={"aws:SourceArn": "arn:aws:eks:eu-west-1:111122223333:cluster/prod-blue"}),
            associations=_associations(arn="arn:aws:eks:eu-west-1:111122223333:podidentityassociation/prod-blue/a-1"),
        ),
        Link.TRUST,
        UNKNOWN,
        None,
    ),
    "associated trust: the source is of another account": (
        associated(role=_trust(ArnLike={"aws:SourceArn": "arn:aws:eks:*:999999999999:*"})),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    "target role: its policy not read": (_chained(target_role=UNREAD), Link.TRUST, UNKNOWN, None),
    "target role: trusts the account, and the role may assume it": (_chained(), Link.TRUST, OK, None),
    "target role: trusts the account, and a condition names the role": (
        _chained(target_role=_target(ArnEquals={"aws:PrincipalArn": ROLE})),
        Link.TRUST,
        OK,
        None,
    ),
    "target role: trusts another role": (
        _chained(target_role=_target(ArnEquals={"aws:PrincipalArn": OTHER_ROLE})),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    "target role: trusts another ServiceAccount by its tag": (
        _chained(target_role=_target(StringEquals={"aws:RequestTag/kubernetes-service-account": "other"})),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    "target role: trusts this ServiceAccount by the tag of its session": (
        _chained(target_role=_target(StringEquals={"aws:PrincipalTag/kubernetes-service-account": "aws-node"})),
        Link.TRUST,
        OK,
        None,
    ),
    "target role: asks for an external ID, with session tags": (_chained(target_role=_target(**EXTERNAL)), Link.TRUST, UNKNOWN, None),
    "target role: asks for the external ID, without session tags": (
        _chained(target_role=_target(**EXTERNAL), has_session_tags=False),
        Link.TRUST,
        OK,
        None,
    ),
    "target role: asks for another external ID, without session tags": (
        _chained(target_role=_target(StringEquals={"sts:ExternalId": "eu-west-1/1/other/a/b"}), has_session_tags=False),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    "target role: trusts EKS, which does not assume it": (
        _chained(target_role=RoleFacts(arn=TARGET_ROLE, trust=POD_IDENTITY_TRUST)),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    "target role: without sts:TagSession": (
        _chained(target_role=_target(actions=("sts:AssumeRole",))),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    "target role: names a session of the role": (
        _chained(target_role=_target(principal=f"{ROLE.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/eks-prod")),
        Link.TRUST,
        UNKNOWN,
        None,
    ),
    "target role: trusts the role, and a Deny refuses it": (
        _chained(
            target_role=RoleFacts(
                arn=TARGET_ROLE,
                trust={
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": effect, "Principal": {"AWS": ROLE}, "Action": list(POD_IDENTITY_ACTIONS)} for effect in ("Allow", "Deny")
                    ],
                },
            )
        ),
        Link.TRUST,
        BROKEN,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    ),
    "target role: does not exist": (_chained(target_role=Missing("role")), Link.TRUST, BROKEN, Verdict.POD_IDENTITY_NOT_TRUSTED),
    "target role: the first role may assume it": (_chained(simulated=simulation()), Link.PERMISSIONS, OK, None),
    "target role: whether the first role may assume it not read": (
        _chained(simulated=simulation(), target_simulated=UNREAD),
        Link.PERMISSIONS,
        UNKNOWN,
        None,
    ),
    "target role: the first role may not assume it": (
        _chained(target_simulated=dict.fromkeys(POD_IDENTITY_ACTIONS, REFUSED)),
        Link.PERMISSIONS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "target role: of the same account and names the first role, which needs no policy": (
        _chained(simulated=simulation(), target_simulated=dict.fromkeys(POD_IDENTITY_ACTIONS, REFUSED), target_role=OWN_TARGET),
        Link.PERMISSIONS,
        OK,
        None,
    ),
    "target role: of the same account and names the first role, which a policy denies": (
        _chained(target_simulated=dict.fromkeys(POD_IDENTITY_ACTIONS, DENIED), target_role=OWN_TARGET),
        Link.PERMISSIONS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "associated trust: no role": (associated(role=Missing("role")), Link.TRUST, NOT_APPLICABLE, None),
    "associated trust: not read": (associated(role=UNREAD), Link.TRUST, UNKNOWN, None),
    # permissions
    "associated permissions: allowed": (associated(simulated=simulation()), Link.PERMISSIONS, OK, None),
    "associated permissions: a session policy": (
        associated(simulated=simulation(), associations=_associations(policy="{}")),
        Link.PERMISSIONS,
        UNKNOWN,
        None,
    ),
    "associated permissions: refused": (
        associated(simulated={**simulation(), "ec2:CreateNetworkInterface": REFUSED}),
        Link.PERMISSIONS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    # record and annotation
    "associated record: a person owns the association": (associated(), Link.ADDON_RECORD, NOT_APPLICABLE, None),
    "associated record: the add-on owns it": (
        associated(addon=replace(addon(), arn="arn:addon"), associations=_associations(owner="arn:addon")),
        Link.ADDON_RECORD,
        OK,
        None,
    ),
    "associated record: being updated": (associated(addon=addon(status="UPDATING")), Link.ADDON_RECORD, BROKEN, Verdict.UPDATE_IN_PROGRESS),
    "associated record: no add-on": (associated(addon=NOT_READ), Link.ADDON_RECORD, NOT_APPLICABLE, None),
    "associated annotation: left over, and only another manager owns it": (
        associated(settings=settings(claim=Claim.ALWAYS)),
        Link.ANNOTATION,
        NOT_APPLICABLE,
        None,
    ),
    "associated annotation: left over": (associated(service_account=service_account(OTHER_ROLE)), Link.ANNOTATION, NOT_APPLICABLE, None),
    # pods
    "credentials: in every pod": (associated(), Link.PODS, OK, None),
    "credentials: not in three pods": (associated(pods=_pods(3)), Link.PODS, BROKEN, Verdict.PODS_WITHOUT_CREDENTIALS),
    "credentials: another role by web identity": (
        associated(pods=_pods(2, role_arn=OTHER_ROLE)),
        Link.PODS,
        BROKEN,
        Verdict.PODS_WITHOUT_CREDENTIALS,
    ),
    "credentials: the right role by web identity": (
        associated(pods=_pods(2, role_arn=ROLE), role=RoleFacts(arn=ROLE, trust=TRUST_OF_BOTH)),
        Link.PODS,
        OK,
        None,
    ),
    "credentials: the right role by web identity, which it no longer trusts": (
        associated(pods=_pods(2, role_arn=ROLE)),
        Link.PODS,
        BROKEN,
        Verdict.PODS_WITHOUT_CREDENTIALS,
    ),
    "credentials: the right role by web identity, and the role not read": (
        associated(pods=_pods(2, role_arn=ROLE), role=UNREAD),
        Link.PODS,
        OK,
        None,
    ),
    "credentials: both, and web identity wins": (
        associated(pods=_pods(15, role_arn=OTHER_ROLE, container_credentials=True)),
        Link.PODS,
        BROKEN,
        Verdict.ROLE_IN_POD_TEMPLATE,
    ),
    "credentials: a role without a token file does not win": (
        associated(pods=_pods(15, role_arn=OTHER_ROLE, has_token_file=False, container_credentials=True)),
        Link.PODS,
        OK,
        None,
    ),
    "credentials: access keys win": (
        associated(pods=_pods(15, has_static_keys=True, container_credentials=True)),
        Link.PODS,
        BROKEN,
        Verdict.ROLE_IN_POD_TEMPLATE,
    ),
    "credentials: of an association with another role": (
        associated(associations=_associations(role_arn=OTHER_ROLE)),
        Link.PODS,
        NOT_APPLICABLE,
        None,
    ),
    "credentials: no pod of a Deployment": (
        associated(pods=(), workload=workload(kind=WorkloadKind.DEPLOYMENT, desired=1)),
        Link.PODS,
        UNKNOWN,
        None,
    ),
}
