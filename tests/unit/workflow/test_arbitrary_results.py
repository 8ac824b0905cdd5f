"""Arbitrary step results: the workflow ends within the operations of one execution, and acts only between claim and release."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from lambdas.application.codec import decode, encode
from lambdas.application.remediation.repair import MAX_REPAIRS
from lambdas.application.remediation.results import (
    ActionResult,
    ActionState,
    AssessmentResult,
    CanaryResult,
    CanaryState,
    ClaimResult,
    CloseResult,
    DeliveryState,
    NotificationResult,
    ReplacementResult,
    ReplacementState,
    StepResult,
    VerificationResult,
)
from lambdas.application.remediation.workflow import remediate
from lambdas.application.workflow_steps import PollSchedule, StepId, send_request
from lambdas.contract.durable_quotas import MAX_OPERATIONS
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.incident import Incident, Outcome
from lambdas.domain.planning.actions import ReplaceCanaryPod, ReplaceStalePods, RestoreAnnotation
from lambdas.domain.verification import VerificationState
from lambdas.notifications.message_context import ApprovalAnswer
from tests.chaos.protocol.programs import summary_at
from tests.world import NOON

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambdas.application.remediation.results import NotificationKey, RemediationResult
    from lambdas.application.remediation.steps.canary import Canary
    from lambdas.application.remediation.steps.history import IncidentRecord
    from lambdas.domain.assessment.summary import AssessmentSummary
    from lambdas.domain.planning.actions import Action
    from lambdas.domain.planning.planned_binding import PlannedBinding
    from lambdas.notifications.message_context import MessageContext

AT: Final = NOON.isoformat()
WHOLE, ANNOTATION_GONE, HELD = (summary_at(found, AT) for found in ("whole", "broken", "held"))
ONE = ReplaceCanaryPod(pod="aws-node-1", uid="1", node="n1", newest=AT, role_arn="arn")
SOME = ReplaceStalePods(role_arn="arn", at_a_time=1, count=2)
BROKEN = replace(ANNOTATION_GONE, actions=(*ANNOTATION_GONE.actions, ONE, SOME))
INCIDENT: Final = Incident(id="i", target=ServiceAccountRef("demo", "kube-system", "aws-node"), opened_at=NOON, signals=1, request={})
R = TypeVar("R")


@dataclass
class CountingSteps:
    """Counts operations, checks that step ids are unique, and polls as often as `attempts` says or the schedule allows."""

    answers: Callable[[], ApprovalAnswer]
    attempts: Callable[[], int]
    operations: int = 0
    names: set[str] = field(default_factory=set)
    must_hand_over: bool = False

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        self._count(step)
        return decode(result, json.loads(json.dumps(encode(do()))))

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        self._count(step)
        state, most, attempt = initial, self.attempts(), 0
        while True:
            state, attempt = decode(type(initial), json.loads(json.dumps(encode(check(state))))), attempt + 1
            self.operations += 1
            if is_settled(state) or attempt >= most or schedule.delay_s(attempt) is None:
                return state

    def pause(self, step: StepId, seconds: int) -> None:
        self._count(step)
        assert seconds >= 1

    def ask(self, step: StepId, send: Callable[[str], bool], timeout_s: int) -> ApprovalAnswer:
        self._count(step)
        send_request(self, step, "callback", send)
        return self.answers()

    def _count(self, step: StepId) -> None:
        name = str(step)
        assert name not in self.names, f"{name} comes twice: a replay would take the one for the other"
        self.names.add(name)
        self.operations += 1


@dataclass
class ArbitrarySteps:
    """Steps with any result that their types allow, and a list of the steps that ran."""

    chance: random.Random
    asked: list[str] = field(default_factory=list)
    shown: str = ""

    def assess(self, iteration: int, former: AssessmentResult, unresolved: tuple[int, ...] = ()) -> AssessmentResult:
        self.asked.append("assess")
        if self.chance.randrange(6) == 0:
            is_taken_over = self.chance.random() < 0.01
            return replace(former, at=NOON, error="" if is_taken_over else "no answer", is_taken_over=is_taken_over)
        return AssessmentResult(at=NOON, summary=self._summary(), signals=1, denials=self.chance.randrange(14))

    def _summary(self) -> AssessmentSummary:
        summary = self.chance.choices((WHOLE, BROKEN, HELD), (1, 6, 3))[0]
        return replace(
            summary,
            needs_approval=bool(summary.actions) and self.chance.random() < 0.3,
            wait="an update runs" if self.chance.random() < 0.1 else "",
            binding_version=self.chance.randrange(3),
        )

    def _choose(self, name: str, likely: float, usual: R, *others: R) -> R:
        self.asked.append(name)
        return usual if self.chance.random() < likely else self.chance.choice(others)

    def claim(self, former: ClaimResult) -> ClaimResult:
        result = self._choose("claim", 0.9, ClaimResult(is_ours=True), ClaimResult(is_ours=False), ClaimResult(error="no answer"))
        self.asked += ["claimed"] if result.is_ours else []
        return result

    def release(self, former: ClaimResult) -> ClaimResult:
        return self._choose("release", 0.9, ClaimResult(is_ours=True), ClaimResult(error="no answer"))

    def apply(self, action: Action, binding: PlannedBinding, former: ActionResult) -> ActionResult:
        done, *others = (ActionResult(state=state, message="message", at=NOON) for state in ActionState)
        return self._choose("restore" if isinstance(action, RestoreAnnotation) else "apply", 0.8, done, *others)

    def check_canary(self, canary: Canary, former: CanaryResult) -> CanaryResult:
        others = (CanaryResult(state=state) for state in CanaryState if state is not CanaryState.HAS_ROLE)
        return self._choose("follow", 0.7, CanaryResult(state=CanaryState.HAS_ROLE), *others)

    def replace_stale_pods(self, action: ReplaceStalePods, binding: PlannedBinding, former: ReplacementResult) -> ReplacementResult:
        others = (ReplacementResult(state=state) for state in ReplacementState if state is not ReplacementState.DONE)
        return self._choose("follow", 0.7, ReplacementResult(state=ReplacementState.DONE), *others)

    def verify(self, before: AssessmentSummary, former: VerificationResult) -> VerificationResult:
        self.asked.append("verify")
        state, summary = self.chance.choice(list(VerificationState)), self._summary() if self.chance.random() < 0.8 else None
        return VerificationResult(at=NOON, state=state, sentence="so far", summary=summary)

    def notify(self, key: NotificationKey, context: MessageContext) -> NotificationResult:
        return self._choose(f"notify {context.kind}", 0.8, SENT, NotificationResult(state=DeliveryState.SKIPPED), UNDELIVERED)

    def request_approval(self, context: MessageContext, callback_id: str) -> NotificationResult:
        self.shown = context.current.plan_digest
        return self._choose("ask", 0.8, SENT, UNDELIVERED)

    def clear_approval(self) -> StepResult:
        return StepResult(at=NOON)

    def close(self, record: IncidentRecord, former: CloseResult) -> CloseResult:
        return self._choose("close", 0.6, CloseResult(is_closed=True), CloseResult(is_closed=False), CloseResult())


SENT, UNDELIVERED = NotificationResult(state=DeliveryState.SENT), NotificationResult(state=DeliveryState.FAILED, error="down")


def arbitrary_run(seed: int) -> tuple[RemediationResult, CountingSteps, list[str]]:
    chance = random.Random(seed)
    work: Any = ArbitrarySteps(chance)

    def answer() -> ApprovalAnswer:
        yes, no = ApprovalAnswer(approved=True, plan=work.shown, by="a"), ApprovalAnswer(approved=False, by="b")
        return chance.choice([yes, yes, replace(yes, plan=""), no, ApprovalAnswer(approved=False, timed_out=True)])

    steps = CountingSteps(answers=answer, attempts=lambda: chance.randint(1, 12))
    return remediate(INCIDENT, steps, work), steps, work.asked


def test_every_run_ends_within_its_operations_and_acts_only_while_it_may() -> None:
    _hold(range(60))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_run_ends_within_its_operations_at_length() -> None:
    _hold(range(60, 3_000))


def _hold(seeds: range) -> None:
    for seed in seeds:
        ended, steps, asked = arbitrary_run(seed)
        assert ended.outcome or asked[-1] == "assess", "only an assessment shows that another has taken over"
        assert steps.operations < MAX_OPERATIONS, seed
        assert asked.count("claimed") <= MAX_REPAIRS
        _acts_only_between_claim_and_release(asked)
        assert asked.count("restore") <= MAX_REPAIRS * MOST_POLLS


MOST_POLLS: Final = 12


def _acts_only_between_claim_and_release(asked: list[str]) -> None:
    may = False
    for name in asked:
        may = name == "claimed" or (may and name not in ("release", "assess"))
        assert may or name not in ("apply", "follow", "restore"), asked


def test_the_runs_cover_all_outcomes_and_steps() -> None:
    """The other tests here are worth as much as their runs cover."""
    outcomes = {arbitrary_run(seed)[0].outcome for seed in range(60)}
    asked = {name for seed in range(60) for name in arbitrary_run(seed)[2]}
    assert {Outcome.VERIFIED, Outcome.RECOVERED} <= outcomes
    assert {"restore", "ask", "follow", "notify needs-action", "notify not-approved", "close"} <= asked


class UnchangedSteps(ArbitrarySteps):
    """A fault that only a person can repair, and that no person repairs."""

    def assess(self, iteration: int, former: AssessmentResult, unresolved: tuple[int, ...] = ()) -> AssessmentResult:
        return AssessmentResult(at=NOON, summary=replace(HELD, blocked=()), signals=1)

    def _choose(self, name: str, likely: float, usual: R, *others: R) -> R:
        self.asked.append(name)
        return usual


def test_four_days_of_waiting_for_a_person_stay_within_the_operations() -> None:
    steps = CountingSteps(answers=lambda: ApprovalAnswer(approved=False), attempts=lambda: 10**9)
    work: Any = UnchangedSteps(random.Random(0))
    remediate(INCIDENT, steps, work)
    assert 300 < steps.operations < MAX_OPERATIONS / 2
    assert work.asked.count("notify reminder") == 4


class ConflictingSteps(UnchangedSteps):
    """A fault whose objects change before each action, so that every repair ends in a conflict."""

    def assess(self, iteration: int, former: AssessmentResult, unresolved: tuple[int, ...] = ()) -> AssessmentResult:
        return AssessmentResult(at=NOON, summary=BROKEN, signals=1)

    def apply(self, action: Action, binding: PlannedBinding, former: ActionResult) -> ActionResult:
        self.asked.append("apply")
        return ActionResult(at=NOON, state=ActionState.CONFLICT, message="the object has changed")


def test_a_run_of_conflicts_ends_after_three_repairs_and_needs_a_person() -> None:
    """Three is written out here: the limit itself must not move unseen, and no fourth repair may begin."""
    steps = CountingSteps(answers=lambda: ApprovalAnswer(approved=False), attempts=lambda: 10**9)
    work: Any = ConflictingSteps(random.Random(0))
    ended = remediate(INCIDENT, steps, work)
    assert (work.asked.count("claimed"), work.asked.count("apply")) == (3, 3)
    assert (ended.outcome, work.asked.count("notify needs-action")) == (Outcome.NEEDS_ACTION, 1)
