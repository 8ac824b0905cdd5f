"""Repeat an assessment until no fault is found, or report each change of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from cli.errors import ExitCode, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from cli.clients.dependencies import Dependencies
    from cli.queries.fleet_member import FleetMember

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
    """What is compared: everything but times."""
    assessment = member.assessment
    summary = assessment.summary
    read = (summary.verdict, summary.counts, [(link.link, link.state) for link in summary.links], summary.addon) if summary else ()
    return (assessment.target, assessment.failure, assessment.incident and assessment.incident.id, read)
