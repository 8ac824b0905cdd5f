"""The hand-over to a fresh execution: the next one continues as if nothing had happened, and every iteration fits into a quota."""

from __future__ import annotations

import json
import random
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from lambdas.application.codec import decode, encode
from lambdas.application.remediation import assess, repair, watch, workflow
from lambdas.application.remediation.assess import TakenOver
from lambdas.application.remediation.carried_state import CarriedState, UndeliveredNotification
from lambdas.application.remediation.repair import MAX_REPAIRS
from lambdas.application.remediation.results import (
    AssessmentResult,
    HandOverResult,
    NotificationKey,
    ReplacementResult,
    ReplacementState,
    VerificationResult,
)
from lambdas.application.remediation.state import Iteration, WorkflowState
from lambdas.application.remediation.workflow import HAND_OVER_AGE, _hand_over_in_time, remediate
from lambdas.application.workflow_steps import NOTIFY_SCHEDULE, InProcessSteps, Meter, PollSchedule
from lambdas.contract.durable_quotas import HAND_OVER_AT, MAX_OPERATIONS
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import TransientError
from lambdas.domain.incidents.details import DeletedPod
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.verification import VerificationState
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import ApprovalAnswer
from sandbox.simulation.scenario import TrustPolicyKind, World, load, names
from tests.fakes import FakeIncidents
from tests.over_fakes import events
from tests.over_fakes.scenario_run import ScenarioRun, StepsWithoutWatch, run_scenario
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER, world_of
from tests.unit.workflow.test_arbitrary_results import BROKEN, INCIDENT, SOME, ArbitrarySteps, CountingSteps
from tests.unit.workflow.workflow_run import InterruptedSteps, by_hand, keep_waiting, mend_trust, run_workflow
from tests.world import NOON

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambdas.application.workflow_steps import StepId
    from lambdas.domain.assessment.summary import AssessmentSummary
    from lambdas.domain.planning.actions import ReplaceStalePods
    from lambdas.domain.planning.planned_binding import PlannedBinding

R = TypeVar("R")
ACTING: Final = [name for name in names() if load(name).expect.actions]
MOST: Final = {"approval_timeout_s": 604_800, "verification_timeout_s": 21_600, "update_timeout_s": 21_600}
"""The settings' maximum."""
LAST: Final = repair.replacement_schedule(MOST["verification_timeout_s"]).polls


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
    details = [
        (past.outcome, past.verdict, past.changes, len(past.details.timeline), past.details.first_notified_at is None)
        for past in run.incidents.closed
    ]
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
    assessed = (assess.READ_SCHEDULE.polls + 1) + (update.polls + 1) + 1
    approved = 1 + (NOTIFY_SCHEDULE.polls + 1) + 1 + assessed
    actions = 4 * (repair.BUSY_SCHEDULE.polls + 1) + (repair.CANARY_SCHEDULE.polls + 1)
    waves = repair.replacement_schedule(MOST["verification_timeout_s"]).polls + 1
    verified = repair.verification_schedule(MOST["verification_timeout_s"]).polls + 2
    described = assess.FOR_MESSAGE_SCHEDULE.polls + 1
    around = 3 * (repair.BUSY_SCHEDULE.polls + 1) + 5  # claim, restore and release, and the notifications
    closing = 2 * (NOTIFY_SCHEDULE.polls + 1) + (workflow.CLOSE_SCHEDULE.polls + 1) + (workflow.HAND_OVER_SCHEDULE.polls + 1)
    repaired = assessed + approved + actions + waves + verified + described + around + closing
    watched = assessed + closing + sum(watch.reminder_schedule(seconds).polls + 2 + described for seconds in watch.REMINDERS_S)
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


def test_an_undelivered_notification_is_sent_by_the_next_execution_with_what_it_is_about() -> None:
    key = NotificationKey(3, NotificationKind.NEEDS_ACTION, "again")
    undelivered = UndeliveredNotification(
        key=key, verification="failed", trouble="refused", deleted_pod=DeletedPod(name="aws-node-1", node="node-1")
    )
    carried = CarriedState(iteration=3, first=BROKEN, current=BROKEN, undelivered=undelivered)
    resumed = WorkflowState.resume(INCIDENT, carried)
    assert resumed.undelivered == undelivered
    assert resumed.carry(3) == carried


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


@dataclass
class MeteredSteps(StepsWithoutWatch):
    """Steps with a meter that also run the waits. Records the usage of each execution."""

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        return InProcessSteps.until(self, step, initial, check, is_settled, schedule)


def _metered(meters: list[Meter]) -> Callable[[ScenarioRun], MeteredSteps]:
    def steps(run: ScenarioRun) -> MeteredSteps:
        meters.append(Meter())
        return MeteredSteps(sleep=run.world.sleep, meter=meters[-1])

    return steps


