"""Policies over repair history that block a repair. Pure; each blocker has a reason and the time at which it ends."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from lambdas.contract.settings import Mode, Severity, WhenUnverified, Window
from lambdas.domain.diagnosis.finding import PRECONDITIONS, READABLE_PRECONDITIONS, Finding, Link, State
from lambdas.domain.diagnosis.identity_chain import Diagnosis
from lambdas.domain.diagnosis.links.annotation import last_writer, stale_pods
from lambdas.domain.diagnosis.links.identity import role_name, trust_breadth
from lambdas.domain.diagnosis.links.pod_identity_agent import joining_nodes
from lambdas.domain.diagnosis.pod_credentials import role_check, uses_pod_identity
from lambdas.domain.diagnosis.verdict import ANNOTATION_VERDICTS, Verdict
from lambdas.domain.diagnosis.workload_needs import installed_version, undecided_bad_release
from lambdas.domain.incidents.incident import Outcome, PastIncident
from lambdas.domain.planning.actions import AnnotateServiceAccount, CreateAssociation, UpdateAssociation
from lambdas.domain.planning.association import mechanism_precondition, repairs_association
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.planning.role_bounds import account_of, why_outside
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.node_reachability import reachable_pods
from lambdas.domain.snapshot.snapshot import Binding, Missing, ServiceAccountFacts, Snapshot

TUG_OF_WAR_REPAIRS: Final = 3
"""Number of repairs within `TUG_OF_WAR_SPAN` after which another writer is assumed to reset the annotation on purpose."""
TUG_OF_WAR_SPAN: Final = timedelta(hours=24)
PAST_SPAN: Final = TUG_OF_WAR_SPAN
"""Maximum age of history that a policy reads. The longest cool-down is a day as well."""
BREAKER_SPAN: Final = timedelta(hours=1)
"""Time after a parameter change in which clusters that turn broken count against the parameter."""


@dataclass(frozen=True, kw_only=True)
class RepairHistory:
    """The history that policies read.

    `incidents` are those of this ServiceAccount within `PAST_SPAN`, newest first. `turned_wrong` are clusters with an incident about the
    same binding since its recent change. `calendar_opens_at` is set while a Change Calendar is closed, and `calendar_unread` says why
    one
    could not be read. `round` counts the plans of this incident. `overridden` are policies that a person overrides. `unresolved` are links
    that were broken in this incident and have not been read as right since.
    """

    incident_id: str = "none"
    round: int = 1
    overridden: frozenset[BlockReason] = frozenset()
    incidents: tuple[PastIncident, ...] = ()
    affected_clusters: tuple[str, ...] = ()
    calendar_opens_at: datetime | None = None
    calendar_unread: str = ""
    unresolved: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Blocker:
    """One policy that blocks every action. `until` is the time at which it ends; None where only a person can end it."""

    reason: BlockReason
    sentence: str
    until: datetime | None = None
    verdict: Verdict | None = None


Policy = Callable[[Snapshot, Diagnosis, RepairHistory], Blocker | None]


def blockers(snapshot: Snapshot, diagnosis: Diagnosis, past: RepairHistory) -> Iterator[Blocker]:
    """Every policy that blocks repairs now, the most important first."""
    found = (policy(snapshot, diagnosis, past) for policy in POLICIES)
    return (blocker for blocker in found if blocker and blocker.reason not in past.overridden)


def _no_binding(snapshot: Snapshot, _diagnosis: Diagnosis, _past: RepairHistory) -> Blocker | None:
    if isinstance(snapshot.binding, Binding):
        return None
    path = snapshot.binding.what if isinstance(snapshot.binding, Missing) else snapshot.binding.path
    return Blocker(BlockReason.NO_BINDING, f"no binding exists; to let the remediator repair it, set the parameter {path}")


def _outside_bounds(snapshot: Snapshot, _diagnosis: Diagnosis, _past: RepairHistory) -> Blocker | None:
    if not isinstance(snapshot.binding, Binding):
        return None
    roles = filter(None, (snapshot.binding.role_arn, snapshot.binding.target_role_arn))
    found = (why_outside(role, account=snapshot.account, bound_roles=snapshot.bound_roles) for role in roles)
    why = next(filter(None, found), None)
    return Blocker(BlockReason.ROLE_OUTSIDE_BOUNDS, why) if why else None


def _trusts_everyone(snapshot: Snapshot, _diagnosis: Diagnosis, _past: RepairHistory) -> Blocker | None:
    # Such a policy does not show that the role is meant for this ServiceAccount: a binding could then give it any role of that kind.
    # An association names its ServiceAccount itself.
    wide = None if uses_pod_identity(snapshot) else trust_breadth(snapshot)
    if wide is None or not isinstance(snapshot.binding, Binding):
        return None
    return Blocker(
        BlockReason.TRUST_TOO_BROAD,
        f"the trust policy of {role_name(snapshot.binding.role_arn)} does not name one ServiceAccount of the {wide}, so it does not show "
        f"that the role is meant for {snapshot.target.namespace}/{snapshot.target.name}",
    )


def _precondition_failed(snapshot: Snapshot, diagnosis: Diagnosis, _past: RepairHistory) -> Blocker | None:
    # With Pod Identity, new pods get the role only from the right association and a ready agent.
    preconditions = (mechanism_precondition(snapshot, diagnosis), *(diagnosis[link] for link in PRECONDITIONS))
    precondition = next((finding for finding in preconditions if finding.is_broken), None)
    failing = next((finding for finding in diagnosis.broken_findings if _fails_with_role(finding)), None)
    found = precondition or failing
    return Blocker(BlockReason.PRECONDITION_FAILED, f"the role would not work: {found.sentence}") if found else None


def _fails_with_role(finding: Finding) -> bool:
    # A refused call of a pod with the role is evidence against the role, also where other pods are stale.
    # A pod that fails at STS uses the role: pods without it fail there as well.
    return finding.link is Link.PERMISSION_ERRORS and finding.verdict not in (Verdict.PODS_STALE, Verdict.PODS_WITHOUT_CREDENTIALS)


def _agent_joining(snapshot: Snapshot, diagnosis: Diagnosis, _past: RepairHistory) -> Blocker | None:
    # Replaced pods would wait for the agent as well, and a pod that starts before it gets no credentials.
    nodes = joining_nodes(snapshot)
    if not nodes or mechanism_precondition(snapshot, diagnosis).state is not State.UNKNOWN:
        return None
    return Blocker(BlockReason.GRACE_PERIOD, f"the Pod Identity agent is not ready yet on {', '.join(nodes[:3])}, which joined recently")


def _mechanism_unread(snapshot: Snapshot, diagnosis: Diagnosis, _past: RepairHistory) -> Blocker | None:
    # Where an association may decide the role, the annotation is never written, and where the agent may not answer, no pod is replaced.
    # No setting changes that.
    mechanism = mechanism_precondition(snapshot, diagnosis)
    if mechanism.state is not State.UNKNOWN or joining_nodes(snapshot):
        return None
    what = "the Pod Identity agent is ready" if uses_pod_identity(snapshot) else "a pod identity association decides the role"
    return Blocker(BlockReason.PRECONDITION_UNKNOWN, f"whether {what} could not be read ({mechanism.sentence})")


def _precondition_unknown(snapshot: Snapshot, diagnosis: Diagnosis, _past: RepairHistory) -> Blocker | None:
    unread = [diagnosis[link] for link in READABLE_PRECONDITIONS if diagnosis[link].state is State.UNKNOWN]
    setting = snapshot.settings.when_unverified
    is_own = account_of(snapshot.effective_role or "") == snapshot.account
    if not unread or setting is WhenUnverified.RESTORE or (is_own and setting is WhenUnverified.RESTORE_OWN):
        return None
    return Blocker(
        BlockReason.PRECONDITION_UNKNOWN, f"{unread[0].link.title} could not be read ({unread[0].sentence}); when_unverified is {setting}"
    )


def _precondition_refuted(snapshot: Snapshot, diagnosis: Diagnosis, past: RepairHistory) -> Blocker | None:
    # What was read as wrong stays wrong until it is read as right. No setting changes that: it is not unverified.
    unread = [diagnosis[link] for link in READABLE_PRECONDITIONS if diagnosis[link].state is State.UNKNOWN and link in past.unresolved]
    if not unread:
        return None
    return Blocker(
        BlockReason.PRECONDITION_UNKNOWN,
        f"{unread[0].link.title} was read as wrong before, and could not be read now ({unread[0].sentence})",
    )


def _release_may_not_start(snapshot: Snapshot, diagnosis: Diagnosis, _past: RepairHistory) -> Blocker | None:
    # A node role often allows the call, so that pods without the role work. Where pods fail already, the canary shows whether the role
    # helps. A ready pod with the role shows that the release starts with it.
    bad, version = undecided_bad_release(snapshot), installed_version(snapshot)
    working = sum(pod.ready for pod in stale_pods(snapshot))
    is_seen_to_start = any(pod.ready for pod in filter(role_check(snapshot), reachable_pods(snapshot)))
    is_accepted = snapshot.settings.when_unverified is WhenUnverified.RESTORE
    if bad is None or not working or is_seen_to_start or is_accepted or diagnosis.severity is Severity.CRITICAL:
        return None
    role = role_name(snapshot.effective_role or "")
    return Blocker(
        BlockReason.PRECONDITION_UNKNOWN,
        f"whether {role} allows {bad.call} is not known, and {bad.addon} {version} does not start without"
        f" it; {pluralize(working, 'pod works', 'pods work')} without the role now",
    )


def _observe(snapshot: Snapshot, _diagnosis: Diagnosis, _past: RepairHistory) -> Blocker | None:
    return Blocker(BlockReason.OBSERVE_MODE, "mode is observe: notify only") if snapshot.settings.mode is Mode.OBSERVE else None


def _tug_of_war(snapshot: Snapshot, diagnosis: Diagnosis, past: RepairHistory) -> Blocker | None:
    is_association = repairs_association(snapshot, diagnosis)
    if diagnosis[Link.ANNOTATION].verdict not in ANNOTATION_VERDICTS and not is_association:
        return None
    kinds = {CreateAssociation.kind, UpdateAssociation.kind} if is_association else {AnnotateServiceAccount.kind}
    ours = [
        repair.closed_at
        for repair in _repairs(past)
        if kinds & set(repair.changes)
        and repair.outcome is not Outcome.INTERRUPTED  # its annotation may have been corrected, and not removed
        and snapshot.began_at - repair.closed_at < TUG_OF_WAR_SPAN
    ]
    if len(ours) < TUG_OF_WAR_REPAIRS:
        return None
    account = snapshot.service_account
    writer = last_writer(account) if isinstance(account, ServiceAccountFacts) and not is_association else None
    other_writer = (
        snapshot.actor.who if snapshot.actor else writer.manager if writer and writer.owns_annotation else ""
    )  # the API server does not record a removal
    by_whom = f"last by {other_writer}" if other_writer else "the writer is not recorded"
    sentence = f"set {len(ours)} times within a day and undone each time, {by_whom}"
    return Blocker(BlockReason.TUG_OF_WAR, sentence, sorted(ours)[-TUG_OF_WAR_REPAIRS] + TUG_OF_WAR_SPAN, Verdict.FLAPPING)


def recent_binding_change(snapshot: Snapshot) -> tuple[str, datetime] | None:
    """The binding's path and the time of its change, where the change is recent enough for the circuit breaker."""
    binding = snapshot.binding
    if not isinstance(binding, Binding) or binding.changed_at is None or snapshot.began_at - binding.changed_at >= BREAKER_SPAN:
        return None
    return binding.path, binding.changed_at


