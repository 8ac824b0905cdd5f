"""The quotas of a durable execution: polls are rarer the longer a wait lasts, and the state of a poll is small."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python_testing.runner import DurableFunctionTestRunner

from lambdas.application.remediation import assess, repair, watch
from lambdas.application.workflow_steps import Meter, PollSchedule, StepId, StepPurpose, checkpoint_text
from lambdas.contract.durable_quotas import MAX_CHECKPOINT_BYTES
from lambdas.remediator.durable_steps import DurableSteps
from sandbox.simulation.scenario import load
from tests.over_fakes.scenario_run import ScenarioRun, StepsWithoutWatch, run_scenario
from tests.unit.workflow.workflow_run import InterruptedSteps, run_workflow

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")
MAX_POLL_BYTES: Final = 600
"""Longer states of polls than this one would make the payload the scarcer quota."""


def _update(timeout_s: int) -> PollSchedule:
    return PollSchedule(timeout_s=timeout_s, most_s=15)


@pytest.mark.parametrize(
    ("schedule", "most"),
    [
        (assess.READ_SCHEDULE, 80),
        (_update(3_600), 80),
        (_update(21_600), 120),
        (repair.verification_schedule(2_700), 70),
        (repair.verification_schedule(21_600), 110),
        (repair.replacement_schedule(2_700), 200),
        (repair.replacement_schedule(21_600), 320),
        (repair.BUSY_SCHEDULE, 35),
        (repair.CANARY_SCHEDULE, 20),
        *((watch.reminder_schedule(seconds), most) for seconds, most in zip(watch.REMINDERS_S, (23, 35, 115, 310), strict=True)),
    ],
)
def test_a_wait_to_its_time_out_takes_few_polls(schedule: PollSchedule, most: int) -> None:
    assert most * 0.8 < schedule.polls <= most


@dataclass
class SizedSteps(StepsWithoutWatch):
    """Notes the size of every state of a poll but the last one, by purpose, and of every stored result."""

    polls: dict[StepPurpose, list[int]] = field(default_factory=dict)
    results: list[int] = field(default_factory=list)

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        value = super().once(step, do, result)
        self.results.append(len(checkpoint_text(value)))
        return value

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        def sized(former: R) -> R:
            value = check(former)
            size = len(checkpoint_text(value))
            if is_settled(value):
                self.results.append(size)
            else:
                self.polls.setdefault(step.purpose, []).append(size)
            return value

        return super().until(step, initial, sized, is_settled, schedule)


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        ("update-waited-for", StepPurpose.AWAIT_UPDATE),
        ("no-access", StepPurpose.AWAIT_UPDATE),
        ("lost-node", StepPurpose.VERIFY),
        ("webhook-down", StepPurpose.CHECK_CANARY),
    ],
)
def test_the_state_of_a_poll_is_small(name: str, purpose: StepPurpose) -> None:
    made: list[SizedSteps] = []

    def steps(run: ScenarioRun) -> SizedSteps:
        made.append(SizedSteps(sleep=run.world.sleep))
        return made[-1]

    run_scenario(load(name), steps)
    polls = [size for item in made for sizes in item.polls.values() for size in sizes]
    assert any(item.polls.get(purpose) for item in made), "the wait has no poll that goes on"
    assert max(polls) < MAX_POLL_BYTES
    assert max(size for item in made for size in item.results) < MAX_CHECKPOINT_BYTES / 4


@pytest.mark.exhaustive
def test_a_watch_to_its_end_is_metered_poll_by_poll() -> None:
    meter = Meter()

    def with_meter(run: ScenarioRun, steps: InterruptedSteps) -> None:
        steps.meter = meter

    done = run_workflow({"trust": "other-subject"}, watches=4, prepare=with_meter)
    assert done.notified == ["needs-action", *["reminder"] * 4]
    polls = sum(watch.reminder_schedule(seconds).polls for seconds in watch.REMINDERS_S)
    assert polls < meter.operations < polls + 30
    assert meter.payload_bytes < 250 * meter.operations


def _polls(steps: DurableSteps) -> dict[str, Any]:
    schedule = PollSchedule(timeout_s=60, first_s=1, most_s=1)
    count = steps.until(StepId(StepPurpose.ASSESS), 0, lambda n: n + 1, lambda n: n == 5, schedule)
    steps.pause(StepId(StepPurpose.PAUSE), 1)
    text = steps.once(StepId(StepPurpose.NOTIFY), lambda: "text", str)
    steps.pause(StepId(StepPurpose.PAUSE, 2), 1)
    return {"count": count, "text": text, "operations": steps.meter.operations, "bytes": steps.meter.payload_bytes}


@durable_execution
def _handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    return _polls(DurableSteps(context))


def test_replays_of_a_durable_execution_meter_what_the_first_run_used() -> None:
    """Seven replays follow the first invocation; none of them polls again."""
    with DurableFunctionTestRunner(handler=_handler) as runner:
        ended = runner.run(input="{}", execution_timeout=60)
    assert ended.result is not None
    assert '"count": 5, "text": "text", "operations": 9,' in ended.result
