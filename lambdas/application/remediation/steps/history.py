"""The history record of an incident that ends."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lambdas.domain.assessment.history_details import history_details
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.incidents.details import CountSample, NotificationRecord, TimelineEntry
from lambdas.domain.incidents.incident import Incident, Outcome, PastIncident

MAX_ENTRIES: Final = 200
"""Timeline entries, and samples of the counts, that history keeps."""


@dataclass(frozen=True, kw_only=True)
class IncidentRecord:
    """An incident at its end: `first` is the assessment that opened it, `current` the latest one, `signals` were counted before that."""

    outcome: Outcome
    first: AssessmentSummary
    current: AssessmentSummary
    signals: int
    timeline: tuple[TimelineEntry, ...] = ()
    samples: tuple[CountSample, ...] = ()
    changes: tuple[str, ...] = ()
    first_notified_at: datetime | None = None
    notifications: tuple[NotificationRecord, ...] = ()


def past_incident(incident: Incident, record: IncidentRecord, closed_at: datetime) -> PastIncident:
    """The incident as history stores it."""
    first = record.first
    return PastIncident(
        id=incident.id,
        target=incident.target,
        opened_at=incident.opened_at,
        closed_at=closed_at,
        outcome=record.outcome,
        verdict=first.verdict,
        trigger=str(incident.request.get("trigger", "person")),
        changes=record.changes,
        signals=record.signals,
        binding_path=first.binding_path or None,
        binding_version=first.binding_version or None,
        old_value=first.annotation or None,
        details=replace(
            history_details(first),
            unproven=record.current.unproven,
            timeline=record.timeline[-MAX_ENTRIES:],
            samples=record.samples[-MAX_ENTRIES:],
            first_notified_at=record.first_notified_at,
            notifications=record.notifications[-MAX_ENTRIES:],
        ),
    )
