"""Runs one scenario over the fakes: the checker's pipeline and the remediation workflow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from lambdas.application.check.pipeline import run
from lambdas.application.codec import decode
from lambdas.application.remediation.carried_state import CarriedState
from lambdas.application.remediation.workflow import remediate
from lambdas.application.workflow_steps import InProcessSteps, PollSchedule, StepId, StepPurpose, Steps
from lambdas.contract.events import INCOMING
from sandbox.simulation.log_reader import LogReader
from sandbox.simulation.scenario_result import ScenarioResult
from sandbox.simulation.scenario_steps import PAST_INCIDENT_PREFIX
from tests import fakes
from tests.over_fakes import events
from tests.over_fakes.fake_ports import FakePorts
from tests.over_fakes.fake_steps import FakeSteps
from tests.over_fakes.scenario_world import ScenarioWorld, world_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambdas.application.remediation.results import RemediationResult
    from lambdas.domain.incidents.incident import Incident, PastIncident
    from lambdas.domain.snapshot.snapshot import HealthIssue
    from sandbox.simulation.scenario import Scenario
    from tests.world import World


R = TypeVar("R")


class WatchReached(Exception):
    """The workflow watches an incident until a person acts. The run ends here, since none does."""


@dataclass
class StepsWithoutWatch(InProcessSteps):
    """Steps of this process that end the run where the workflow would watch for days."""

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        if step.purpose is StepPurpose.WATCH:
            raise WatchReached
        return super().until(step, initial, check, is_settled, schedule)


class Remediator(fakes.FakeRemediator):
    """Keeps the started incidents, so that they run afterwards."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.waiting: dict[str, Incident] = {}

    def start(self, incident: Incident) -> str:
        arn = super().start(incident)
        if self.executions[arn] == "RUNNING":
            self.waiting[arn] = incident
        return arn


class Incidents(fakes.FakeIncidents):
    """Incidents whose history a scenario can fill."""

    def remember(self, past: PastIncident) -> None:
        self.rows.setdefault(past.target.key, fakes.Row()).past.append(past)

    @property
    def closed(self) -> list[PastIncident]:
        return [past for row in self.rows.values() for past in row.past if not past.id.startswith(PAST_INCIDENT_PREFIX)]


class ScenarioRun(FakePorts):
    """A run of one scenario. `steps` makes the steps of each execution. The event is delivered at `announced_at`."""

    world: ScenarioWorld
    incidents: Incidents
    remediator: Remediator

    def __init__(self, world: ScenarioWorld, steps: Callable[[ScenarioRun], Steps] | None = None) -> None:
        super().__init__(world, Incidents(world), Remediator(world))
        self.undelivered: list[events.Event] = []
        self.next_failure: HealthIssue | None = None
        self.opened: list[Incident] = []
        self.ended: list[RemediationResult] = []
        self.announced_at = world.now
        self._steps = steps or (lambda scenario_run: StepsWithoutWatch(sleep=scenario_run.world.sleep))

    def deliver(self, event: Mapping[str, Any]) -> None:
        """Hand an event to the checker, then the events that the checker publishes, then run the executions that it started."""
        waiting = [event]
        while waiting:
            sent = len(self.bus.sent)
            run(waiting.pop(0), self.ports)
            published = [(kind, detail) for kind, detail in self.bus.sent[sent:] if kind in tuple(INCOMING)]
            waiting += [events.own(kind, detail, self.world.now) for kind, detail in published]
        self.run_executions()

    def run_executions(self) -> None:
        """Run each started execution to its end, or until it watches."""
        while self.remediator.waiting:
            arn, incident = self.remediator.waiting.popitem()
            self.opened += [incident] if incident not in self.opened else []
            try:
                state = self.incidents.carried_state(incident)
                carried = decode(CarriedState, json.loads(state)) if state else None
                self.ended.append(remediate(incident, self._steps(self), self.remediation_steps(incident), carried))
                self.remediator.executions[arn] = "SUCCEEDED"
            except WatchReached:
                pass
            self._start_next(incident)

    def _start_next(self, former: Incident) -> None:
        """Deliver the request that a hand-over has sent, so that the checker starts the next execution."""
        incident = self.incidents.get(former.target)
        if incident and incident.id == former.id and not incident.started:
            kind, detail = self.bus.sent[-1]
            run(events.own(kind, detail, self.world.now), self.ports)

    def outcome(self) -> ScenarioResult:
        """The result, from log, notifications and history, as the sandbox reads it."""
        result = ScenarioResult(nodes=self.world.nodes_ready, messages=[json.loads(message.chat) for message in self.notifier.sent])
        reader = LogReader(result, milestone=lambda _: None, entry=lambda *_: None)
        for title, text, details in self.log.lines:
            reader.read("", {"title": title, "message": text, **details})
        if self.incidents.closed:
            result.outcome = str(self.incidents.closed[-1].outcome)
        result.outcome = result.outcome or ("no-message" if self.opened else "no-incident")
        return result


def run_scenario(
    scenario: Scenario, steps: Callable[[ScenarioRun], Steps] | None = None, kind: type[ScenarioRun] = ScenarioRun
) -> ScenarioRun:
    """Run the steps of a scenario, deliver its event, and run the executions that follow."""
    scenario_run = kind(world_of(scenario.world), steps)
    for step in scenario.steps:
        step.run(FakeSteps(scenario_run))
    world = scenario_run.world
    scenario_run.announced_at = world.now
    trigger = events.refused_call(world) if scenario.event == "refused-call" else events.trigger_event(scenario.event, world.now)
    for event in [*scenario_run.undelivered, *([trigger] if trigger else [])]:
        scenario_run.deliver(event)
    return scenario_run
