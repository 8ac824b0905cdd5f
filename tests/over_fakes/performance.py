"""One scenario played over the fakes: the checker's pipeline, the remediator's workflow, and what came of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from lambdas.application.check.pipeline import run
from lambdas.application.remediation.workflow import remediate
from lambdas.application.workflow_steps import InProcessSteps, PollSchedule, StepId, StepPurpose, Steps
from lambdas.contract.events import INCOMING
from sandbox.simulation.log_reader import LogReader
from sandbox.simulation.scenario_result import ScenarioResult
from sandbox.simulation.scenario_steps import PAST_INCIDENT_PREFIX
from tests import fakes
from tests.over_fakes import events
from tests.over_fakes.fake_steps import FakeSteps
from tests.over_fakes.ground import Ground, ground_of
from tests.over_fakes.wiring import Wired

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambdas.domain.incidents.incident import Incident, PastIncident
    from lambdas.domain.snapshot.snapshot import HealthIssue
    from sandbox.simulation.scenario import Scenario
    from tests.world import World


R = TypeVar("R")


class StillWatching(Exception):
    """The workflow waits for a person: the play ends here, since nobody comes."""


@dataclass
class WatchlessSteps(InProcessSteps):
    """Steps of this process that stop where the workflow would wait for days."""

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        if step.purpose is StepPurpose.WATCH:
            raise StillWatching
        return super().until(step, initial, check, is_settled, schedule)


class Remediator(fakes.FakeRemediator):
    """Remembers what was started, to be run afterwards."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.waiting: dict[str, Incident] = {}

    def start(self, incident: Incident) -> str:
        arn = super().start(incident)
        if self.executions[arn] == "RUNNING":
            self.waiting[arn] = incident
        return arn


class Incidents(fakes.FakeIncidents):
    """With a past that a story can give it."""

    def remember(self, past: PastIncident) -> None:
        self.rows.setdefault(past.target.key, fakes.Row()).past.append(past)

    @property
    def closed(self) -> list[PastIncident]:
        return [past for row in self.rows.values() for past in row.past if not past.id.startswith(PAST_INCIDENT_PREFIX)]


class Performance(Wired):
    """A world with its ports. `steps` makes the steps that an execution runs with."""

    world: Ground
    incidents: Incidents
    remediator: Remediator

    def __init__(self, world: Ground, steps: Callable[[Performance], Steps] | None = None) -> None:
        super().__init__(world, Incidents(world), Remediator(world))
        self.letters: list[events.Event] = []
        self.next_failure: HealthIssue | None = None
        self.opened: list[Incident] = []
        self._steps = steps or (lambda play: WatchlessSteps(sleep=play.world.sleep))

    # --- what happens ------------------------------------------------------------------------------------------------------------

    def deliver(self, event: Mapping[str, Any]) -> None:
        """The bus brings an event to the checker, and what the checker asks for after it; then what it started runs."""
        waiting = [event]
        while waiting:
            sent = len(self.bus.sent)
            run(waiting.pop(0), self.ports)
            asked = [(kind, detail) for kind, detail in self.bus.sent[sent:] if kind in tuple(INCOMING)]
            waiting += [events.own(kind, detail, self.world.now) for kind, detail in asked]
        self.run_executions()

    def run_executions(self) -> None:
        """Run what was started, to its end or to where it waits for a person."""
        for arn in list(self.remediator.waiting):
            incident = self.remediator.waiting.pop(arn)
            self.opened += [incident] if incident not in self.opened else []
            try:
                remediate(incident, self._steps(self), self.desk(incident))
                self.remediator.executions[arn] = "SUCCEEDED"
            except StillWatching:
                pass

    # --- what came of it ---------------------------------------------------------------------------------------------------------

    def outcome(self) -> ScenarioResult:
        """What came of it, read from the log, the topics and the history, as a play on the small EKS reads it."""
        found = ScenarioResult(nodes=self.world.nodes_ready, messages=[json.loads(item.chat) for item in self.notifier.sent])
        listener = LogReader(found, milestone=lambda _: None, entry=lambda *_: None)
        for title, message, said in self.log.lines:
            listener.read("", {"title": title, "message": message, **said})
        if self.incidents.closed:
            found.outcome = str(self.incidents.closed[-1].outcome)
        found.outcome = found.outcome or ("no-message" if self.opened else "no-incident")
        return found


def play(scenario: Scenario, steps: Callable[[Performance], Steps] | None = None, kind: type[Performance] = Performance) -> Performance:
    """Let the story of a scenario happen, announce it, and run what follows to its end."""
    performance = kind(ground_of(scenario.world), steps)
    for step in scenario.steps:
        step.run(FakeSteps(performance))
    announced = events.announcement(scenario.event, performance.world.now)
    for event in [*performance.letters, *([announced] if announced else [])]:
        performance.deliver(event)
    return performance
