"""One check: observe, diagnose and plan one ServiceAccount. The same for the checker, the remediator and the command line."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from lambdas.application.readers import Hints, Readers
from lambdas.application.snapshot_collection import read, read_advice, read_symptoms
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.settings import Severity
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.identity_chain import Diagnosis, diagnose
from lambdas.domain.errors import RemediatorError
from lambdas.domain.planning.plan import Plan
from lambdas.domain.planning.planner import plan
from lambdas.domain.planning.policies import PAST_SPAN, RepairHistory, just_changed
from lambdas.domain.ports import CalendarPort, IncidentsPort
from lambdas.domain.snapshot.snapshot import PodFacts, Snapshot


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What one check came to."""

    snapshot: Snapshot
    diagnosis: Diagnosis
    plan: Plan


def observe(target: ServiceAccountRef, readers: Readers, now: datetime, hints: Hints, *, symptoms: bool) -> tuple[Snapshot, Diagnosis]:
    """Read and diagnose; nodes and events only where they are asked for, or where something suggests that they tell something."""
    snapshot = read(target, readers, now, hints)
    found = diagnose(snapshot)
    if symptoms or not found.sound or found[Link.WORKLOAD].state is not State.OK or any(map(_unwell, _pods(snapshot))):
        snapshot = read_symptoms(snapshot, readers)
        found = diagnose(snapshot)
    return snapshot, found


def _pods(snapshot: Snapshot) -> tuple[PodFacts, ...]:
    return snapshot.pods if isinstance(snapshot.pods, tuple) else ()


def _unwell(pod: PodFacts) -> bool:
    return not pod.ready and not pod.deleting


@dataclass(frozen=True, kw_only=True)
class PolicySources:
    """Where history and the calendar are read."""

    incidents: IncidentsPort
    calendar: CalendarPort


def check(
    target: ServiceAccountRef,
    readers: Readers,
    policy_sources: PolicySources,
    now: datetime,
    hints: Hints,
    *,
    incident_id: str = "none",
    iteration: int = 1,
) -> Assessment:
    """The whole of a check, with symptoms, version advice and the rules over history.

    Raises:
        TransientError: something essential did not answer; the same check may succeed later.
    """
    snapshot, found = observe(target, readers, now, hints, symptoms=True)
    if found.sound:
        return Assessment(snapshot=snapshot, diagnosis=found, plan=plan(snapshot, found, RepairHistory()))
    with ThreadPoolExecutor(1) as pool:
        past = pool.submit(_past, snapshot, found, policy_sources, incident_id, iteration)
        snapshot = read_advice(snapshot, readers)
        return Assessment(snapshot=snapshot, diagnosis=found, plan=plan(snapshot, found, past.result()))


def _past(snapshot: Snapshot, found: Diagnosis, policy_sources: PolicySources, incident_id: str, iteration: int) -> RepairHistory:
    changed, window = just_changed(snapshot), snapshot.settings.maintenance_window
    named = window.removeprefix("calendar:") if isinstance(window, str) and found.severity is not Severity.CRITICAL else ""
    opens_at, unread = _calendar(policy_sources.calendar, named, snapshot.began_at) if named else (None, "")
    return RepairHistory(
        incident_id=incident_id,
        round=iteration,
        incidents=policy_sources.incidents.history(snapshot.target, snapshot.began_at - PAST_SPAN),
        turned_wrong=policy_sources.incidents.turned_wrong(*changed) if changed else (),
        calendar_opens_at=opens_at,
        calendar_unread=unread,
    )


def _calendar(calendar: CalendarPort, name: str, at: datetime) -> tuple[datetime | None, str]:
    """When the calendar opens, or why it cannot be read: a wrong name must not keep the whole check from being made."""
    try:
        return calendar.opens_at(name, at), ""
    except RemediatorError as error:
        return None, str(error)
