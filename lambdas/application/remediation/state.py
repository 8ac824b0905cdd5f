"""What has happened in an incident so far, and one turn of its work: both rebuilt identically by every replay."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lambdas.application.remediation.steps.port import Work
from lambdas.application.workflow_steps import Json, PollSchedule, Steps
from lambdas.domain.assessment.summary import AssessmentSummary, summary_from_json
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.planning.actions import AnnotateServiceAccount
from lambdas.domain.verification import is_verified


@dataclass
class Story:
    """The looks, changes and messages so far.

    `lines` and `trail` become the timeline, `unsent` is a message that could not be sent, `annotated` what we set and have not proven yet.
    """

    incident: Incident
    lines: list[Json] = field(default_factory=list)
    trail: list[list[object]] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    repairs: int = 0
    gave_up: bool = False
    proven: bool = False
    annotated: AnnotateServiceAccount | None = None
    told: str = ""
    look: Json = field(default_factory=dict)
    first: Json = field(default_factory=dict)
    signals: int = 0
    unsent: tuple[str, Json] | None = None

    def saw(self, state: Json) -> AssessmentSummary:
        """Take a look into the story."""
        self.look = state.get("look") or self.look
        self.first = self.first or self.look
        self.signals = state.get("signals", self.signals)
        now = summary_from_json(self.look)
        self.add("look", str(now.verdict), state, now.counts.pods_right, now.counts.pods, now.counts.nodes_ready, now.counts.nodes)
        return now

    def add(self, what: str, words: str, state: Json, *counts: int) -> None:
        """One line of the timeline."""
        self.lines.append({"at": state.get("at", ""), "what": what, "words": words, **({"counts": list(counts)} if counts else {})})

    def about(self, **more: object) -> Json:
        """What a message is written from."""
        told = {"look": self.look, "first": self.first, "lines": self.lines, "trail": self.trail, "changes": self.changes}
        return {**told, "signals": self.signals, **more}

    def well(self, now: AssessmentSummary) -> bool:
        """Whether the chain is whole and, where we changed something, that was seen to work once since."""
        return now.is_healthy and (not self.changes or self.proven or is_verified(now))


@dataclass(frozen=True)
class Iteration:
    """The n-th look of an incident and what follows from it. Its number begins the names of its steps, which makes them unique."""

    n: int
    story: Story
    steps: Steps
    work: Work

    def once(self, name: str, do: Callable[[], Json]) -> Json:
        """A step of this turn."""
        return self.steps.once(f"{self.n} {name}", do)

    def until(self, name: str, check: Callable[[Json], Json], settled: Callable[[Json], bool], schedule: PollSchedule) -> Json:
        """A step of this turn that waits."""
        return self.steps.until(f"{self.n} {name}", check, settled, schedule)
