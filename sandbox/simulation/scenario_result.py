"""What came of a play, and the moments that people are shown while it runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ScenarioTimeout(TimeoutError):
    """Something did not happen in time, or the play did not come to the end that its scenario expects; says what was seen."""


class Milestone(StrEnum):
    """Moments that are measured, each from the event."""

    EVENT = "event"
    DECISION = "decision"
    ANNOTATION = "annotation right"
    RESTARTED = "restarted"
    VERIFIED = "verified"


@dataclass(frozen=True)
class TimelineEntry:
    """Something that happened, so many seconds after the play began. `kind` is `world`, `story`, `checker`, `remediator`, `nodes`."""

    at_s: float
    kind: str
    text: str
    nodes: tuple[int, int] = (0, 0)


@dataclass
class ScenarioResult:
    """What came of a play: `changes` are the writes by action, `messages` chat notifications in order, `marks` seconds since the event.

    `verdict` is the one that was acted on: what a running update hides is seen at its end. `plan_verdict` is the last one.
    """

    first_verdict: str = ""
    verdict: str = ""
    verdicts: tuple[str, ...] = ()
    plan_verdict: str = ""
    outcome: str = ""
    changes: list[str] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    marks: dict[Milestone, float] = field(default_factory=dict)
    moments: list[TimelineEntry] = field(default_factory=list)
    nodes: tuple[int, int] = (0, 0)


TimelineCallback = Callable[[TimelineEntry], None]
