"""Link 8: the add-on record at EKS. It outlives changes inside the cluster."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from shlex import quote
from typing import Final

from lambdas.contract.names import ADDON_MANAGER
from lambdas.contract.settings import AddonRecord, Severity
from lambdas.domain.aws_commands import aws_command
from lambdas.domain.diagnosis.call_needs import parse_release
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, Remedy, broken, not_applicable, ok, unknown
from lambdas.domain.diagnosis.pod_credentials import uses_pod_identity
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.diagnosis.workload_needs import release_warning
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Binding,
    ClusterFacts,
    HealthIssue,
    Missing,
    NotRead,
    ServiceAccountFacts,
    Snapshot,
    Unknown,
)

INITIALIZATION: Final = timedelta(minutes=15)
"""Time after a cluster's creation in which the add-on API may not answer yet.

Source: https://github.com/terraform-aws-modules/terraform-aws-eks/pull/3214
"""

_IDENTITY_ISSUES: Final = ("AccessDenied", "AddonPermissionFailure")
_CONSEQUENCES: Final = ("InsufficientNumberOfReplicas", *_IDENTITY_ISSUES)
"""Health issues that a missing identity causes. Alone they show no other cause.

Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_AddonIssue.html
"""
_EKS_REFUSED: Final = 'User "eks:'
"""`AccessDenied` may also mean that the cluster's RBAC refuses EKS itself, which no role of the plug-in fixes.

