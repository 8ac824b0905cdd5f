"""The steps of a migration between IRSA and EKS Pod Identity, and what prevents it. Pure, except for `read_migration`.

The state of cluster, EKS and parameter decides which steps are done. So a migration that was interrupted at any step continues when it
is run again, and the way back begins wherever it stands.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain as flatten
from typing import TYPE_CHECKING, Any, Final

from lambdas.application.assessment import PolicySources, assess
from lambdas.application.readers import Hints, read_optional
from lambdas.application.remediation.steps.rolling_replacement import batch
from lambdas.application.snapshot_collection import add_agent
from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.parameters import Mechanism, ServiceAccountRef, binding_path
from lambdas.contract.workloads import KNOWN_ADDONS
from lambdas.domain.diagnosis.finding import Finding, Link, State
from lambdas.domain.diagnosis.identity_chain import Diagnosis, diagnose
from lambdas.domain.diagnosis.links.annotation import sort_by_age
from lambdas.domain.diagnosis.links.pod_identity_agent import agent_finding, joining_nodes
from lambdas.domain.diagnosis.pod_credentials import CredentialSource, credential_source
from lambdas.domain.planning.role_bounds import account_of, why_outside
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.bindings import BindingValue, desired_settings
from lambdas.domain.snapshot.node_reachability import reachable_pods
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    AddonFacts,
    Binding,
    ClusterFacts,
    PodFacts,
    RoleFacts,
    ServiceAccountFacts,
    Snapshot,
    Unknown,
    WorkloadFacts,
)
from lambdas.domain.trust import POD_IDENTITY, AssociationIdentity
from lambdas.domain.trust.identity import issuer_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cli.clients.dependencies import Dependencies

Json = dict[str, Any]


class StepKind(StrEnum):
    """The steps of both directions. Each is one change, except `pods`, which replaces pods one after the other."""

    BINDING = "binding"
    ASSOCIATION = "association"
    ANNOTATION = "annotation"
    PODS = "pods"
    RECORD = "record"


ORDER: Final[Mapping[Mechanism, tuple[StepKind, ...]]] = {
    Mechanism.POD_IDENTITY: (StepKind.BINDING, StepKind.ASSOCIATION, StepKind.PODS, StepKind.ANNOTATION, StepKind.RECORD),
    Mechanism.IRSA: (StepKind.ANNOTATION, StepKind.BINDING, StepKind.ASSOCIATION, StepKind.PODS, StepKind.RECORD),
}
"""A new pod always has a mechanism: the annotation goes after every pod uses the association, and comes before the association goes.

The binding comes before the association, so that the remediator never works against the migration.
"""


@dataclass(frozen=True, kw_only=True)
class MigrationStep:
    """One step: what it does, whether its effect is there already, and the change in the owner's code."""

    kind: StepKind
    sentence: str
    is_done: bool
    in_code: str


@dataclass(frozen=True, kw_only=True)
class TrustChange:
    """A change of a role's trust policy, as it was read and as it has to be."""

    role_arn: str
    before: Mapping[str, object]
    after: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Migration:
    """The migration of one ServiceAccount as it stands. Nothing is written while there are `obstacles`.

    `trust` is the change of the trust policy that is needed first. A person makes it, or asks for it. `is_trust_alone`: the trust policy
    is the only obstacle. `waits_for` are nodes that joined recently and have no agent yet: no step is taken before they have one.
    """

    to: Mechanism
    snapshot: Snapshot
    diagnosis: Diagnosis
    steps: tuple[MigrationStep, ...]
    obstacles: tuple[str, ...]
    trust: TrustChange | None = None
    is_trust_alone: bool = False
    waits_for: tuple[str, ...] = ()

    @property
    def target(self) -> ServiceAccountRef:
        """The ServiceAccount."""
        return self.snapshot.target

    @property
    def remaining(self) -> tuple[MigrationStep, ...]:
        """The steps whose effect is not there yet, in order."""
        return tuple(step for step in self.steps if not step.is_done)

    @property
    def binding(self) -> Binding | None:
        """The binding, which a migration needs."""
        return self.snapshot.binding if isinstance(self.snapshot.binding, Binding) else None

    @property
    def pods(self) -> tuple[PodFacts, ...]:
        """The reachable pods."""
        return reachable_pods(self.snapshot)

    @property
    def moved_pods(self) -> tuple[PodFacts, ...]:
        """The pods that use the new mechanism."""
        return tuple(pod for pod in self.pods if uses(pod, self.to, self.binding.role_arn if self.binding else ""))


