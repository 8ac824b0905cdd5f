"""Systems Manager Change Calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from lambdas.adapters.aws_errors import translated

if TYPE_CHECKING:
    from lambdas.adapters.aws_session import AwsSession

RECHECK_INTERVAL: Final = timedelta(days=1)
"""Assumed until a closed calendar opens, if it names no time."""


class Calendar:
    """Implements `CalendarPort`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def opens_at(self, name: str, at: datetime) -> datetime | None:
        """None if the calendar is open at that time, else when it opens next, or a day later if it names no time.

        Raises:
            PermanentError: there is no such calendar.

        Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCalendarState.html
        """
        moment = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with translated(f"read change calendar {name}"):
            answer = self._session.client("ssm").get_calendar_state(CalendarNames=[name], AtTime=moment)
        if answer["State"] == "OPEN":
            return None
        opens = answer.get("NextTransitionTime")
        return datetime.fromisoformat(opens).astimezone(UTC) if opens else at + RECHECK_INTERVAL
