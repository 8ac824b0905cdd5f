"""Times and durations as text."""

from datetime import UTC, datetime
from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def moment(time: object) -> datetime | None:
    """A time, or its ISO text, as aware UTC; None for anything else."""
    try:
        read = datetime.fromisoformat(time) if isinstance(time, str) else time
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC) if isinstance(read, datetime) else None
    except (ValueError, OverflowError):
        return None


def seconds_between(earlier: datetime | None, later: datetime | None) -> int | None:
    """Whole seconds, negative where `later` is the earlier time; None where a time is unknown."""
    return round((later - earlier).total_seconds()) if earlier and later else None


def clock(at: datetime, now: datetime | None = None) -> str:
    """`02:15:52 UTC` on the day of `now`, else `2026-11-02 02:15 UTC`."""
    is_today = now is not None and at.date() == now.date()
    return f"{at:%H:%M:%S} UTC" if is_today else f"{at:%Y-%m-%d %H:%M} UTC"


def duration(seconds: int) -> str:
    """At most two units: `41 s`, `1 min 31 s`, `27 min`, `3 h 5 min`, `2 days`."""
    if seconds < _MINUTE:
        return f"{max(0, seconds)} s"
    if seconds < 10 * _MINUTE and seconds % _MINUTE:
        return f"{seconds // _MINUTE} min {seconds % _MINUTE} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < 2 * _DAY:
        minutes = seconds % _HOUR // _MINUTE
        return f"{seconds // _HOUR} h" + (f" {minutes} min" if minutes else "")
    return f"{seconds // _DAY} days"