Source: https://github.com/kubernetes-sigs/aws-ebs-csi-driver/issues/1552
"""

_UPDATING: Final = ("CREATING", "UPDATING", "DELETING")
_FAILED: Final = ("UPDATE_FAILED", "CREATE_FAILED", "DELETE_FAILED")
_DEGRADED: Final = ("DEGRADED", *_FAILED)


def record_link(snapshot: Snapshot) -> Finding:
    """Link 8: the add-on record has the role, and no update is running."""
    if fault := addon_fault(snapshot):
        return fault
    if not isinstance(snapshot.addon, AddonFacts):
        absent = isinstance(snapshot.addon, Missing)
        return not_applicable(
            Link.ADDON_RECORD, f"{snapshot.addon_name} is not an EKS add-on here" if absent else "no EKS add-on owns this ServiceAccount"
        )
    return _role_in_record(snapshot, snapshot.addon)


def addon_fault(snapshot: Snapshot) -> Finding | None:
    """A running update, a fault that the add-on reports, or a record that could not be read; None where there is none of them."""
    if isinstance(snapshot.cluster, ClusterFacts) and snapshot.cluster.status == "UPDATING":
        return broken(Link.ADDON_RECORD, Verdict.UPDATE_IN_PROGRESS, "The cluster is being updated.", severity=Severity.INFO)
    match snapshot.addon:
        case NotRead() | Missing():
            return None
        case Unknown(reason) if _is_initializing(snapshot):
            return broken(
                Link.ADDON_RECORD, Verdict.CLUSTER_INITIALIZING, f"The cluster was created minutes ago: {reason}", severity=Severity.INFO
            )
        case Unknown(reason):
            return unknown(Link.ADDON_RECORD, reason)
        case AddonFacts() as addon:
            return _reported_fault(snapshot, addon)


def _is_initializing(snapshot: Snapshot) -> bool:
    return isinstance(snapshot.cluster, ClusterFacts) and snapshot.began_at - snapshot.cluster.created_at < INITIALIZATION


def _record_evidence(addon: AddonFacts) -> Evidence:
    return Evidence(f"add-on {addon.name} {addon.version}", "serviceAccountRoleArn", addon.role_arn or "none", addon.modified_at)


def _reported_fault(snapshot: Snapshot, addon: AddonFacts) -> Finding | None:
    if addon.status in _UPDATING:
        sentence = f"The add-on {addon.name} is {addon.status}; a write now could make the update fail."
        return broken(Link.ADDON_RECORD, Verdict.UPDATE_IN_PROGRESS, sentence, _record_evidence(addon), severity=Severity.INFO)
    if otherwise := [issue for issue in addon.issues if not _is_consequence(issue)]:
        return _degraded(snapshot, addon, otherwise)
    return None


_RESOLVE_HEALTH: Final = (Remedy("resolve the health issue of the add-on"),)


def _degraded(snapshot: Snapshot, addon: AddonFacts, issues: Sequence[HealthIssue]) -> Finding:
    is_conflict = issues[0].code == "ConfigurationConflict"
    sentence = f"The add-on {addon.name} is {addon.status}: {issues[0].code}: {issues[0].message[:200]}"
    return broken(
        Link.ADDON_RECORD,
        Verdict.ADDON_DEGRADED,
        _conflict(snapshot, addon, issues[0]) if is_conflict else sentence,
        *(Evidence(", ".join(issue.resources[:3]) or addon.name, issue.code, issue.message[:300]) for issue in issues[:3]),
        severity=Severity.WARNING,
        remedies=_conflict_remedies(snapshot, addon) if is_conflict else _RESOLVE_HEALTH,
    )


def _conflict(snapshot: Snapshot, addon: AddonFacts, issue: HealthIssue) -> str:
    attempted = _attempted_version(snapshot, addon)
    target = f" to {attempted}" if attempted else ""
    return (
        f"The update of the {addon.name} add-on{target} failed, since EKS would change values that another writer owns. "
        f"EKS reports {issue.code}: {issue.message[:200]}"
    )


def requested_version(snapshot: Snapshot) -> str:
    """The add-on version of the last recorded call; empty where none is known."""
    return snapshot.actor.addon_version if snapshot.actor else ""


def _attempted_version(snapshot: Snapshot, addon: AddonFacts) -> str:
    """The version that the last call requested; empty where no call is known. The record may still have the version before it."""
    requested = requested_version(snapshot)
    return requested if parse_release(requested) and parse_release(requested) != parse_release(addon.version) else ""


def _conflict_remedies(snapshot: Snapshot, addon: AddonFacts) -> tuple[Remedy, ...]:
    """A remedy for a field conflict: repeat the update with the choice of the value to keep.

    Without a version, UpdateAddon keeps the installed one, so the command names the version where it is known.
    """
    attempted = _attempted_version(snapshot, addon)
    unknown_version = "" if attempted or addon.status == "DEGRADED" else " (add --addon-version for the version that you want)"
    repeat = Remedy(f"repeat the update and keep the present value{unknown_version}", update_with_role(snapshot, addon, version=attempted))
    if warning := release_warning(snapshot, attempted):
        repeat = Remedy(f"update to another version and keep the present value, since {warning}")
    return (
        repeat,
        Remedy("to use the value of EKS instead, replace PRESERVE by OVERWRITE: it removes the values that the health issue names"),
    )


def update_with_role(snapshot: Snapshot, addon: AddonFacts, *, version: str = "") -> str:
    """The command that updates the add-on and keeps its role. An update without the role removes it; associations stay without a mention.

    Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateAddon.html (serviceAccountRoleArn, resolveConflicts)
    """
    role = addon.role_arn if uses_pod_identity(snapshot) else snapshot.desired_role or addon.role_arn
    options = f"--cluster-name {snapshot.target.cluster} --addon-name {quote(addon.name)}"
    update = aws_command("eks update-addon", snapshot.region, options)
    update += f" --addon-version {quote(version)}" if version else ""
    return (
        f"{update} --service-account-role-arn {quote(role)} --resolve-conflicts PRESERVE"
        if role
        else f"{update} --resolve-conflicts PRESERVE"
    )


def _role_in_record(snapshot: Snapshot, addon: AddonFacts) -> Finding:
    evidence = _record_evidence(addon)
    if not isinstance(snapshot.binding, Binding):
        return not_applicable(Link.ADDON_RECORD, f"{addon.status}, role {addon.role_arn or 'none'}; no binding to compare with")
    if addon.role_arn == snapshot.binding.role_arn and addon.status in _FAILED:
        return replace(unknown(Link.ADDON_RECORD, f"{addon.status}, has the role; EKS does not report why it failed"), evidence=(evidence,))
    if addon.role_arn == snapshot.binding.role_arn:
        return ok(Link.ADDON_RECORD, f"{addon.status}, has the role", evidence)
    if snapshot.settings.addon_record is AddonRecord.NOTIFY_ONLY and addon.role_arn is None:
        return not_applicable(Link.ADDON_RECORD, "no role; addon_record is notify-only")
    return broken(Link.ADDON_RECORD, Verdict.ADDON_ROLE_MISSING, _next_update(snapshot, addon), evidence, severity=Severity.WARNING)


def _next_update(snapshot: Snapshot, addon: AddonFacts) -> str:
    """The effect of the next update of the add-on on the annotation.

    The add-on manager applies its manifest server-side. A field that it stops applying is removed only where no other manager owns it.
    Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """
    if addon.role_arn is not None:
        return f"The {addon.name} add-on has another role, {addon.role_arn}, which its next update sets."
    account = snapshot.service_account
    writers = account.writers if isinstance(account, ServiceAccountFacts) else ()
    others = sorted({writer.manager for writer in writers if writer.owns_annotation} - {ADDON_MANAGER})
    if others:
        return (
            f"The {addon.name} add-on has no role. Its updates keep the annotation only while it is also owned by {' and '.join(others)}."
        )
    return f"The {addon.name} add-on has no role, so its next update removes the annotation."


def permission_issues(addon: AddonFacts) -> tuple[HealthIssue, ...]:
    """Health issues that report refused AWS calls of the add-on."""
    return tuple(issue for issue in addon.issues if issue.code in _IDENTITY_ISSUES and _EKS_REFUSED not in issue.message)


def _is_consequence(issue: HealthIssue) -> bool:
    return issue.code in _CONSEQUENCES and _EKS_REFUSED not in issue.message


def degraded_addon(snapshot: Snapshot, unproven_parts: Callable[[], Sequence[str]]) -> Finding | None:
    """The finding for a degraded add-on where no link is broken; None where the add-on is healthy.

    `unproven_parts` returns what was not shown about the role. Only where that is nothing, no link explains the fault.
    """
    if not isinstance(snapshot.addon, AddonFacts) or snapshot.addon.status not in _DEGRADED:
        return None
    words = "; ".join(f"{issue.code}: {issue.message[:200]}" for issue in snapshot.addon.issues[:3]) or "EKS names no issue"
    unproven = ", ".join(unproven_parts())
    explained = f"the identity chain was not checked completely ({unproven})" if unproven else "no link of the identity chain explains it"
    return broken(
        Link.ADDON_RECORD,
        Verdict.ADDON_DEGRADED,
        f"The add-on {snapshot.addon.name} is {snapshot.addon.status}, and {explained}: {words}",
        *(
            Evidence(", ".join(issue.resources[:3]) or snapshot.addon.name, issue.code, issue.message[:300])
            for issue in snapshot.addon.issues[:3]
        ),
        severity=Severity.WARNING,
        remedies=_RESOLVE_HEALTH if snapshot.addon.issues else (_read_updates(snapshot, snapshot.addon),),
    )


def _read_updates(snapshot: Snapshot, addon: AddonFacts) -> Remedy:
    """Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeUpdate.html"""
    return Remedy(
        "list the updates of the add-on, and read the errors of the newest with aws eks describe-update",
        aws_command("eks list-updates", snapshot.region, f"--name {snapshot.target.cluster} --addon-name {quote(addon.name)}"),
    )
