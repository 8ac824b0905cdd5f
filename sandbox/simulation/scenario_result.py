"""The result of a scenario run, and the timeline entries that the terminal shows during the run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ScenarioTimeout(TimeoutError):
    """A step or the scenario did not finish in time; the message says what was observed."""


class Milestone(StrEnum):
    """Moments of a repair that are measured from the event."""

    DIAGNOSIS = "diagnosis"
    ANNOTATION_SET = "annotation set"
    RESTARTED = "workload restarted"
    VERIFIED = "repair verified"


@dataclass(frozen=True)
class TimelineEntry:
    """One line of the timeline. `kind` is `world`, `step`, `checker`, `remediator` or `nodes`; `nodes` counts ready and all nodes."""

    at_s: float
    kind: str
    text: str
    nodes: tuple[int, int] = (0, 0)


@dataclass
class ScenarioResult:
    """The result of a scenario run.

    Attributes:
        verdict: the verdict that the remediator acts on; after an add-on update it replaces `update-in-progress`.
        plan_verdict: the latest verdict.
        actions: kinds of the writes, each once.
        messages: chat notifications in order.
        milestones: seconds from the event to each milestone.
        nodes: ready nodes and all nodes at the end.
        node_log: causes in the logs on the nodes; None where the nodes have no files.
    """

    first_verdict: str = ""
    verdict: str = ""
    verdicts: tuple[str, ...] = ()
    plan_verdict: str = ""
    outcome: str = ""
    actions: list[str] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    milestones: dict[Milestone, float] = field(default_factory=dict)
    timeline: list[TimelineEntry] = field(default_factory=list)
    nodes: tuple[int, int] = (0, 0)
    node_log: tuple[str, ...] | None = None


TimelineCallback = Callable[[TimelineEntry], None]
