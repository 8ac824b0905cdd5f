"""Findings about the guard and the warning. They explain no fault, so they come last, under the link of the annotation."""

from dataclasses import replace
from typing import Final

from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.policy_kinds import PolicyKind
from lambdas.contract.settings import GuardSetting, Severity
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, Remedy, broken
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.requests.request import RoleEffect
from lambdas.domain.snapshot.bindings import wants_association
from lambdas.domain.snapshot.guard import GuardComparison, GuardState, compare
from lambdas.domain.snapshot.snapshot import Binding, ClusterFacts, ServiceAccountFacts, Snapshot

WANTED: Final = {
    GuardSetting.OPTIONAL: (),
    GuardSetting.WARN_ONLY: (PolicyKind.WARNING,),
    GuardSetting.WANTED: tuple(PolicyKind),
}
"""The policies that each value of the setting `guard` asks for."""
UNREAD: Final = "whether the guard follows the binding"
LONGEST_USER: Final = 200


def wanted_policies(setting: GuardSetting, version: str) -> tuple[PolicyKind, ...]:
    """The policies that the setting asks for in a cluster of this Kubernetes version, which serves only some kinds by default."""
    return tuple(kind for kind in WANTED[setting] if is_served_by(kind, version))


def is_served_by(kind: PolicyKind, version: str) -> bool:
    """Whether this Kubernetes version, such as `1.36`, serves policies of this kind by default. False for another text."""
    major, _, minor = version.partition(".")
    return major.isdigit() and minor.isdigit() and (int(major), int(minor)) >= kind.minimum_version


def guard_differs(snapshot: Snapshot) -> Finding | None:
    """The finding for a guard or warning that does not follow the binding, or is wanted and absent; None where neither is known."""
    if not isinstance(snapshot.guards, tuple):
        return None
    installed = {policy.kind: policy for policy in snapshot.guards}
    account = (snapshot.target.namespace, snapshot.target.name)
    for kind in PolicyKind:
        found = compare(kind, account, snapshot.binding, installed.get(kind))
        if found.state not in (GuardState.INSTALLED, GuardState.UNKNOWN, GuardState.ABSENT):
            return _differs(snapshot, kind, found)
        if found.state is GuardState.ABSENT and _is_wanted(snapshot, kind):
            detail = f"it is not installed, and the setting guard is {snapshot.settings.guard}"
            return _differs(snapshot, kind, GuardComparison(state=found.state, detail=detail))
    return None


def _is_wanted(snapshot: Snapshot, kind: PolicyKind) -> bool:
    """Whether the setting asks for the policy of a binding that can have one. Other bindings need no annotation."""
    is_bound = isinstance(snapshot.binding, Binding) and not wants_association(snapshot.binding)
    version = snapshot.cluster.version if isinstance(snapshot.cluster, ClusterFacts) else ""
    return is_bound and kind in wanted_policies(snapshot.settings.guard, version)


def _differs(snapshot: Snapshot, kind: PolicyKind, found: GuardComparison) -> Finding:
    target = snapshot.target
    scope = f"--cluster {target.cluster} --service-account {target.namespace}/{target.name}"
    match found.state:
        case GuardState.FOREIGN:
            remedy = Remedy("find out who created it and delete it")
        case GuardState.UNBOUND:
            remedy = Remedy("remove it, as an administrator of the cluster", f"irsa-remediator guard remove {scope}")
        case _:
            command = f"irsa-remediator guard apply {scope}{' --warn-only' if _is_only_warning(snapshot) else ''}"
            remedy = Remedy("install what the binding names, as an administrator of the cluster", command)
    return broken(
        Link.ANNOTATION,
        Verdict.GUARD_DIFFERS,
        f"The {kind} of {target.namespace}/{target.name} does not follow the binding: {found.detail}.",
        Evidence(f"{kind.policy} of {target.namespace}/{target.name}", "state", found.state),
        severity=Severity.WARNING,
        remedies=(remedy,),
    )


def _is_only_warning(snapshot: Snapshot) -> bool:
    """Whether the warning is installed or wanted, and the guard is neither."""
    has_guard = isinstance(snapshot.guards, tuple) and any(policy.kind is PolicyKind.GUARD for policy in snapshot.guards)
    return not has_guard and not _is_wanted(snapshot, PolicyKind.GUARD)


def without_effect(snapshot: Snapshot) -> Snapshot:
    """The same snapshot without the effect of the write that led to the check, for which people were notified already."""
    return replace(snapshot, actor=replace(snapshot.actor, effect=RoleEffect.NOT_KNOWN) if snapshot.actor else None)


def role_kept(snapshot: Snapshot) -> Finding | None:
    """The finding for a role that the guard kept in the write that led to this check; None for any other.

    The audit record tells that it was this write; the ServiceAccount shows that the guard completed a write of someone.
    """
    account, actor = snapshot.service_account, snapshot.actor
    if actor is None or actor.effect is not RoleEffect.KEPT or not isinstance(account, ServiceAccountFacts) or not account.left_out_by:
        return None
    value = account.role_annotations.get(ROLE_ANNOTATION)
    if value is None or value != snapshot.desired_role:
        return None
    user = account.left_out_by[:LONGEST_USER]
    sentence = f"The guard kept the role; {user} left it out. Where the cluster has no guard, the same change removes the role."
    evidence = Evidence(f"ServiceAccount {snapshot.target.namespace}/{snapshot.target.name}", "role left out by", user, actor.at)
    return broken(Link.ANNOTATION, Verdict.ROLE_KEPT, sentence, evidence, severity=Severity.WARNING)