def _circuit_breaker(snapshot: Snapshot, _diagnosis: Diagnosis, past: RepairHistory) -> Blocker | None:
    clusters, changed = {*past.affected_clusters, snapshot.target.cluster}, recent_binding_change(snapshot)
    if changed is None or len(clusters) < snapshot.settings.circuit_breaker_clusters:
        return None
    path, at = changed
    return Blocker(
        BlockReason.CIRCUIT_BREAKER,
        f"{len(clusters)} clusters have incidents since {path} changed {_at(at)}, so the parameter is probably wrong",
    )


def _repairs(past: RepairHistory) -> list[PastIncident]:
    return [incident for incident in past.incidents if incident.changes]


def _cooldown(snapshot: Snapshot, _diagnosis: Diagnosis, past: RepairHistory) -> Blocker | None:
    latest = max((repair.closed_at for repair in _repairs(past)), default=None)
    if latest is None:
        return None
    until = latest + timedelta(seconds=snapshot.settings.cooldown_s)
    return (
        Blocker(BlockReason.COOLDOWN, f"repaired {_at(latest)}; the next repair may start {_at(until)}", until)
        if snapshot.began_at < until
        else None
    )


def _too_many_repairs(snapshot: Snapshot, _diagnosis: Diagnosis, past: RepairHistory) -> Blocker | None:
    hour = timedelta(hours=1)
    recent = sorted(repair.closed_at for repair in _repairs(past) if snapshot.began_at - repair.closed_at < hour)
    most = snapshot.settings.max_repairs_per_hour
    if len(recent) < most:
        return None
    return Blocker(BlockReason.TOO_MANY_REPAIRS, f"{len(recent)} repairs within an hour, {most} are allowed", recent[-most] + hour)


