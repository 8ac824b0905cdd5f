"""What happened in an incident, line by line: for messages, the history and the page for a post-mortem."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lambdas.domain.plurals import many
from lambdas.notifications.time_text import duration, moment, seconds_between
from lambdas.notifications.wording import Phrase, say


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One line. `at` is aware UTC or None where it is not known; `after` is the time since the first line, such as `+41 s`.

    `what` is the workflow's own word (`look`, `approval`, `successor`, `waves`, `proof`, or an action's kind), `words` is for people, and
    not escaped. `pods` and `nodes` are `(right or Ready, all)` where they were counted.
    """

    at: datetime | None
    after: str
    what: str
    words: str
    pods: tuple[int, int] | None = None
    nodes: tuple[int, int] | None = None

    @property
    def phrase(self) -> Phrase:
        """The line for a message."""
        return say("{after} {words}", after=self.after, words=self.words) if self.after else say("{words}", words=self.words)


_KINDS: Final = {
    "approval": "approval: {words}",
    "AnnotateServiceAccount": "{words}",
    "ReplaceOnePod": "one pod to try: {words}",
    "successor": "its successor: {words}",
    "waves": "stale pods: {words}",
    "DeleteStalePods": "replacing pods: {words}",
    "proof": "proof: {words}",
    "RestoreAnnotation": "taken back: {words}",
}
_ALL_COUNTED: Final = 4


def timeline(about: Mapping[str, Any]) -> tuple[Moment, ...]:
    """The story's lines in words. Looks that saw the same as the one before are left out.

    Args:
        about: anything with `lines`, as the workflow's story or a past incident's `details` have it.
    """
    lines = [line for line in about.get("lines") or () if isinstance(line, Mapping)]
    start = next((at for line in lines if (at := moment(line.get("at")))), None)
    moments = [_moment(line, start) for line in lines]
    return tuple(item for before, item in zip([None, *moments], moments, strict=False) if not _same_look(before, item))


def _moment(line: Mapping[str, Any], start: datetime | None) -> Moment:
    at, counts = moment(line.get("at")), line.get("counts") or ()
    seconds = seconds_between(start, at)
    what = str(line.get("what", ""))
    pods, nodes = _pair(counts, 0), _pair(counts, 2)
    return Moment(
        at=at,
        after="" if seconds is None else f"+{duration(seconds)}",
        what=what,
        words=_words(what, line, pods, nodes),
        pods=pods,
        nodes=nodes,
    )


def _pair(counts: Sequence[Any], start: int) -> tuple[int, int] | None:
    if len(counts) != _ALL_COUNTED or not all(isinstance(count, int) for count in counts):
        return None
    some, all_of_them = counts[start], counts[start + 1]
    return (some, all_of_them) if all_of_them else None


def _words(what: str, line: Mapping[str, Any], pods: tuple[int, int] | None, nodes: tuple[int, int] | None) -> str:
    words = str(line.get("words", "")).strip()
    if what != "look":
        return _KINDS.get(what, "{words}").replace("{words}", words or what)
    snapshot = [f"{pods[0]} of {many(pods[1], 'pod')} with the role"] if pods else []
    snapshot += [f"{nodes[0]} of {many(nodes[1], 'node')} Ready"] if nodes else []
    return f"saw {words}" + (f" ({', '.join(snapshot)})" if snapshot else "")


def _same_look(before: Moment | None, now: Moment) -> bool:
    return before is not None and before.what == now.what == "look" and before.words == now.words
