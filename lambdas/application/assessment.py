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
from lambdas.domain.planning.policies import PAST_SPAN, Past, just_changed
from lambdas.domain.ports import CalendarPort, IncidentsPort
from lambdas.domain.snapshot.snapshot import Observation, PodFacts


@dataclass(frozen=True, kw_only=True)
class Check:
    """What one check came to."""

    observation: Observation
    diagnosis: Diagnosis
    plan: Plan


def observe(target: ServiceAccountRef, readers: Readers, now: datetime, hints: Hints, *, symptoms: bool) -> tuple[Observation, Diagnosis]:
    """Read and diagnose; nodes and events only where they are asked for, or where something suggests that they tell something."""
    seen = read(target, readers, now, hints)
    found = diagnose(seen)
    if symptoms or not found.sound or found[Link.WORKLOAD].state is not State.OK or any(map(_unwell, _pods(seen))):
        seen = read_symptoms(seen, readers)
        found = diagnose(seen)
    return seen, found


def _pods(seen: Observation) -> tuple[PodFacts, ...]:
    return seen.pods if isinstance(seen.pods, tuple) else ()


def _unwell(pod: PodFacts) -> bool:
    return not pod.ready and not pod.deleting


@dataclass(frozen=True, kw_only=True)
class Remembering:
    """Where history and the calendar are read."""

    incidents: IncidentsPort
    calendar: CalendarPort


def check(
    target: ServiceAccountRef,
    readers: Readers,
    remembering: Remembering,
    now: datetime,
    hints: Hints,
    *,
    incident_id: str = "none",
    turn: int = 1,
) -> Check:
    """The whole of a check, with symptoms, version advice and the rules over history.

    Raises:
        TransientError: something essential did not answer; the same check may succeed later.
    """
    seen, found = observe(target, readers, now, hints, symptoms=True)
    if found.sound:
        return Check(observation=seen, diagnosis=found, plan=plan(seen, found, Past()))
    with ThreadPoolExecutor(1) as pool:
        past = pool.submit(_past, seen, found, remembering, incident_id, turn)
        seen = read_advice(seen, readers)
        return Check(observation=seen, diagnosis=found, plan=plan(seen, found, past.result()))


def _past(seen: Observation, found: Diagnosis, remembering: Remembering, incident_id: str, turn: int) -> Past:
    changed, window = just_changed(seen), seen.settings.maintenance_window
    named = window.removeprefix("calendar:") if isinstance(window, str) and found.severity is not Severity.CRITICAL else ""
    opens_at, unread = _calendar(remembering.calendar, named, seen.began_at) if named else (None, "")
    return Past(
        incident_id=incident_id,
        round=turn,
        incidents=remembering.incidents.history(seen.target, seen.began_at - PAST_SPAN),
        turned_wrong=remembering.incidents.turned_wrong(*changed) if changed else (),
        calendar_opens_at=opens_at,
        calendar_unread=unread,
    )


def _calendar(calendar: CalendarPort, name: str, at: datetime) -> tuple[datetime | None, str]:
    """When the calendar opens, or why it cannot be read: a wrong name must not keep the whole check from being made."""
    try:
        return calendar.opens_at(name, at), ""
    except RemediatorError as error:
        return None, str(error)
