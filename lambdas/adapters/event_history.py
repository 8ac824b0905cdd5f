"""CloudTrail's event history: calls that STS refused to a ServiceAccount. It needs no trail.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters.aws_errors import translated
from lambdas.adapters.ttl_cache import TtlCache
from lambdas.domain.requests.refused_call import refusal_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.domain.requests.request import Refusal

MAX_RECORDS: Final = 50
"""Records of one lookup, the newest first. No further page is read: the account has two lookups a second in a region, for all callers."""
MAX_RECORD_LENGTH: Final = 256 * 1024


class EventHistory:
    """Implements `EventHistoryPort`. `ttl_s`: maximum age of a lookup (seconds)."""

    def __init__(self, session: AwsSession, *, ttl_s: float = 60, clock: Callable[[], float] = monotonic) -> None:
        self._session = session
        self._lookups: TtlCache[tuple[Refusal, ...]] = TtlCache(ttl_s, clock)

    def refused_tokens(self, subject: str, since: datetime, until: datetime) -> tuple[Refusal, ...]:
        """The refused calls of a subject, such as `system:serviceaccount:kube-system:aws-node`, newest first.

        The subject is `userName` in captured records. That the attribute `Username` matches it is not documented (unsourced).
        """
        return self._lookups.get(subject, lambda: self._look_up(subject, since, until))

    def _look_up(self, subject: str, since: datetime, until: datetime) -> tuple[Refusal, ...]:
        with translated("look up refused calls in CloudTrail's event history"):
            page: Mapping[str, Any] = self._session.client("cloudtrail").lookup_events(
                LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": subject}],
                StartTime=since,
                EndTime=until,
                MaxResults=MAX_RECORDS,
            )
        found = (refusal_in(record, until) for record in records_in(page))
        return tuple(refusal for refusal in found if refusal and refusal.principal == subject and since <= refusal.at)


def records_in(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The records of a page. One that is no JSON object is left out."""
    for event in page.get("Events", ()):
        text = str(event.get("CloudTrailEvent", ""))
        try:
            record = json.loads(text) if len(text) <= MAX_RECORD_LENGTH else None
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield record
