"""The history record of an incident that ends."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lambdas.application.remediation.results import CountSample
from lambdas.domain.assessment.history_details import history_details
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.incidents.incident import Incident, Outcome, PastIncident
from lambdas.notifications.message_context import TimelineEntry

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


def past_incident(incident: Incident, record: IncidentRecord, closed_at: datetime) -> PastIncident:
    """The incident as history stores it."""
    first = record.first
    details = {
        **history_details(first),
        "timeline": [_entry(entry) for entry in record.timeline[-MAX_ENTRIES:]],
        "samples": [
            [sample.at.isoformat(), sample.pods_with_role, sample.pods, sample.nodes_ready, sample.nodes]
            for sample in record.samples[-MAX_ENTRIES:]
        ],
        "changes": list(record.changes),
    }
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
        details=details,
    )


def _entry(entry: TimelineEntry) -> dict[str, Any]:
    at = entry.at if isinstance(entry.at, str) else entry.at.isoformat()
    return {"at": at, "event": str(entry.event), "text": entry.text, **({"counts": list(entry.counts)} if entry.counts else {})}
