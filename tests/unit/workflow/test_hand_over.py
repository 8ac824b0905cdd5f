"""The hand-over to a fresh execution: the next one continues as if nothing had happened, and every iteration fits into a quota."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from lambdas.application.codec import decode, encode
from lambdas.application.remediation import repair, watch, workflow
from lambdas.application.remediation.carried_state import CarriedState
from lambdas.application.remediation.state import WorkflowState
from lambdas.application.workflow_steps import NOTIFY_SCHEDULE, Meter, PollSchedule
from lambdas.contract.durable_quotas import HAND_OVER_AT, MAX_OPERATIONS
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.incident import Incident
from sandbox.simulation.scenario import load, names
from tests.fakes import FakeIncidents
from tests.over_fakes.scenario_run import ScenarioRun, StepsWithoutWatch, run_scenario
from tests.over_fakes.scenario_world import CLUSTER
from tests.unit.workflow.workflow_run import InterruptedSteps, keep_waiting, run_workflow
from tests.world import NOON

if TYPE_CHECKING:
    from collections.abc import Callable

ACTING: Final = [name for name in names() if load(name).expect.actions]
MOST: Final = {"approval_timeout_s": 604_800, "verification_timeout_s": 21_600, "update_timeout_s": 21_600}
"""The settings' maximum."""


@dataclass
class ImpatientSteps(StepsWithoutWatch):
    """Steps that hand over before each iteration."""

    @property
    def must_hand_over(self) -> bool:
        return True


def _result(name: str, steps: Callable[[ScenarioRun], Any]) -> dict[str, Any]:
    run = run_scenario(load(name), steps)
    messages = [message["metadata"]["additionalContext"]["outcome"] for message in run.outcome().messages]
    executions = len(run.remediator.executions)
    details = [(past.outcome, past.verdict, past.changes, len((past.details or {}).get("timeline", ()))) for past in run.incidents.closed]
    return {"writes": run.world.writes, "messages": messages, "history": details, "executions": executions}


@pytest.mark.parametrize("name", ACTING)
def test_a_run_that_hands_over_before_each_iteration_has_the_same_result(name: str) -> None:
    whole = _result(name, lambda run: StepsWithoutWatch(sleep=run.world.sleep))
    handed_over = _result(name, lambda run: ImpatientSteps(sleep=run.world.sleep))
    assert handed_over.pop("executions") >= whole.pop("executions")
    assert handed_over == whole


def test_an_iteration_at_the_settings_maximum_fits_into_the_rest_of_the_quota() -> None:
    """Every wait polls to its end, which no run does in all of them."""
    update = PollSchedule(timeout_s=MOST["update_timeout_s"], most_s=15)
    assessed = (workflow.READ_SCHEDULE.polls + 1) + (update.polls + 1) + 1
    approved = 1 + (NOTIFY_SCHEDULE.polls + 1) + 1 + assessed
    actions = 4 * (repair.BUSY_SCHEDULE.polls + 1) + (repair.CANARY_SCHEDULE.polls + 1)
    waves = repair.replacement_schedule(MOST["verification_timeout_s"]).polls + 1
    verified = repair.verification_schedule(MOST["verification_timeout_s"]).polls + 2
    around = 3 * (repair.BUSY_SCHEDULE.polls + 1) + 5  # claim, restore and release, and the notifications
    closing = 2 * (NOTIFY_SCHEDULE.polls + 1) + (workflow.CLOSE_SCHEDULE.polls + 1) + (workflow.HAND_OVER_SCHEDULE.polls + 1)
    repaired = assessed + approved + actions + waves + verified + around + closing
    watched = assessed + closing + sum(watch.reminder_schedule(seconds).polls + 2 for seconds in watch.REMINDERS_S)
    assert max(repaired, watched) < (1 - HAND_OVER_AT) * MAX_OPERATIONS


def test_a_carried_state_survives_its_text() -> None:
    """A repair that failed, with its timeline, samples, changes and notifications."""
    kept: list[CarriedState] = []

    def keep(run: ScenarioRun, steps: InterruptedSteps) -> None:
        hand_over = run.incidents.hand_over

        def kept_hand_over(incident: Incident, state: str) -> bool:
            kept.append(decode(CarriedState, json.loads(state)))
            return hand_over(incident, state)

        run.incidents.hand_over = kept_hand_over  # type: ignore[method-assign]
        steps.meter = Meter(operations=MAX_OPERATIONS) if not kept else None

    run_workflow(before={"1 verify": keep_waiting("ImagePullBackOff")}, prepare=keep)
    (carried,) = kept
    assert decode(CarriedState, json.loads(json.dumps(encode(carried)))) == carried
    assert (carried.iteration, carried.repairs, carried.gave_up, str(carried.notified)) == (1, 1, True, "needs-action")
    assert carried.changes == ("annotate-service-account", "replace-canary-pod", "restart-workload")
    assert carried.samples
    incident = Incident(id="i", target=ServiceAccountRef(CLUSTER, "kube-system", "aws-node"), opened_at=NOON, signals=1, request={})
    assert WorkflowState.resume(incident, carried).carry(carried.iteration) == carried


def test_an_old_execution_hands_over_before_its_time_out() -> None:
    done = run_workflow({"trust": "other-subject"}, watches=4, before={"1 watch 4": _change_the_fault})
    assert done.run.world.now - NOON > timedelta(days=1)
    assert [arn.rsplit("/", 2)[1].count("-") for arn in done.run.remediator.executions] == [0, 1]


def _change_the_fault(run: ScenarioRun) -> None:
    run.world.sleep(timedelta(days=2).total_seconds())
    run.world.roles.clear()


def test_a_late_start_of_the_former_execution_is_not_recorded() -> None:
    """The checker started the first execution and was slow to record it, when that one has handed over already."""
    incidents = FakeIncidents()
    first = Incident(id="i", target=ServiceAccountRef(CLUSTER, "kube-system", "aws-node"), opened_at=NOON, signals=1, request={})
    incidents.claim(first)
    assert incidents.hand_over(first, "{}")
    incidents.mark_started(first, "arn:first")
    found = incidents.get(first.target)
    assert found == replace(first, execution=2)