def uses(pod: PodFacts, mechanism: Mechanism, role_arn: str) -> bool:
    """Whether the SDKs in the pod use this mechanism."""
    source = credential_source(pod)
    if mechanism is Mechanism.POD_IDENTITY:
        return source is CredentialSource.ASSOCIATION
    return source is CredentialSource.WEB_IDENTITY and pod.role_arn == role_arn


def opposite(mechanism: Mechanism) -> Mechanism:
    """The mechanism that the way back leads to."""
    return Mechanism.IRSA if mechanism is Mechanism.POD_IDENTITY else Mechanism.POD_IDENTITY


# --- reading -----------------------------------------------------------------------------------------------------------------------------


def read_migration(target: ServiceAccountRef, to: Mechanism, dependencies: Dependencies) -> Migration:
    """Read the present state and return what is left to do.

    Raises:
        TransientError: an essential read failed.
    """
    sources = PolicySources(incidents=dependencies.incidents, calendar=dependencies.calendar)
    assessed = assess(target, dependencies.readers, sources, dependencies.now(), Hints())
    snapshot = assessed.snapshot
    if to is Mechanism.POD_IDENTITY:
        return plan_migration(add_agent(snapshot, dependencies.readers), assessed.diagnosis, to, _associable(snapshot, dependencies))
    provider = snapshot.cluster.provider_arn if isinstance(snapshot.cluster, ClusterFacts) else None
    read = read_optional(lambda: dependencies.readers.iam.oidc_provider(provider)) if provider else NOT_READ
    return plan_migration(replace(snapshot, oidc_provider=read), assessed.diagnosis, to, frozenset())


def _associable(snapshot: Snapshot, dependencies: Dependencies) -> frozenset[str] | Unknown | None:
    """The ServiceAccounts for which the installed add-on takes associations; None without an add-on."""
    if not isinstance(snapshot.addon, AddonFacts):
        return None
    name, version = snapshot.addon.name, snapshot.addon.version
    return read_optional(lambda: dependencies.identities.associable(name, version))


# --- planning ----------------------------------------------------------------------------------------------------------------------------


def plan_migration(snapshot: Snapshot, diagnosis: Diagnosis, to: Mechanism, associable: frozenset[str] | Unknown | None) -> Migration:
    """The steps with what is done, and the obstacles. `associable` are the ServiceAccounts that the add-on takes associations for."""
    binding = snapshot.binding
    if not isinstance(binding, Binding):
        where = snapshot.target
        wanted = f"irsa-remediator adopt --cluster {where.cluster} --service-account {where.namespace}/{where.name}"
        obstacle = f"{where.key} has no valid binding, which says which role to migrate: run {wanted}"
        return Migration(to=to, snapshot=snapshot, diagnosis=diagnosis, steps=(), obstacles=(obstacle,))
    chain = diagnose(_as_if(snapshot, binding, to))
    readings = _Readings(snapshot=snapshot, binding=binding, diagnosis=diagnosis, chain=chain, to=to, associable=associable)
    found = tuple(_obstacles(readings))
    return Migration(
        to=to,
        snapshot=snapshot,
        diagnosis=diagnosis,
        steps=tuple(_step(kind, snapshot, binding, to) for kind in ORDER[to]),
        obstacles=tuple(dict.fromkeys(sentence for _, sentence in found)),
        trust=_trust_change(snapshot, chain),
        is_trust_alone={link for link, _ in found} == {Link.TRUST},
        waits_for=joining_nodes(_as_if(snapshot, binding, to)) if to is Mechanism.POD_IDENTITY else (),
    )


@dataclass(frozen=True, kw_only=True)
class _Readings:
    """What obstacles are found in: the present state, and `chain`, the diagnosis as the new mechanism would find it."""

    snapshot: Snapshot
    binding: Binding
    diagnosis: Diagnosis
    chain: Diagnosis
    to: Mechanism
    associable: frozenset[str] | Unknown | None


def _as_if(snapshot: Snapshot, binding: Binding, to: Mechanism) -> Snapshot:
    """The snapshot as the other mechanism would find it."""
    changed = replace(snapshot, binding=replace(binding, mechanism=to))
    return changed if to is Mechanism.POD_IDENTITY else replace(changed, associations=(), agent=NOT_READ)


