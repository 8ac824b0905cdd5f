"""Repeat an assessment until no fault is found, or report each change of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from cli.errors import ExitCode, worst
from cli.queries.incidents import incident_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from cli.clients.dependencies import Dependencies
    from cli.queries.fleet_member import FleetMember
    from lambdas.domain.assessment.summary import AssessmentSummary

    Connect = Callable[[], Dependencies]
    Assess = Callable[[Dependencies], Sequence[FleetMember]]

POLL_S: Final = 10.0
"""Seconds between two assessments: each reads some twenty APIs."""


def assess_until_sound(connect: Connect, assess: Assess, *, wait_s: int) -> Sequence[FleetMember]:
    """Return the first assessments without a fault, or the last ones within the time. Each reads with fresh connections and caches."""
    dependencies = connect()
    ends_at = dependencies.now() + timedelta(seconds=wait_s)
    members = assess(dependencies)
    while worst(member.assessment.exit_code for member in members) is not ExitCode.OK and dependencies.now() + _POLL <= ends_at:
        dependencies.sleep(POLL_S)
        members = assess(connect())
    return members


def assessment_changes(connect: Connect, assess: Assess) -> Iterator[tuple[datetime, Sequence[FleetMember]]]:
    """Yield time and assessments, then each time those that differ from the ones before. Does not end."""
    former = None
    while True:
        dependencies = connect()
        members = assess(dependencies)
        state = [_state(member) for member in members]
        if state != former:
            yield dependencies.now(), members
        former = state
        dependencies.sleep(POLL_S)


_POLL: Final = timedelta(seconds=POLL_S)


def _state(member: FleetMember) -> tuple[Any, ...]:
    """What is compared: everything but times, and the numbers of permission errors, which rise as long as a fault lasts."""
    assessment = member.assessment
    incident = assessment.incident
    opened = (incident.id, incident_status(incident)) if incident else ()
    return (assessment.target, assessment.failure, opened, _read(assessment.summary) if assessment.summary else ())


def _read(summary: AssessmentSummary) -> tuple[Any, ...]:
    counts = replace(summary.counts, errors_with_role=0, errors_without_role=0)
    return (summary.verdict, counts, [(link.link, link.state) for link in summary.links], summary.addon)
