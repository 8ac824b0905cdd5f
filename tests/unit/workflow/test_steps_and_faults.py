"""The whole results of steps where a port answers, does not answer, or says that another execution holds the incident."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from lambdas.application.remediation.carried_state import CarriedState
from lambdas.application.remediation.results import (
    AssessmentResult,
    ClaimResult,
    CloseResult,
    DeliveryState,
    HandOverResult,
    NotificationKey,
    NotificationResult,
    StepResult,
    VerificationResult,
)
from lambdas.application.remediation.steps.history import IncidentRecord
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.application.remediation.steps.step_context import MAX_ERROR_LENGTH
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import AccessDenied, Conflict, Denial, PermanentError, TransientError
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.verification import VerificationState
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from tests.over_fakes.scenario_run import ScenarioRun
from tests.unit.checker.simulated_checker import KEY, TARGET
from tests.unit.workflow.test_step_results import opened

LONG: Final = "x" * (MAX_ERROR_LENGTH + 1)
CUT: Final = "x" * MAX_ERROR_LENGTH
NO_ANSWER: Final = TransientError(LONG)
TAKEN: Final = Conflict("the incident has another holder")
FORMER: Final = AssessmentResult(signals=3, denials=2)
Logged = tuple[str, str, dict[str, Any]]


def told(simulation: ScenarioRun, do: Callable[[], object]) -> tuple[object, list[Logged]]:
    """The result, and the log lines, which all name the incident."""
    before, incident = len(simulation.log.lines), simulation.incidents.get(TARGET)
    assert incident
    result = do()
    lines = [(title, text, dict(fields)) for title, text, fields in simulation.log.lines[before:]]
    assert {fields.pop("incident") for _, _, fields in lines} == {incident.id}
    return result, lines


def summary_of(steps: RemediationSteps) -> AssessmentSummary:
    found = steps.assess(1, AssessmentResult()).summary
    assert found
    return found


def take_over(simulation: ScenarioRun) -> None:
    """Another execution holds the incident."""
    row = simulation.incidents.rows[TARGET.key]
    assert row.incident
    row.incident = replace(row.incident, execution=row.incident.execution + 2)


# --- assess ----------------------------------------------------------------------------------------------------------------------------


def test_an_assessment_of_another_execution_is_none() -> None:
    simulation, steps = opened()
    take_over(simulation)
    result, lines = told(simulation, lambda: steps.assess(1, FORMER))
    assert result == AssessmentResult(at=simulation.world.now, is_taken_over=True)
    assert lines == [("snapshot", "the incident has another holder", {})]


def test_an_assessment_without_an_answer_is_the_former_one() -> None:
    simulation, steps = opened()
    simulation.world.fail("cluster.pods", NO_ANSWER, times=None)
    result, lines = told(simulation, lambda: steps.assess(1, FORMER))
    assert result == replace(FORMER, at=simulation.world.now, error=CUT)
    assert [(title, text, type(fields["error"])) for title, text, fields in lines] == [("snapshot", LONG, TransientError)]


def test_successive_denials_are_counted() -> None:
    simulation, steps = opened()
    first = steps.assess(1, FORMER)
    assert (first.denials, first.signals, first.at) == (0, 1, simulation.world.now)
    assert steps.incident.signals == 1
    simulation.world.fail("cluster.service_account", AccessDenied("401", denial=Denial.UNAUTHENTICATED), times=None)
    second = steps.assess(2, FORMER)
    assert second.summary
    assert (second.summary.verdict, second.denials) == (Verdict.NO_ACCESS, 3)


# --- claim, hand over ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["claim", "release"])
def test_a_claim_says_whether_the_incident_is_ours(step: str) -> None:
    simulation, steps = opened()
    do = getattr(steps, step)
    assert do(ClaimResult()) == ClaimResult(at=simulation.world.now, is_ours=True)
    stored = simulation.incidents.get(TARGET)
    assert stored
    assert stored.repairing is (step == "claim")
    take_over(simulation)
    assert do(ClaimResult(is_ours=True)) == ClaimResult(at=simulation.world.now, is_ours=False)
    simulation.world.fail("incidents.mark_repairing", NO_ANSWER, times=None)
    result = do(ClaimResult(is_ours=True))
    assert result == ClaimResult(at=simulation.world.now, is_ours=True, error=CUT)


def test_a_hand_over_starts_the_next_execution() -> None:
    simulation, steps = opened()
    sent = len(simulation.bus.sent)
    result, lines = told(simulation, lambda: steps.hand_over(CarriedState(iteration=1), HandOverResult()))
    assert result == HandOverResult(at=simulation.world.now, is_handed_over=True)
    assert lines == [("actions", "handed over to the next execution", {"execution": 2})]
    ((kind, detail),) = simulation.bus.sent[sent:]
    assert kind == "Check Requested"
    assert (detail["cluster"], detail["serviceAccount"]) == (TARGET.cluster, {"namespace": KEY[0], "name": KEY[1]})


@pytest.mark.parametrize(
    ("fault", "former", "expected"),
    [
        (None, HandOverResult(), HandOverResult(is_handed_over=False)),
        (NO_ANSWER, HandOverResult(is_handed_over=True), HandOverResult(is_handed_over=True, error=CUT)),
    ],
)
def test_a_hand_over_that_fails_starts_nothing(fault: Exception | None, former: HandOverResult, expected: HandOverResult) -> None:
    simulation, steps = opened()
    if fault:
        simulation.world.fail("incidents.hand_over", fault, times=None)
    else:
        take_over(simulation)
    sent = len(simulation.bus.sent)
    assert steps.hand_over(CarriedState(iteration=1), former) == replace(expected, at=simulation.world.now)
    assert len(simulation.bus.sent) == sent


def test_a_start_that_cannot_be_requested_is_left_to_the_sweep() -> None:
    simulation, steps = opened()
    simulation.world.fail("events.put", PermanentError("no bus"), times=None)
    result, lines = told(simulation, lambda: steps.hand_over(CarriedState(iteration=1), HandOverResult()))
    assert result == HandOverResult(at=simulation.world.now, is_handed_over=True)
    assert [(title, text) for title, text, _ in lines[1:]] == [("actions", "no bus")]


# --- verify ----------------------------------------------------------------------------------------------------------------------------


def test_a_verification_remembers_when_the_counts_last_moved() -> None:
    simulation, steps = opened()
    before, began_at = summary_of(steps), simulation.world.now
    first = steps.verify(before, VerificationResult())
    assert first.counts
    sample = (first.counts.pods_right, first.counts.pods, first.counts.nodes_ready, first.counts.nodes)
    assert (first.began_at, first.progress_at, first.samples) == (began_at, began_at, ((0, *sample),))
    simulation.world.sleep(7)
    second = steps.verify(before, first)
    assert second == replace(first, at=simulation.world.now, assessed_at=simulation.world.now, summary=second.summary)
    simulation.world.set_annotation(simulation.world.cluster, KEY, before.desired_role, "kubectl")
    for name in list(simulation.world.cluster.pods):
        simulation.world.replace_pod(simulation.world.cluster, name)
    third = steps.verify(before, second)
    assert third.at
    assert third.counts
    assert third.state is VerificationState.VERIFIED
    assert (third.at, third.progress_at, third.began_at) == (simulation.world.now, simulation.world.now, began_at)
    moved = (third.counts.pods_right, third.counts.pods, third.counts.nodes_ready, third.counts.nodes)
    assert third.samples == ((0, *sample), ((third.at - began_at).seconds, *moved))


def test_a_verification_without_an_answer_waits() -> None:
    simulation, steps = opened()
    former = VerificationResult(state=VerificationState.WORSE, samples=((0, 1, 2, 3, 4),))
    simulation.world.fail("cluster.pods", NO_ANSWER, times=None)
    assert steps.verify(summary_of_closed(), former) == replace(
        former, at=simulation.world.now, state=VerificationState.WAITING, sentence=CUT
    )


def summary_of_closed() -> AssessmentSummary:
    return summary_of(opened()[1])


# --- notify ----------------------------------------------------------------------------------------------------------------------------

REPAIRING: Final = NotificationKey(1, NotificationKind.REPAIRING)


def context(steps: RemediationSteps, kind: NotificationKind = NotificationKind.REPAIRING) -> MessageContext:
    found = summary_of(steps)
    return MessageContext(kind=kind, incident=steps.incident, first=found, current=found)


def test_a_notification_is_sent_once() -> None:
    simulation, steps = opened()
    about = context(steps)
    sent = len(simulation.notifier.sent), len(simulation.bus.sent)
    for _ in range(2):
        assert steps.notify(REPAIRING, about) == NotificationResult(at=simulation.world.now, state=DeliveryState.SENT)
    assert (len(simulation.notifier.sent) - sent[0], len(simulation.bus.sent) - sent[1]) == (1, 1)
    assert simulation.bus.sent[-1][0] == "Remediation Started"
    assert simulation.log.lines[-1][:2] == ("report", simulation.notifier.sent[-1].subject)


@pytest.mark.parametrize(("method", "channel"), [("notifier.send", "topics"), ("events.put", "bus")])
def test_a_channel_that_fails_is_counted_and_alone_sent_again(method: str, channel: str) -> None:
    simulation, steps = opened()
    about = context(steps)
    sent = len(simulation.notifier.sent), len(simulation.bus.sent)
    simulation.world.fail(method, PermanentError(LONG))
    assert steps.notify(REPAIRING, about) == NotificationResult(at=simulation.world.now, error=CUT)
    (name, value, dimensions) = simulation.metrics.counted[-1]
    assert (name, value, dimensions) == ("NotificationFailures", 1, {"channel": channel})
    assert simulation.log.lines[-1][1] == f"not sent: {LONG}"
    assert steps.notify(REPAIRING, about).state is DeliveryState.SENT
    assert (len(simulation.notifier.sent) - sent[0], len(simulation.bus.sent) - sent[1]) == (1, 1)


def test_an_error_without_a_text_is_named_by_its_type() -> None:
    simulation, steps = opened()
    about = context(steps)
    simulation.world.fail("notifier.send", PermanentError(""))
    assert steps.notify(REPAIRING, about).error == "PermanentError"


def test_an_approval_is_requested_even_where_its_callback_is_not_stored() -> None:
    simulation, steps = opened()
    about = context(steps, NotificationKind.APPROVAL_REQUESTED)
    callback = "c" * 30
    assert steps.request_approval(about, callback).state is DeliveryState.SENT
    stored = simulation.incidents.get(TARGET)
    assert stored
    assert stored.callback_id == callback
    assert steps.clear_approval() == StepResult(at=simulation.world.now)
    stored = simulation.incidents.get(TARGET)
    assert stored
    assert not stored.callback_id
    simulation.world.fail("incidents.mark_approval_requested", PermanentError("no table"), times=2)
    result, lines = told(simulation, lambda: steps.request_approval(about, "d" * 30))
    assert isinstance(result, NotificationResult)
    assert result.state is DeliveryState.SENT
    assert lines[0][:2] == ("report", "the callback was not stored: no table")
    result, lines = told(simulation, steps.clear_approval)
    assert result == StepResult(at=simulation.world.now)
    assert [line[:2] for line in lines] == [("report", "the answered callback was not removed: no table")]


# --- close -----------------------------------------------------------------------------------------------------------------------------


def record(steps: RemediationSteps, outcome: Outcome = Outcome.RECOVERED, signals: int = 1) -> IncidentRecord:
    found = summary_of(steps)
    return IncidentRecord(outcome=outcome, first=found, current=found, signals=signals)


@pytest.mark.parametrize(("outcome", "recovered"), [(Outcome.VERIFIED, True), (Outcome.RECOVERED, False), (Outcome.NEEDS_ACTION, False)])
def test_a_closed_incident_is_counted(outcome: Outcome, *, recovered: bool) -> None:
    simulation, steps = opened()
    ended = record(steps, outcome)
    simulation.world.sleep(90)
    before = len(simulation.metrics.counted)
    assert steps.close(ended, CloseResult()) == CloseResult(at=simulation.world.now, is_closed=True)
    assert simulation.incidents.get(TARGET) is None
    (past,) = simulation.incidents.closed
    assert (past.outcome, past.signals, past.closed_at) == (outcome, 1, simulation.world.now)
    counted = [
        ("Repairs", 1, {"outcome": str(outcome)}),
        ("Verdicts", 1, {"cluster": TARGET.cluster, "verdict": str(past.verdict)}),
        *([("TimeToRecover", 90, {})] if recovered else []),
    ]
    assert simulation.metrics.counted[before:] == counted


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NO_ANSWER, CloseResult(signals=1, is_healthy=True, error=CUT)),
        (Conflict(LONG), CloseResult(is_closed=True, error=CUT)),
    ],
)
def test_an_incident_that_cannot_be_closed(error: Exception, expected: CloseResult) -> None:
    simulation, steps = opened()
    ended = record(steps)
    simulation.world.fail("incidents.close", error, times=None)
    assert steps.close(ended, CloseResult(signals=1, is_healthy=True)) == replace(expected, at=simulation.world.now)


@pytest.mark.parametrize(
    ("outcome", "is_closed"),
    [
        (Outcome.VERIFIED, False),  # the signal is of a fault that is there
        (Outcome.NEEDS_ACTION, None),
    ],
)
def test_a_signal_before_closing_is_assessed(outcome: Outcome, is_closed: bool | None) -> None:
    simulation, steps = opened()
    ended = record(steps, outcome, signals=0)
    result = steps.close(ended, CloseResult())
    assert result == CloseResult(
        at=simulation.world.now, is_closed=is_closed, assessed_at=simulation.world.now.isoformat(), is_healthy=False, signals=1
    )
    assert steps.close(ended, replace(result, is_closed=None)).is_closed is True


def test_a_signal_that_cannot_be_assessed_keeps_the_incident_open() -> None:
    simulation, steps = opened()
    ended = record(steps, signals=0)
    former = CloseResult(assessed_at=simulation.world.now.isoformat(), signals=0)
    simulation.world.fail("cluster.pods", NO_ANSWER, times=None)
    assert steps.close(ended, former) == replace(former, at=simulation.world.now)
