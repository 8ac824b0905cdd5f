"""The timeline of an incident as text: for messages, the history and the page of an incident."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lambdas.domain.incidents.details import TimelineEntry, TimelineEvent
from lambdas.domain.planning.actions import ReplaceCanaryPod, ReplaceStalePods, RestoreAnnotation
from lambdas.domain.plurals import pluralize
from lambdas.notifications.time_text import duration, seconds_between
from lambdas.notifications.wording import Phrase, phrase


@dataclass(frozen=True, kw_only=True)
class TimelineRow:
    """One row of a timeline. `text` is not escaped.

    `at` is aware UTC, None where it is not known. `after` is the time since the first row, such as `+41 s`. `event` is that of the entry.
    `pods` are `(pods with the role, all pods)` and `nodes` are `(Ready nodes, all nodes)`, None where they were not counted.
    """

    at: datetime | None
    after: str
    event: str
    text: str
    pods: tuple[int, int] | None = None
    nodes: tuple[int, int] | None = None

    @property
    def phrase(self) -> Phrase:
        """The row for a message."""
        return phrase("{after} {text}", after=self.after, text=self.text) if self.after else phrase("{text}", text=self.text)


_TEMPLATES: Final[Mapping[str, str]] = {
    TimelineEvent.APPROVAL: "approval: {text}",
    TimelineEvent.CANARY_REPLACEMENT: "replacement of the canary pod: {text}",
    TimelineEvent.ROLLING_REPLACEMENT: "stale pods: {text}",
    TimelineEvent.VERIFICATION: "verification: {text}",
    ReplaceCanaryPod.kind: "canary pod: {text}",
    ReplaceStalePods.kind: "stale pods: {text}",
    RestoreAnnotation.kind: "rollback: {text}",
}
_ALL_COUNTS: Final = 4


def timeline(entries: Sequence[TimelineEntry]) -> tuple[TimelineRow, ...]:
    """The rows of a timeline. An assessment that equals the one before gives no row."""
    start = next((entry.at for entry in entries if entry.at), None)
    rows = [_row(entry, start) for entry in entries]
    return tuple(row for before, row in zip([None, *rows], rows, strict=False) if not _is_same_assessment(before, row))


def _row(entry: TimelineEntry, start: datetime | None) -> TimelineRow:
    seconds = seconds_between(start, entry.at)
    pods, nodes = _pair(entry.counts, 0), _pair(entry.counts, 2)
    return TimelineRow(
        at=entry.at,
        after="" if seconds is None else f"+{duration(seconds)}",
        event=entry.event,
        text=_text(entry, pods, nodes),
        pods=pods,
        nodes=nodes,
    )


def _pair(counts: Sequence[int], start: int) -> tuple[int, int] | None:
    if len(counts) != _ALL_COUNTS:
        return None
    some, total = counts[start], counts[start + 1]
    return (some, total) if total else None


def _text(entry: TimelineEntry, pods: tuple[int, int] | None, nodes: tuple[int, int] | None) -> str:
    text = entry.text.strip()
    if entry.event != TimelineEvent.ASSESSMENT:
        return _TEMPLATES.get(entry.event, "{text}").replace("{text}", text or entry.event)
    counted = [f"{pods[0]} of {pluralize(pods[1], 'pod')} with the role"] if pods else []
    counted += [f"{nodes[0]} of {pluralize(nodes[1], 'node')} Ready"] if nodes else []
    return f"assessment: {text}" + (f" ({', '.join(counted)})" if counted else "")


def _is_same_assessment(before: TimelineRow | None, row: TimelineRow) -> bool:
    return before is not None and before.event == row.event == TimelineEvent.ASSESSMENT and before.text == row.text
