"""The results of single steps: retries and their pauses, what follows an error, and what the successor of a canary means."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from lambdas.application.remediation.results import (
    ActionResult,
    ActionState,
    AssessmentResult,
    CanaryResult,
    CanaryState,
    DeliveryState,
    NotificationKey,
)
from lambdas.application.remediation.steps.canary import MAX_REPLACEMENTS, READY_CHECKS, Canary, judge, needs_node_check
from lambdas.application.remediation.steps.remediation_steps import MAX_SAMPLES, RemediationSteps, thin_out
from lambdas.application.remediation.steps.step_context import ATTEMPTS, MAX_ERROR_LENGTH
from lambdas.contract.parameters import Mechanism
from lambdas.contract.settings import Severity
from lambdas.domain.errors import (
    AccessDenied,
    Busy,
    Conflict,
    Denial,
    NotFound,
    PermanentError,
    Rejected,
    RemediatorError,
    TransientError,
)
from lambdas.domain.incidents.details import DeletedPod
from lambdas.domain.planning.actions import AnnotateServiceAccount, ReplaceCanaryPod
from lambdas.domain.planning.planned_binding import PlannedBinding
from lambdas.domain.snapshot.snapshot import Binding, PodFacts
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from tests.over_fakes.scenario_run import ScenarioRun
from tests.over_fakes.scenario_world import BOUND_ROLE
from tests.unit.checker.simulated_checker import KEY, TARGET, check, simulate
from tests.unit.notifications.snapshots import NOW, ROLE, pods


def opened() -> tuple[ScenarioRun, RemediationSteps]:
    """A world without the annotation, and the steps of the incident that a check has opened."""
    simulation = simulate(annotation=None)
    check(simulation)
    found = simulation.incidents.get(TARGET)
    assert found
    return simulation, simulation.remediation_steps(found)


def failing(*errors: Exception) -> Callable[[], str]:
    """A call that raises these errors, one after another, and then answers."""
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return call


@pytest.mark.parametrize(
    ("asked", "jitter", "slept"),
    [
        ((), 1.0, []),
        ((None,), 1.0, [0.4]),
        ((None, None, None), 1.0, [0.4, 0.8, 1.6]),
        ((None, None, None), 0.5, [0.2, 0.4, 0.8]),
        ((3.0, 0.0, 60.0), 1.0, [3.0, 0.8, 5.0]),  # the delay that the service asks for, up to five seconds
        ((0.1,), 1.0, [0.4]),
    ],
)
def test_a_retry_waits_longer_each_time(asked: tuple[float | None, ...], jitter: float, slept: list[float]) -> None:
    paused: list[float] = []
    _, steps = opened()
    steps.sleep, steps.jitter = paused.append, lambda: jitter
    assert steps.retry(failing(*(TransientError("x", retry_after_s=seconds) for seconds in asked))) == "answer"
    assert paused == pytest.approx(slept)


def test_the_error_of_the_last_attempt_is_raised() -> None:
    _, steps = opened()
    with pytest.raises(TransientError, match=f"attempt {ATTEMPTS}"):
        steps.retry(failing(*(TransientError(f"attempt {number + 1}") for number in range(ATTEMPTS + 1))))
    for error in (Busy("x"), Conflict("x")):
        with pytest.raises(type(error)):
            steps.retry(failing(error))


ERRORS: Final[dict[str, tuple[RemediatorError, ActionState]]] = {
    "transient": (TransientError("e"), ActionState.BUSY),
    "busy": (Busy("e"), ActionState.BUSY),
    "rejected": (Rejected("e"), ActionState.REJECTED),
    "conflict": (Conflict("e"), ActionState.CONFLICT),
    "not found": (NotFound("e"), ActionState.CONFLICT),
    "another": (PermanentError("e"), ActionState.FAILED),
    "forbidden": (AccessDenied("e", denial=Denial.FORBIDDEN), ActionState.REJECTED),
    "unauthenticated": (AccessDenied("e", denial=Denial.UNAUTHENTICATED), ActionState.CONFLICT),
    "unreachable": (AccessDenied("e", denial=Denial.UNREACHABLE), ActionState.CONFLICT),
    "certificate": (AccessDenied("e", denial=Denial.CERTIFICATE), ActionState.FAILED),
}
ANNOTATE: Final = AnnotateServiceAccount(role_arn=BOUND_ROLE, old_value=None, resource_version="1")
LONG: Final = "x" * (MAX_ERROR_LENGTH + 1)


def planned(simulation: ScenarioRun) -> PlannedBinding:
    """The binding of a plan that is made now."""
    readers = simulation.readers
    found = readers.binding(readers.parameters.load(TARGET.cluster), TARGET)
    assert isinstance(found, Binding)
    return PlannedBinding.of(found)


@pytest.mark.parametrize(("error", "state"), ERRORS.values(), ids=ERRORS)
def test_an_error_decides_what_follows(error: RemediatorError, state: ActionState) -> None:
    simulation, steps = opened()
    simulation.world.fail("cluster.apply_annotation", error, times=None)
    result = steps.apply(ANNOTATE, planned(simulation))
    is_without_answer = isinstance(error, TransientError) and not isinstance(error, Busy)
    assert (result.state, result.waited_for_update, result.is_unanswered) == (state, isinstance(error, Busy), is_without_answer)
    assert result.at == simulation.world.now
    title, _, details = simulation.log.lines[-1]
    assert (title, type(details.pop("error"))) == ("actions", type(error))
    assert details == {"incident": steps.incident.id, "action": ANNOTATE.kind, "done": False}


def test_the_message_of_a_failed_action_is_cut() -> None:
    simulation, steps = opened()
    simulation.world.fail("cluster.apply_annotation", Rejected(LONG))
    assert steps.apply(ANNOTATE, planned(simulation)).message == "x" * MAX_ERROR_LENGTH


@pytest.mark.parametrize("former", [ActionResult(waited_for_update=True), ActionResult(is_unanswered=True)])
def test_an_action_remembers_what_happened_before(former: ActionResult) -> None:
    simulation, steps = opened()
    binding = planned(simulation)
    simulation.world.fail("cluster.apply_annotation", Rejected("e"))
    failed = steps.apply(ANNOTATE, binding, former)
    assert (failed.waited_for_update, failed.is_unanswered) == (former.waited_for_update, former.is_unanswered)
    version = simulation.world.cluster.accounts[KEY].resource_version
    done = steps.apply(replace(ANNOTATE, resource_version=version), binding, former)
    assert (done.state, done.message) == (ActionState.DONE, f"annotation set to {BOUND_ROLE}")
    assert (done.waited_for_update, done.is_unanswered) == (former.waited_for_update, False)


@pytest.mark.parametrize("is_unanswered", [False, True])
def test_an_equal_change_by_someone_else_does_not_hide_a_write_without_an_answer(*, is_unanswered: bool) -> None:
    """Our write may have taken effect before theirs, so that it counts as a change of ours."""
    simulation, steps = opened()
    simulation.world.set_annotation(simulation.world.cluster, KEY, BOUND_ROLE, "kubectl")
    result = steps.apply(ANNOTATE, planned(simulation), ActionResult(is_unanswered=is_unanswered))
    assert (result.state, result.is_by_other, result.is_unanswered) == (ActionState.DONE, True, is_unanswered)


@pytest.mark.parametrize(
    ("first", "current", "pod", "state"),
    [
        (Severity.CRITICAL, Severity.WARNING, False, DeliveryState.SENT),
        (Severity.WARNING, Severity.CRITICAL, False, DeliveryState.SENT),
        (Severity.WARNING, Severity.WARNING, False, DeliveryState.SKIPPED),
        (Severity.INFO, Severity.INFO, True, DeliveryState.SENT),  # a pod that we have deleted is always critical
    ],
)
def test_only_severe_incidents_are_announced(first: Severity, current: Severity, state: DeliveryState, *, pod: bool) -> None:
    simulation, steps = opened()
    sent = len(simulation.notifier.sent)
    found = steps.assess(1, AssessmentResult()).summary
    assert found
    context = MessageContext(
        kind=NotificationKind.NEEDS_ACTION,
        incident=steps.incident,
        first=replace(found, severity=first),
        current=replace(found, severity=current, notify_from=Severity.CRITICAL),
        deleted_pod=DeletedPod(name="p") if pod else None,
    )
    result = steps.notify(NotificationKey(1, NotificationKind.NEEDS_ACTION), context)
    assert (result.state, len(simulation.notifier.sent) - sent) == (state, int(state is DeliveryState.SENT))


CANARY: Final = ReplaceCanaryPod(pod="old", uid="1", node="n", newest="", role_arn=ROLE)
BOUND: Final = PlannedBinding(path="/p", version=1, role_arn=ROLE)
(NEW,) = pods(1, ROLE)
BARE: Final = replace(NEW, role_arn=None)
STARTING: Final = replace(NEW, ready=False)


@pytest.mark.parametrize(
    ("pod", "must_be_ready", "former", "expected"),
    [
        (None, True, CanaryResult(checks=3, replacements=1), CanaryResult(checks=3, replacements=1, message="no successor yet")),
        (NEW, True, CanaryResult(checks=2), CanaryResult(state=CanaryState.HAS_ROLE, checks=2, message="aws-node-00 has the role")),
        (STARTING, False, CanaryResult(), CanaryResult(state=CanaryState.HAS_ROLE, message="aws-node-00 has the role")),
        (
            STARTING,
            True,
            CanaryResult(checks=READY_CHECKS - 1, replacements=1),
            CanaryResult(checks=READY_CHECKS - 1, replacements=1, message="aws-node-00 has the role and is starting"),
        ),
        (
            STARTING,
            True,
            CanaryResult(checks=READY_CHECKS),
            CanaryResult(
                state=CanaryState.NOT_READY,
                checks=READY_CHECKS,
                message="aws-node-00 has the role but does not become ready; the other pods were not replaced",
            ),
        ),
        (
            BARE,
            True,
            CanaryResult(checks=1, uid_without_role="other"),
            CanaryResult(checks=1, uid_without_role=NEW.uid, message="aws-node-00 was admitted without the role"),
        ),
        (
            BARE,
            True,
            CanaryResult(replacements=MAX_REPLACEMENTS - 1, uid_without_role=NEW.uid),
            CanaryResult(replacements=MAX_REPLACEMENTS, message="aws-node-00 is replaced again"),
        ),
        (
            BARE,
            True,
            CanaryResult(replacements=MAX_REPLACEMENTS, uid_without_role=NEW.uid),
            CanaryResult(
                state=CanaryState.NO_ROLE,
                replacements=MAX_REPLACEMENTS,
                message="the identity webhook missed aws-node-00 and 3 pods before it; the other pods were not replaced",
            ),
        ),
    ],
)
def test_the_successor_of_a_canary_is_judged(
    pod: PodFacts | None, former: CanaryResult, expected: CanaryResult, *, must_be_ready: bool
) -> None:
    assert judge(Canary(action=CANARY, must_be_ready=must_be_ready, binding=BOUND), pod, former, NOW) == replace(expected, at=NOW)


@pytest.mark.parametrize(("refuses_irsa", "state"), [(False, CanaryState.HAS_ROLE), (True, CanaryState.WAITING)])
def test_a_successor_with_web_identity_has_the_role_unless_the_role_refuses_it(state: CanaryState, *, refuses_irsa: bool) -> None:
    action = replace(CANARY, mechanism=Mechanism.POD_IDENTITY, refuses_irsa=refuses_irsa)
    assert judge(Canary(action=action, must_be_ready=True, binding=BOUND), NEW, CanaryResult(), NOW).state is state


@pytest.mark.parametrize(
    ("state", "checks", "needs"),
    [
        (CanaryState.NOT_READY, 3, True),
        (CanaryState.WAITING, 3, False),
        (CanaryState.WAITING, 4, True),
        (CanaryState.WAITING, 5, False),
        (CanaryState.WAITING, 8, True),
        (CanaryState.HAS_ROLE, 4, False),
        (CanaryState.NO_ROLE, 4, False),
    ],
)
def test_nodes_are_read_where_a_successor_is_late(state: CanaryState, checks: int, *, needs: bool) -> None:
    assert needs_node_check(CanaryResult(state=state, checks=checks)) is needs


def test_samples_are_thinned_out_between_the_first_and_the_last() -> None:
    samples = tuple((number,) for number in range(MAX_SAMPLES + 1))
    assert thin_out(samples[:-1]) == samples[:-1]
    assert thin_out(samples) == (*samples[:-1:2], samples[-1])
    assert len(thin_out(samples)) == MAX_SAMPLES // 2 + 1


def test_the_pods_of_one_node_are_read_for_a_canary() -> None:
    _, steps = opened()
    every = steps.pods()
    assert len(every) == 3
    assert steps.pods(every[1].node) == (every[1],)
