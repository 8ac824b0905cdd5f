"""What was before a story begins: repairs of the last hours, and the words of a plug-in that had no way to STS."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.incident import Outcome, PastIncident

PAST_INCIDENT_PREFIX: Final = "past"
"""Begins the id of every incident that a story only tells of."""

STS_TIMEOUT_MESSAGE: Final = "WebIdentityErr: failed to retrieve credentials caused by: RequestError: dial tcp 10.0.0.9:443: i/o timeout"


def past_repairs(count: int, target: ServiceAccountRef, now: datetime) -> Iterator[PastIncident]:
    """So many repairs of one ServiceAccount, an hour apart, the last one two hours ago."""
    for n in range(count):
        at = now - timedelta(hours=2 + n)
        yield PastIncident(
            id=f"{PAST_INCIDENT_PREFIX}{n}",
            target=target,
            opened_at=at,
            closed_at=at,
            outcome=Outcome.VERIFIED,
            verdict="annotation-missing",
            trigger="sweep",
            changes=("annotate-service-account",),
            signals=1,
        )