def _trust_change(snapshot: Snapshot, chain: Diagnosis) -> TrustChange | None:
    corrected = chain[Link.TRUST].corrected
    if not chain[Link.TRUST].is_broken or not corrected or not isinstance(snapshot.role, RoleFacts):
        return None
    return TrustChange(role_arn=snapshot.role.arn, before=snapshot.role.trust, after=json.loads(corrected))


def _obstacles(readings: _Readings) -> Iterator[tuple[Link | None, str]]:
    """What prevents the migration, each with the link that is broken or was not read; None for what is no link."""
    snapshot, binding, chain = readings.snapshot, readings.binding, readings.chain
    for link in (Link.CLUSTER, Link.WORKLOAD):
        if chain[link].state is not State.OK:
            yield link, f"{link.title}: {chain[link].sentence}"
            return
    if why := why_outside(binding.role_arn, account=snapshot.account, bound_roles=snapshot.bound_roles):
        yield None, why
    for link in (Link.ROLE, Link.OIDC_PROVIDER, Link.TRUST, Link.PERMISSIONS):
        finding = chain[link]
        if finding.is_broken or (finding.state is State.UNKNOWN and link is not Link.PERMISSIONS):
            yield link, f"{link.title}: {finding.sentence}"
    others = (
        _association_obstacles(readings) if readings.to is Mechanism.POD_IDENTITY else _irsa_obstacles(binding),
        _owner_obstacles(snapshot, binding, readings.to),
        _pod_obstacles(readings),
    )
    yield from ((None, sentence) for sentence in flatten.from_iterable(others))


def _association_obstacles(readings: _Readings) -> Iterator[str]:
    snapshot, binding, associable = readings.snapshot, readings.binding, readings.associable
    account = account_of(binding.role_arn)
    if account != snapshot.account:
        yield (
            f"EKS takes only a role of the cluster's account for an association, and {binding.role_arn} belongs to account {account}: bind"
            " a role of the cluster's account, with this one as target role"
        )
    agent: Finding = agent_finding(_as_if(snapshot, binding, readings.to), "")
    if agent.state is not State.OK and not joining_nodes(_as_if(snapshot, binding, readings.to)):
        yield agent.sentence.removeprefix("; ")
    if isinstance(associable, Unknown):
        yield f"whether the add-on takes associations was not read: {associable.reason}"
    elif associable is not None and snapshot.target.name not in associable and isinstance(snapshot.addon, AddonFacts):
        name = f"{snapshot.addon.name} {snapshot.addon.version}"
        yield f"add-on {name} takes no association for {snapshot.target.name}: update the add-on first"


def _irsa_obstacles(binding: Binding) -> Iterator[str]:
    if binding.target_role_arn:
        yield f"the association chains to {binding.target_role_arn}, and IRSA has no target role"
    if binding.policy:
        yield "the binding names a session policy, and IRSA has none: pods would get every permission of the role"


def _owner_obstacles(snapshot: Snapshot, binding: Binding, to: Mechanism) -> Iterator[str]:
    found = snapshot.association
    if found is None:
        return
    is_right = found.settings == desired_settings(binding, found)
    if to is Mechanism.POD_IDENTITY and not is_right:
        yield f"the association {found.id} exists and gives {found.role_arn}: correct it, or the binding, first"
    if to is Mechanism.IRSA and found.declared_by:
        yield f"{found.declared_by} declares the association {found.id} and would create it again: remove it there"
    if to is Mechanism.IRSA and found.owner_addon and found.owner_addon not in KNOWN_ADDONS:
        yield f"the add-on {found.owner_addon} owns the association {found.id}: remove it from the add-on"


def _pod_obstacles(readings: _Readings) -> Iterator[str]:
    """Pods must work before the migration. Once pods have moved, a pod that is not ready is one of the migration."""
    snapshot = readings.snapshot
    if not isinstance(snapshot.pods, tuple):
        yield f"the pods could not be read: {snapshot.pods.reason}"
        return
    pods = reachable_pods(snapshot)
    has_moved = any(uses(pod, readings.to, readings.binding.role_arn) for pod in pods)
    unready = [pod.name for pod in pods if not pod.ready]
    if unready and not has_moved:
        yield f"{pluralize(len(unready), 'pod is', 'pods are')} not ready, for example {unready[0]}: repair them first"
    template = isinstance(snapshot.workload, WorkloadFacts) and snapshot.workload.template_role_arn
    if template or any(pod.has_static_keys for pod in pods):
        what = "AWS_ROLE_ARN" if template else "access keys"
        yield f"the pod template sets {what}, which SDKs use before either mechanism: remove it from the code that declares the workload"
    if readings.diagnosis[Link.PERMISSION_ERRORS].is_broken:
        yield readings.diagnosis[Link.PERMISSION_ERRORS].sentence


