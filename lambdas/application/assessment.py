"""The assessment of one ServiceAccount: snapshot, diagnosis and plan. Checker, remediator and command line share it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lambdas.application.readers import Hints, Readers
from lambdas.application.snapshot_collection import add_advice, add_identity_webhook, add_recorded_refusals, needs_event_history
from lambdas.application.snapshot_diagnosis import collect_and_diagnose
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.settings import Severity
from lambdas.domain.diagnosis.identity_chain import Diagnosis, diagnose
from lambdas.domain.diagnosis.links.annotation import needs_identity_webhook
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import RemediatorError
from lambdas.domain.incidents.incident import PastIncident, is_in_future
from lambdas.domain.planning.plan import BlockReason, Plan
from lambdas.domain.planning.planner import plan
from lambdas.domain.planning.policies import PAST_SPAN, RepairHistory, recent_binding_change
from lambdas.domain.ports import CalendarPort, IncidentsPort
from lambdas.domain.snapshot.snapshot import ClusterFacts, Snapshot

UNEXPLAINED: Final = frozenset({Verdict.PODS_NOT_READY, Verdict.NODES_WAITING_FOR_CNI})
"""Verdicts without a cause, for which a check looks for refusals in CloudTrail's event history."""


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The result of one assessment."""

    snapshot: Snapshot
    diagnosis: Diagnosis
    plan: Plan


@dataclass(frozen=True, kw_only=True)
class PolicySources:
    """The ports that history and the change calendar are read through, and the policies that a person overrides."""

    incidents: IncidentsPort
    calendar: CalendarPort
    overridden: frozenset[BlockReason] = frozenset()


def assess(
    target: ServiceAccountRef,
    readers: Readers,
    policy_sources: PolicySources,
    now: datetime,
    hints: Hints,
    *,
    incident_id: str = "none",
    iteration: int = 1,
    unresolved: frozenset[int] = frozenset(),
) -> Assessment:
    """Snapshot, diagnosis and plan, with symptoms, version advice and the policies over history.

    `unresolved` are links that were broken in this incident and have not been read as right since.

    Raises:
        TransientError: an essential read failed; the same assessment may succeed later.
    """
    snapshot, diagnosis = collect_and_diagnose(target, readers, now, hints, symptoms=True, guards=True)
    if diagnosis.verdict in UNEXPLAINED and needs_event_history(snapshot, readers):
        snapshot = add_recorded_refusals(snapshot, readers)
        diagnosis = diagnose(snapshot)
    if needs_identity_webhook(snapshot):
        snapshot = add_identity_webhook(snapshot, readers)
        diagnosis = diagnose(snapshot)
    if diagnosis.is_healthy:
        return Assessment(snapshot=snapshot, diagnosis=diagnosis, plan=plan(snapshot, diagnosis, RepairHistory()))
    with readers.new_executor(1) as executor:
        history = executor.submit(_read_history, snapshot, diagnosis, policy_sources, incident_id, iteration)
        snapshot = add_advice(snapshot, readers)
        past = replace(history.result(), unresolved=unresolved)
        return Assessment(snapshot=snapshot, diagnosis=diagnosis, plan=plan(snapshot, diagnosis, past))


def _read_history(
    snapshot: Snapshot, diagnosis: Diagnosis, policy_sources: PolicySources, incident_id: str, iteration: int
) -> RepairHistory:
    changed, window = recent_binding_change(snapshot), snapshot.settings.maintenance_window
    calendar = window.removeprefix("calendar:") if isinstance(window, str) and diagnosis.severity is not Severity.CRITICAL else ""
    opens_at, unread = _calendar_state(policy_sources.calendar, calendar, snapshot.began_at) if calendar else (None, "")
    return RepairHistory(
        incident_id=incident_id,
        round=iteration,
        overridden=policy_sources.overridden,
        incidents=_credible_history(snapshot, policy_sources.incidents.history(snapshot.target, snapshot.began_at - PAST_SPAN)),
        affected_clusters=policy_sources.incidents.affected_clusters(*changed) if changed else (),
        calendar_opens_at=opens_at,
        calendar_unread=unread,
    )


def _credible_history(snapshot: Snapshot, incidents: tuple[PastIncident, ...]) -> tuple[PastIncident, ...]:
    """The incidents since the cluster was created. Older ones belong to a deleted cluster with the same name.

    An incident that was closed in the future is left out: its cool-down would not end.
    """
    past = tuple(incident for incident in incidents if not is_in_future(incident.closed_at, snapshot.began_at))
    if not isinstance(snapshot.cluster, ClusterFacts):
        return past
    created_at = snapshot.cluster.created_at
    return tuple(incident for incident in past if incident.closed_at >= created_at)


def _calendar_state(calendar: CalendarPort, name: str, at: datetime) -> tuple[datetime | None, str]:
    """When the calendar opens, or why it cannot be read. A wrong calendar name must not fail the whole assessment."""
    try:
        return calendar.opens_at(name, at), ""
    except RemediatorError as error:
        return None, str(error)