def _window(snapshot: Snapshot, diagnosis: Diagnosis, past: RepairHistory) -> Blocker | None:
    window = snapshot.settings.maintenance_window
    if window is None or diagnosis.severity is Severity.CRITICAL:
        return None
    if past.calendar_unread:
        return Blocker(
            BlockReason.MAINTENANCE_WINDOW,
            f"nothing fails yet, and the maintenance window could not be read: {past.calendar_unread}",
        )
    opens = opens_at(window, snapshot.began_at) if isinstance(window, Window) else past.calendar_opens_at
    return (
        Blocker(BlockReason.MAINTENANCE_WINDOW, f"nothing fails yet, so the repair waits for the maintenance window {_at(opens)}", opens)
        if opens
        else None
    )


def opens_at(window: Window, now: datetime) -> datetime | None:
    """None while the weekly window is open, else the time at which it next opens (UTC)."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [day + window.start for i in range(-1, 8) if (day := midnight + timedelta(days=i)).weekday() in window.days]
    if any(start <= now < start + window.length for start in starts):
        return None
    return min(start for start in starts if start > now)


def _at(time: datetime) -> str:
    return f"at {time:%Y-%m-%d %H:%M:%S} UTC"


POLICIES: Final[tuple[Policy, ...]] = (
    _no_binding,
    _outside_bounds,
    _precondition_failed,
    _trusts_everyone,
    _agent_joining,
    _mechanism_unread,
    _precondition_refuted,
    _precondition_unknown,
    _release_may_not_start,
    _observe,
    _circuit_breaker,
    _tug_of_war,
    _too_many_repairs,
    _cooldown,
    _window,
)