# --- the steps ---------------------------------------------------------------------------------------------------------------------------


def _step(kind: StepKind, snapshot: Snapshot, binding: Binding, to: Mechanism) -> MigrationStep:
    is_done, sentence = _STEPS[kind](snapshot, binding, to)
    return MigrationStep(kind=kind, sentence=sentence, is_done=is_done, in_code=_in_code(kind, snapshot.target, binding, to))


def binding_value(binding: Binding, to: Mechanism) -> str:
    """The text of the parameter after the migration. IRSA has neither session tags nor a policy."""
    if to is Mechanism.IRSA:
        return BindingValue(role=binding.role_arn, mechanism=to).text
    return BindingValue(
        role=binding.role_arn,
        mechanism=to,
        target_role=binding.target_role_arn or "",
        session_tags=binding.session_tags,
        policy=binding.policy,
    ).text


def _binding_step(snapshot: Snapshot, binding: Binding, to: Mechanism) -> tuple[bool, str]:
    path = binding_path(snapshot.target.cluster, snapshot.target.namespace, snapshot.target.name)
    return binding.mechanism is to, f"set the mechanism of the binding {path} to {to}"


def _association_step(snapshot: Snapshot, binding: Binding, to: Mechanism) -> tuple[bool, str]:
    found = snapshot.association
    if to is Mechanism.POD_IDENTITY:
        return found is not None, f"create the pod identity association with {binding.role_arn}"
    owner = f" through the add-on {found.owner_addon}" if found and found.owner_addon else ""
    return found is None, f"delete the pod identity association{owner}"


def _annotation_step(snapshot: Snapshot, binding: Binding, to: Mechanism) -> tuple[bool, str]:
    account = snapshot.service_account
    value = account.role_annotations.get(ROLE_ANNOTATION) if isinstance(account, ServiceAccountFacts) else None
    if to is Mechanism.POD_IDENTITY:
        return value is None, "remove the role annotation, which has no effect beside the association"
    return value == binding.role_arn, f"set the role annotation to {binding.role_arn}"


def _pods_step(snapshot: Snapshot, binding: Binding, to: Mechanism) -> tuple[bool, str]:
    pods = reachable_pods(snapshot)
    left = [pod for pod in pods if not uses(pod, to, binding.role_arn)]
    desired = snapshot.workload.desired if isinstance(snapshot.workload, WorkloadFacts) else 0
    is_done = not left and len(pods) >= desired and all(pod.ready for pod in pods)
    if not left:
        return is_done, f"every pod uses {to}" if is_done else f"wait until every pod with {to} is ready"
    return False, f"replace {pluralize(len(left), 'pod')}: one first, then the others as the workload allows"


def _record_step(snapshot: Snapshot, binding: Binding, to: Mechanism) -> tuple[bool, str]:
    addon = snapshot.addon if isinstance(snapshot.addon, AddonFacts) else None
    name = addon.name if addon else "none"
    if to is Mechanism.POD_IDENTITY:
        return addon is None or addon.role_arn is None, f"remove the role from the add-on record {name}"
    return addon is None or addon.role_arn == binding.role_arn, f"write the role into the add-on record {name}"


_STEPS: Final = {
    StepKind.BINDING: _binding_step,
    StepKind.ASSOCIATION: _association_step,
    StepKind.ANNOTATION: _annotation_step,
    StepKind.PODS: _pods_step,
    StepKind.RECORD: _record_step,
}


