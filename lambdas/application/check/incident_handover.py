"""Hands incidents to the remediator: opens them, starts their execution, and replaces one whose holder is gone."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from uuid import uuid4

from lambdas.application.check.dependencies import CheckDependencies
from lambdas.application.check.results import IncidentTakenOver, SignalCounted
from lambdas.domain.incidents.incident import FORMER_REPAIR, WAS_REPORTED, FormerRepair, Incident, is_heartbeat_expired
from lambdas.domain.requests.request import CheckRequest, Trigger
from lambdas.domain.snapshot.snapshot import Binding, Snapshot
from lambdas.notifications.kind import NotificationKind

TAKES_OVER: Final = frozenset({Trigger.SWEEP, Trigger.PERSON, Trigger.PARAMETER_CHANGED})
"""Triggers that ask whether the holder still works. No sweep comes for a cluster whose binding was deleted, so that event has to ask."""


def open_incident(
    snapshot: Snapshot,
    request: CheckRequest,
    recorded_request: Mapping[str, Any],
    dependencies: CheckDependencies,
    *,
    is_signal_counted: bool,
) -> Incident:
    """Claim the incident, or join the open one, and start the remediator for it.

    Args:
        snapshot: the broken state.
        request: the request that led to the check.
        recorded_request: the request as the incident records it.
        dependencies: the ports.
        is_signal_counted: whether the row has counted the signal of this request already.
    """
    claimed = dependencies.incidents.claim(
        Incident(
            id=uuid4().hex[:12],
            target=snapshot.target,
            opened_at=request.occurred_at,
            signals=0 if is_signal_counted else 1,
            request=recorded_request,
            binding_path=snapshot.binding.path if isinstance(snapshot.binding, Binding) else None,
        )
    )
    dependencies.log("plan", "incident opened", target=snapshot.target.key, incident=claimed.id, signals=claimed.signals)
    if not claimed.started and not claimed.is_held_by_person:
        _start_remediator(claimed, dependencies)
    return claimed


def handle_counted_signal(incident: Incident, request: CheckRequest, dependencies: CheckDependencies) -> SignalCounted | IncidentTakenOver:
    """Start the execution of an open incident if it was never started; replace the incident if its holder is gone."""
    dependencies.log(
        "request",
        "counted on the open incident",
        target=incident.target.key,
        incident=incident.id,
        signals=incident.signals,
        **request.log_fields,
    )
    if not incident.started and not incident.is_held_by_person:
        _start_remediator(incident, dependencies)
    elif request.trigger in TAKES_OVER and not _is_held(incident, dependencies):
        return _take_over(incident, dependencies)
    return SignalCounted(incident_id=incident.id, signals=incident.signals)


def _start_remediator(incident: Incident, dependencies: CheckDependencies) -> None:
    """Start the execution, idempotent by incident id. If a checker dies between claim and start, the next signal starts the execution."""
    arn = dependencies.remediator.start(incident)
    dependencies.incidents.mark_started(incident, arn)
    dependencies.log("actions", "remediator started", incident=incident.id, target=incident.target.key)


def _take_over(ended: Incident, dependencies: CheckDependencies) -> IncidentTakenOver:
    notified = dependencies.incidents.notified_states(ended)
    successor = Incident(
        id=uuid4().hex[:12],
        target=ended.target,
        opened_at=ended.opened_at,
        signals=0,
        request={**ended.request, **what_was_done(ended, notified)},
        binding_path=ended.binding_path,
    )
    current = dependencies.incidents.take_over(ended, successor)
    if not current.started:
        _start_remediator(current, dependencies)
    return IncidentTakenOver(incident_id=current.id, former_incident_id=ended.id)


_REPAIRS: Final = (NotificationKind.REPAIRING, NotificationKind.NEEDS_ACTION, NotificationKind.VERIFIED)
"""Notifications that tell how far a repair is, in the order within one iteration."""


def what_was_done(ended: Incident, notified: Iterable[str]) -> dict[str, Any]:
    """What the request of a successor says about an incident whose holder has ended: how far its repairs are, and what people know.

    `notified` are the keys of its notifications: `2 repairing`, `2 needs-action`, or `ask` with a callback.
    """
    keys = [key.split(" ") for key in notified]
    told = [(int(key[0]), key[1]) for key in keys if key[0].isdecimal() and key[1:]]
    former = former_repair(ended, told)
    is_open = any(not key[0].isdecimal() for key in keys) or (bool(told) and not _is_end_told(told))
    return ({FORMER_REPAIR: former} if former else {}) | ({WAS_REPORTED: True} if is_open or (ended.was_reported and not told) else {})


def _is_end_told(told: Collection[tuple[int, str]]) -> bool:
    """Whether the latest of these notifications, each with the number of its iteration, says that the fault has ended."""
    latest = max(number for number, _ in told)
    return any(number == latest and kind in (NotificationKind.VERIFIED, NotificationKind.RECOVERED) for number, kind in told)


def former_repair(ended: Incident, told: Iterable[tuple[int, str]]) -> FormerRepair:
    """How far the repairs of an incident are whose holder has ended, from its row and its notifications, each with its iteration.

    The journal of its execution cannot be read. So a successor neither repeats a repair that has failed, nor says that nothing was changed.
    A repair counts that the row knows of, also where its notification was not recorded.
    """
    return max(ended.former_repair, _told_repair(told, has_begun=ended.has_begun_repair), key=tuple(FormerRepair).index)


def _told_repair(told: Iterable[tuple[int, str]], *, has_begun: bool) -> FormerRepair:
    known = sorted((number, _REPAIRS.index(NotificationKind(kind))) for number, kind in told if kind in _REPAIRS)
    kinds = [_REPAIRS[kind] for _, kind in known]
    if NotificationKind.REPAIRING not in kinds and not has_begun:
        return FormerRepair.NONE
    return FormerRepair.FAILED if kinds[-1:] == [NotificationKind.NEEDS_ACTION] else FormerRepair.UNFINISHED


def _is_held(incident: Incident, dependencies: CheckDependencies) -> bool:
    """Whether the holder still works on the incident: a person by the heartbeat, the remediator by its execution."""
    if incident.is_held_by_person:
        return not is_heartbeat_expired(incident, dependencies.now())
    return bool(incident.execution_arn and dependencies.remediator.running(incident.execution_arn))