@pytest.mark.exhaustive
@pytest.mark.parametrize("days", [9, pytest.param(365, marks=[pytest.mark.long, pytest.mark.timeout(7200)])], ids=["nine days", "a year"])
def test_an_incident_that_nobody_repairs_stays_within_the_quotas(days: int) -> None:
    """Each execution reminds for four days and closes; the next sweep opens the incident again."""
    meters: list[Meter] = []
    run = ScenarioRun(world_of(World(annotation=None, nodes=3, trust=TrustPolicyKind("other-subject"))), _metered(meters))
    while run.world.now - NOON < timedelta(days=days):
        run.deliver(events.check_requested(run.world.now))
        run.world.sleep(300)
    assert len(meters) >= days / 5
    assert all(meter.used < HAND_OVER_AT for meter in meters)
    assert {past.outcome for past in run.incidents.closed} == {"needs-action"}
    assert sum(meter.operations for meter in meters) < 150 * (days + 5)


@pytest.mark.parametrize(("used_before", "executions"), [(0, 1), (900, 2), (1_499, 2)])
def test_three_repairs_by_batches_at_the_settings_maximum_stay_within_the_quotas(used_before: int, executions: int) -> None:
    """Every replacement and verification takes its whole time. An execution that used half of its quota ends before the next iteration."""
    answer, stuck, used = ApprovalAnswer(approved=True, by="a"), StuckSteps(random.Random(0)), []
    work: Any = stuck
    carried: CarriedState | None = None
    while not used or stuck.carried:
        carried, stuck.carried = stuck.carried, None
        steps = SteppedToTheEnd(answers=lambda: answer, attempts=lambda: 10**9, operations=0 if used else used_before)
        remediate(INCIDENT, steps, work, carried)
        used.append(steps.operations)
    assert stuck.asked.count("claimed") == MAX_REPAIRS
    assert len(used) == executions
    assert max(used) < MAX_OPERATIONS
    assert stuck.asked.count("notify repairing") == 1


class SteppedToTheEnd(CountingSteps):
    """Counts operations, and hands over by their number."""

    @property
    def must_hand_over(self) -> bool:  # type: ignore[override]
        return Meter(operations=self.operations).is_low

    @must_hand_over.setter
    def must_hand_over(self, value: bool) -> None:
        """The field of the parent is not used."""


class StuckSteps(ArbitrarySteps):
    """Every replacement and verification lasts until its time-out; each signal of the next iteration shows the same fault."""

    carried: CarriedState | None = None

    def assess(self, iteration: int, former: AssessmentResult, unresolved: tuple[int, ...] = ()) -> AssessmentResult:
        limits = replace(BROKEN.time_limits, **MOST)
        return AssessmentResult(at=NOON, summary=replace(BROKEN, actions=(SOME,), time_limits=limits), signals=1)

    def _choose(self, name: str, likely: float, usual: R, *others: R) -> R:
        self.asked.append(name)
        return usual

    def replace_stale_pods(self, action: ReplaceStalePods, binding: PlannedBinding, former: ReplacementResult) -> ReplacementResult:
        """The last step within the time replaces the last pod."""
        checks = int(former.message or 0) + 1
        state = ReplacementState.DONE if checks == LAST else ReplacementState.WAITING
        return ReplacementResult(at=NOON, state=state, message=str(checks))

    def verify(self, before: AssessmentSummary, former: VerificationResult) -> VerificationResult:
        return VerificationResult(at=NOON, state=VerificationState.WAITING, sentence="so far")

    def hand_over(self, state: CarriedState, former: HandOverResult) -> HandOverResult:
        self.carried = state
        return HandOverResult(at=NOON, is_handed_over=True)


@pytest.mark.parametrize("operations", [0, MAX_OPERATIONS], ids=["same execution", "handed over"])
def test_a_notification_that_was_not_delivered_is_not_sent_once_its_fault_has_ended(operations: int) -> None:
    def hand_over(_: ScenarioRun, steps: InterruptedSteps) -> None:
        steps.meter = Meter(operations=operations)

    def end(run: ScenarioRun) -> None:
        run.world.call_faults.clear()
        mend_trust(run)
        run.world.cluster.working_roles = frozenset({BOUND_ROLE})
        by_hand(run)

    down = TransientError("SNS: 503")
    done = run_workflow(
        {"trust": "other-subject"},
        first=lambda run: run.world.fail("notifier.send", down, times=None),
        before={"1 watch 1": end},
        watches=1,
        prepare=hand_over,
    )
    assert (done.outcome, done.notified) == ("recovered", ["recovered"])


@pytest.mark.parametrize(("age", "is_over"), [(HAND_OVER_AGE, True), (HAND_OVER_AGE - timedelta(seconds=1), False)])
def test_an_execution_hands_over_from_this_age_on(age: timedelta, *, is_over: bool) -> None:
    handed_over: list[StepId] = []
    steps: Any = SimpleNamespace(must_hand_over=False, until=lambda step, *_: handed_over.append(step))
    state, work = WorkflowState(INCIDENT, began_at=NOON, latest_at=NOON + age), SimpleNamespace(hand_over=lambda *_: None)
    with pytest.raises(TakenOver) if is_over else nullcontext():
        _hand_over_in_time(Iteration(2, state, steps, work), 1)  # type: ignore[arg-type]
    assert len(handed_over) == is_over
