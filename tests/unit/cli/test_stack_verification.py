"""The checks of `verify` over a stack in memory: each has three answers, and a failed call is the answer of its check."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cli.clients.stack_ports import TopicSubscription
from cli.commands.verify import WAIT_POLL_S, _run_until_shown
from cli.errors import ExitCode
from cli.queries.stack_verification.results import CheckResult, Verification, exit_code
from cli.queries.stack_verification.run import run_checks, served_clusters
from cli.queries.stack_verification.sample_events import sample_events
from lambdas.contract.environment import Function
from lambdas.contract.events import SUBSCRIPTIONS
from lambdas.contract.parameters import binding_path
from lambdas.contract.self_test import Answer
from lambdas.contract.settings import settings_path
from lambdas.contract.stack_checks import STACK_CHECKS, CheckId
from lambdas.domain.errors import AccessDenied, Denial, PermanentError, TransientError
from lambdas.domain.requests.parser import parse
from lambdas.domain.requests.request import CheckRequest
from lambdas.domain.snapshot.bindings import Parameter
from tests.unit.cli.fake_dependencies import Fakes, fake_dependencies
from tests.world import NAME, NAMESPACE, NOON, described, role_arn

if TYPE_CHECKING:
    from collections.abc import Callable

DENIED = AccessDenied("call: AccessDeniedException", denial=Denial.FORBIDDEN)
THROTTLED = TransientError("call: ThrottlingException")


def results(change: Callable[[Fakes], None] = lambda _: None, *, version: str = "1.28", **options: Any) -> list[CheckResult]:
    fakes = fake_dependencies(described({"cluster": {"version": version}}))
    fakes.callbacks.waiting.add("callback-1")
    change(fakes)
    clock = itertools.count(step=0.01)
    dependencies = fakes.dependencies
    run = Verification(dependencies=dependencies, clusters=served_clusters(dependencies, ()), seconds=lambda: float(next(clock)), **options)
    run_checks(run, lambda _: None)
    return run.results


def answer(check: CheckId, change: Callable[[Fakes], None], **options: Any) -> CheckResult:
    """The first answer to the check that is not shown, else its answer."""
    found = [result for result in results(change, **options) if result.check is check]
    return next((result for result in found if result.answer is not Answer.SHOWN), found[0])


def change_stack(**changes: Any) -> Callable[[Fakes], None]:
    def change(fakes: Fakes) -> None:
        for name, value in changes.items():
            setattr(fakes.stack, name, value)

    return change


def test_a_sound_stack_has_every_check_and_none_that_failed() -> None:
    found = results(sends_messages=True)
    assert {result.check for result in found} == set(STACK_CHECKS)
    assert [result for result in found if result.is_failed or result.answer is Answer.UNKNOWN] == []
    assert exit_code(found) is ExitCode.OK


def _parameter(path: str, value: str) -> Callable[[Fakes], None]:
    return lambda fakes: fakes.world.parameters.update({path: Parameter(value=value)})


PENDING = (TopicSubscription(protocol="email", endpoint="oncall@example.com", is_confirmed=False),)
REFUTED: dict[CheckId, Callable[[Fakes], None]] = {
    CheckId.FUNCTION_ANSWERS: change_stack(errors={"invoke": PermanentError("checker failed: Runtime.ImportModuleError")}),
    CheckId.FUNCTION_VERSION: change_stack(version="0.0.9"),
    CheckId.BYTE_CODE: change_stack(answers={(Function.CHECKER, CheckId.BYTE_CODE): Answer.REFUTED}),
    CheckId.CLUSTER_RBAC: change_stack(answers={(Function.REMEDIATOR, CheckId.CLUSTER_RBAC): Answer.REFUTED}),
    CheckId.DURABLE_EXECUTION: change_stack(is_answering_callbacks=False),
    CheckId.EVENT_RULES: change_stack(rule_changes={"RefusedTokens": "DISABLED"}),
    CheckId.EVENT_PATTERNS: change_stack(unmatched={"aws.ssm"}),
    CheckId.EVENT_ROUND_TRIP: change_stack(is_delivering=False),
    CheckId.SWEEP_SCHEDULE: change_stack(rule_changes={"Sweep": "DISABLED"}),
    CheckId.SUBSCRIPTIONS: change_stack(people=PENDING),
    CheckId.NOTIFICATION_KEY: change_stack(key_state="PendingDeletion"),
    CheckId.PASS_ROLE: change_stack(refused_calls={"iam:PassRole"}),
    CheckId.UPDATE_ADDON: change_stack(refused_calls={"eks:UpdateAddon"}),
    CheckId.BINDINGS: _parameter(binding_path("demo", NAMESPACE, NAME), "nonsense"),
    CheckId.SETTINGS: _parameter(settings_path("demo", "mode"), "sometimes"),
    CheckId.ALARMS: change_stack(alarm_state="ALARM"),
    CheckId.DEAD_LETTERS: change_stack(dead_letters=2),
    CheckId.ENVIRONMENT_SIZE: change_stack(environment_bytes=4000),
    CheckId.CONCURRENCY: change_stack(unreserved=10),
}


@pytest.mark.parametrize("check", REFUTED)
def test_a_fault_refutes_its_check_alone_and_has_a_next_step(check: CheckId) -> None:
    found = results(REFUTED[check])
    failed = [result for result in found if result.is_failed]
    assert {result.check for result in failed} == {check}, [(result.check, result.detail) for result in failed]
    assert all(result.detail or result.advice for result in failed)
    assert all(result.advice for result in failed)
    assert exit_code(found) is ExitCode.BROKEN


UNKNOWN: dict[CheckId, str] = {
    CheckId.FUNCTION_ANSWERS: "of_roles",
    CheckId.EVENT_RULES: "rules",
    CheckId.EVENT_PATTERNS: "matches",
    CheckId.EVENT_ROUND_TRIP: "send_delivery_test",
    CheckId.SWEEP_SCHEDULE: "sweeps",
    CheckId.SUBSCRIPTIONS: "subscriptions",
    CheckId.NOTIFICATION_KEY: "key",
    CheckId.TEST_MESSAGE: "publish",
    CheckId.PASS_ROLE: "refused",
    CheckId.UPDATE_ADDON: "refused",
    CheckId.ALARMS: "alarms",
    CheckId.DEAD_LETTERS: "messages",
    CheckId.CONCURRENCY: "concurrency",
}


@pytest.mark.parametrize("error", [DENIED, THROTTLED], ids=["denied", "throttled"])
@pytest.mark.parametrize("check", UNKNOWN)
def test_a_call_that_fails_leaves_its_check_open_and_the_run_goes_on(check: CheckId, error: Exception) -> None:
    found = results(change_stack(errors={UNKNOWN[check]: error}), sends_messages=True)
    (open_result,) = [result for result in found if result.check is check and result.answer is Answer.UNKNOWN]
    assert str(error) in open_result.detail
    assert open_result.advice
    assert [result for result in found if result.is_failed] == []
    assert exit_code(found) is ExitCode.UNKNOWN
    assert found[-1].check is CheckId.CONCURRENCY


@pytest.mark.parametrize("method", ["invoke", "start", "execution", "callback_id"])
def test_a_person_who_may_not_ask_a_function_learns_nothing_about_it(method: str) -> None:
    found = answer(CheckId.FUNCTION_ANSWERS, change_stack(errors={method: DENIED}))
    if method == "callback_id":  # the execution of the fake ends without a look at its history
        assert found.answer is Answer.SHOWN
    else:
        assert found.answer is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("denial", "next_step"),
    [
        (Denial.UNAUTHENTICATED, "an access entry"),
        (Denial.FORBIDDEN, "for this right"),
        (Denial.UNREACHABLE, "the endpoint can be reached"),
    ],
)
def test_a_person_whom_the_cluster_refuses_learns_nothing_about_its_policies(denial: Denial, next_step: str) -> None:
    def change(fakes: Fakes) -> None:
        fakes.cluster_access.read_error = AccessDenied("read ValidatingAdmissionPolicy: refused", denial=denial)

    def hidden_workload(fakes: Fakes) -> None:
        """A workload without a known name is found by its pods, so the refusal comes before the policies are read."""
        fakes.world.parameters[binding_path("demo", "shop", "uploader")] = Parameter(value=role_arn("demo-uploader"))
        fakes.world.fail("cluster.pods", AccessDenied("list pods: refused", denial=denial), times=None)

    for refused in (change, hidden_workload):
        found = results(refused, version="1.33")
        (policies,) = [result for result in found if result.check is CheckId.ADMISSION_POLICIES]
        assert (policies.answer, policies.cluster) == (Answer.UNKNOWN, "demo")
        assert "refused" in policies.detail
        assert next_step in policies.advice


def test_the_parameters_out_of_reach_are_an_answer() -> None:
    def change(fakes: Fakes) -> None:
        fakes.world.fail("parameters.load", THROTTLED, times=None)

    found = results(change)
    assert {result.check for result in found if result.answer is Answer.UNKNOWN} >= {CheckId.BINDINGS, CheckId.SETTINGS}
    assert [result for result in found if result.is_failed] == []


def test_a_function_that_is_not_deployed_is_refuted_and_nothing_is_asked_of_it() -> None:
    found = results(change_stack(missing={Function.CHECKER}))
    assert [(result.check, result.subject) for result in found if result.is_failed] == [(CheckId.FUNCTION_ANSWERS, "checker")]
    open_checks = {result.check for result in found if result.answer is Answer.UNKNOWN}
    assert open_checks == {CheckId.EVENT_RULES, CheckId.EVENT_PATTERNS, CheckId.EVENT_ROUND_TRIP, CheckId.SWEEP_SCHEDULE}


def test_an_execution_that_fails_refutes_the_remediator() -> None:
    found = answer(CheckId.FUNCTION_ANSWERS, change_stack(execution_error="FAILED Runtime.ImportModuleError"))
    assert (found.answer, found.subject) == (Answer.REFUTED, "remediator")


@pytest.mark.parametrize("body", [{"result": "malformed"}, "text", None, {"answers": [{"check": "of-the-future", "answer": "shown"}]}])
def test_the_answer_of_another_release_is_refuted_in_words(body: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(fakes: Fakes) -> None:
        monkeypatch.setattr(fakes.stack, "invoke", lambda *_: body)

    found = answer(CheckId.FUNCTION_ANSWERS, change)
    assert found.answer is Answer.REFUTED
    assert "older" in found.detail


def test_a_round_trip_without_its_rule_is_not_tested() -> None:
    found = answer(CheckId.EVENT_ROUND_TRIP, change_stack(rule_changes={"OwnEvents": ""}))
    assert found.answer is Answer.UNKNOWN


def test_no_sweep_of_a_young_checker_is_not_known_yet() -> None:
    old = answer(CheckId.SWEEP_SCHEDULE, change_stack(sweep_count=0))
    young = answer(CheckId.SWEEP_SCHEDULE, change_stack(sweep_count=0, modified_at=NOON))
    assert (old.answer, young.answer) == (Answer.REFUTED, Answer.UNKNOWN)


def test_no_subscription_at_all_is_refuted_and_no_chat_is_an_option() -> None:
    found = {result.check: result for result in results(change_stack(people=()))}
    assert found[CheckId.SUBSCRIPTIONS].is_failed
    assert found[CheckId.CHAT].is_off


def test_without_bound_roles_the_calls_on_add_ons_are_an_option() -> None:
    def change(fakes: Fakes) -> None:
        fakes.dependencies = replace(fakes.dependencies, environment=replace(fakes.dependencies.environment, bound_roles=""))

    found = {result.check: result for result in results(change)}
    assert found[CheckId.PASS_ROLE].is_off
    assert found[CheckId.UPDATE_ADDON].is_off


def test_an_alarm_without_data_is_not_known_and_no_alarm_is_refuted() -> None:
    assert answer(CheckId.ALARMS, change_stack(alarm_state="INSUFFICIENT_DATA")).answer is Answer.UNKNOWN
    assert answer(CheckId.ALARMS, change_stack(alarm_state="")).answer is Answer.REFUTED


def test_dead_letters_are_counted_in_every_queue_also_where_only_an_alarm_names_it() -> None:
    for change in (change_stack(), change_stack(has_dead_letter_configs=False), change_stack(errors={"alarms": DENIED})):
        found = answer(CheckId.DEAD_LETTERS, change)
        assert (found.answer, found.detail) == (Answer.SHOWN, "4 queues")


def test_a_queue_that_nothing_names_leaves_the_check_open_unless_another_one_is_filled() -> None:
    unnamed = {"has_dead_letter_configs": False, "errors": {"alarms": DENIED}}
    found = answer(CheckId.DEAD_LETTERS, change_stack(**unnamed))
    assert (found.answer, found.detail) == (Answer.UNKNOWN, "1 of 4 queues found")
    assert found.advice
    nothing = answer(CheckId.DEAD_LETTERS, change_stack(errors={"alarms": DENIED, "of_roles": DENIED, "rules": DENIED}))
    assert (nothing.answer, nothing.detail) == (Answer.UNKNOWN, "0 of 4 queues found")
    filled = answer(CheckId.DEAD_LETTERS, change_stack(**unnamed, dead_letters=2))
    assert filled.is_failed


@pytest.mark.parametrize("name", SUBSCRIPTIONS)
def test_a_sample_event_is_one_that_the_checker_reads(name: str) -> None:
    environment = fake_dependencies(described({})).dependencies.environment
    event = sample_events(environment)[name]
    read = parse(event, account=environment.account, region=environment.region, now=NOON)
    assert isinstance(read, CheckRequest)


def test_a_wait_ends_when_every_check_is_shown_and_sends_one_test_message() -> None:
    fakes = fake_dependencies(described({"cluster": {"version": "1.28"}}))
    fakes.callbacks.waiting.add("callback-1")
    fakes.stack.alarm_state = "INSUFFICIENT_DATA"
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        fakes.stack.alarm_state = "OK" if len(slept) == 2 else "INSUFFICIENT_DATA"

    dependencies = replace(fakes.dependencies, sleep=sleep)

    def new_run() -> Verification:
        return Verification(dependencies=dependencies, clusters=["demo"], seconds=lambda: sum(slept), sends_messages=True)

    run, is_interrupted = _run_until_shown(new_run, 300)
    assert (exit_code(run.results), is_interrupted) == (ExitCode.OK, False)
    assert slept == [WAIT_POLL_S, WAIT_POLL_S]
    assert len(fakes.stack.published) == 1
    assert [result.check for result in run.results].count(CheckId.TEST_MESSAGE) == 1


def test_a_wait_ends_when_the_time_is_up() -> None:
    fakes = fake_dependencies(described({"cluster": {"version": "1.28"}}))
    fakes.stack.dead_letters = 1
    slept: list[float] = []
    dependencies = replace(fakes.dependencies, sleep=slept.append)
    run, _ = _run_until_shown(lambda: Verification(dependencies=dependencies, clusters=[], seconds=lambda: sum(slept)), 2 * WAIT_POLL_S)
    assert exit_code(run.results) is ExitCode.BROKEN
    assert len(slept) == 2