_ADDED: Final[Mapping[StepKind, str]] = {
    StepKind.BINDING: '{{"role": "{role}", "mechanism": "{to}"}} in the parameter {path}',
    StepKind.ASSOCIATION: (
        "Terraform: aws_eks_pod_identity_association with namespace, service_account and role_arn · eksctl: iam.podIdentityAssociations ·"
        " CloudFormation: AWS::EKS::PodIdentityAssociation · CDK: CfnPodIdentityAssociation"
    ),
    StepKind.ANNOTATION: (
        "eks.amazonaws.com/role-arn: {role} on the ServiceAccount: Terraform: kubernetes_service_account · eksctl: iam.serviceAccounts ·"
        " CDK: cluster.addServiceAccount · Helm: serviceAccount.annotations"
    ),
    StepKind.RECORD: (
        "Terraform: service_account_role_arn of aws_eks_addon · eksctl: addons[].serviceAccountRoleARN · CloudFormation:"
        " ServiceAccountRoleArn of AWS::EKS::Addon · CDK: serviceAccountRoleArn of CfnAddon"
    ),
}
"""Where the owner's code declares each part.

Sources: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/eks_pod_identity_association
https://eksctl.io/usage/pod-identity-associations/
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eks-podidentityassociation.html
https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_eks.CfnAddon.html
"""


def _in_code(kind: StepKind, target: ServiceAccountRef, binding: Binding, to: Mechanism) -> str:
    """What the owner's code has to say or no longer say after the step; empty where it declares nothing."""
    if kind is StepKind.PODS:
        return ""
    is_added = kind is StepKind.BINDING or (kind is StepKind.ASSOCIATION) is (to is Mechanism.POD_IDENTITY)
    path = binding_path(target.cluster, target.namespace, target.name)
    text = _ADDED[kind].format(role=binding.role_arn, to=to, path=path)
    return f"{'declare' if is_added else 'remove'} {text}"


# --- replacing pods ----------------------------------------------------------------------------------------------------------------------


def next_deletions(pods: Sequence[PodFacts], *, to: Mechanism, role_arn: str, desired: int, at_a_time: int) -> tuple[PodFacts, ...]:
    """The pods to delete now, so that their successors use the new mechanism. Empty while a successor is not ready yet.

    The first successor must be ready before a second pod goes. Then the rule is that of a repair.
    """
    staying = [pod for pod in pods if not pod.deleting]
    moved = [pod for pod in staying if uses(pod, to, role_arn)]
    others = sort_by_age(pod for pod in staying if pod not in moved)
    if not any(pod.ready for pod in moved):
        return others[:1] if not moved and sum(pod.ready for pod in staying) >= desired else ()
    return batch(others, at_a_time, max(0, desired - len(staying)) + sum(not pod.ready for pod in moved))


# --- the trust of the mechanism that was left --------------------------------------------------------------------------------------------


def retired_trust(trust: Mapping[str, Any], former: Mechanism, cluster: ClusterFacts, target: ServiceAccountRef) -> dict[str, Any] | None:
    """The trust policy without the statements that admit only this ServiceAccount of this cluster by the former mechanism.

    None where there is no such statement, or no other one. A statement whose condition admits other ServiceAccounts or clusters stays.
    """
    statements = trust.get("Statement")
    listed: list[Any] = statements if isinstance(statements, list) else [statements]
    kept = [statement for statement in listed if not _serves_only(statement, former, cluster, target)]
    return {**trust, "Statement": kept} if kept and len(kept) < len(listed) else None


def _serves_only(statement: Any, former: Mechanism, cluster: ClusterFacts, target: ServiceAccountRef) -> bool:
    """Whether the statement admits nothing else. A role can be shared by clusters of several regions, which are not read."""
    if not isinstance(statement, dict) or statement.get("Effect") != "Allow":
        return False
    conditions = statement.get("Condition", {})
    required = {
        key.lower(): value if isinstance(value, list) else [value]
        for operator in ("StringEquals", "ArnEquals")
        for key, value in conditions.get(operator, {}).items()
    }
    if former is Mechanism.IRSA:
        principal, claims = {"Federated": cluster.provider_arn}, {f"{issuer_in(cluster.provider_arn or '')}:sub": target.subject}
    else:
        identity = AssociationIdentity(cluster_arn=cluster.arn, namespace=target.namespace, service_account=target.name)
        names = ("eks-cluster-arn", "kubernetes-namespace", "kubernetes-service-account")
        principal = {"Service": POD_IDENTITY}
        claims = {key: value for key, value in identity.tags.items() if key.rpartition("/")[2] in names}
    return statement.get("Principal") == principal and all(required.get(key.lower()) == [value] for key, value in claims.items())
