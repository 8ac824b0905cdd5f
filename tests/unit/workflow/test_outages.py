"""The outside fails: nobody can be told, nothing answers, doors close, and answers are lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.contract.parameters import binding_path
from lambdas.domain.errors import AccessDenied, Denial, TransientError
from lambdas.notifications.message_context import ApprovalAnswer
from tests.over_fakes.scenario_world import CLUSTER
from tests.unit.workflow.workflow_run import APPROVE, KEY, REPAIR, run_workflow
from tests.world import NOON

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.over_fakes.scenario_run import ScenarioRun


def test_while_nobody_can_be_told_the_repair_goes_on_and_the_message_follows() -> None:
    def down(run: ScenarioRun) -> None:
        run.world.fail("notifier.send", TransientError("SNS: 503"), times=None)

    def up(run: ScenarioRun) -> None:
        run.world.troubles.clear()

    done = run_workflow(first=down, before={"2 notify-again": up})
    assert (done.outcome, done.writes) == ("verified", REPAIR)
    assert done.notified == ["verified"]


def _nobody_hears(run: ScenarioRun) -> None:
    run.world.fail("notifier.send", TransientError("SNS: 503"), times=9)


def test_a_person_who_is_needed_hears_of_it_as_soon_as_anybody_can_be_told() -> None:
    done = run_workflow({"trust": "other-subject"}, before={"1 notify needs-action": _nobody_hears}, watches=0)
    assert done.notified == ["needs-action"]


def test_a_question_that_nobody_heard_is_put_again() -> None:
    done = run_workflow(APPROVE, answer=lambda _: ApprovalAnswer(approved=True, by="dana"), first=_nobody_hears)
    assert done.notified == ["approval-requested", "repairing", "verified"]


def test_where_nobody_can_ever_be_told_the_incident_is_closed_all_the_same() -> None:
    done = run_workflow(first=lambda run: run.world.fail("notifier.send", TransientError("SNS: 503"), times=None))
    assert (done.outcome, done.notified, done.writes) == ("verified", [], REPAIR)


def test_which_clusters_turned_wrong_is_asked_only_where_the_parameter_changed_lately() -> None:
    def of_yesterday(run: ScenarioRun) -> None:
        path = binding_path(CLUSTER, *KEY)
        run.world.parameters[path] = replace(run.world.parameters[path], changed_at=NOON - timedelta(days=1))
        run.world.fail("incidents.turned_wrong", AccessDenied("read the marks: 403", denial=Denial.FORBIDDEN), times=None)

    assert run_workflow(first=of_yesterday).outcome == "verified"


@pytest.mark.parametrize("method", ["parameters.load", "eks.cluster", "cluster.pods", "incidents.get", "incidents.history"])
def test_what_does_not_answer_for_a_while_is_waited_for(method: str) -> None:
    def slow(run: ScenarioRun) -> None:
        run.world.fail(method, TransientError("throttled"), times=9)

    done = run_workflow(before={"1 assess": slow, "1 verify": slow})
    assert (done.outcome, done.writes) == ("verified", REPAIR)


@pytest.mark.parametrize("method", ["cluster.annotate", "cluster.delete_pod", "cluster.restart", "eks.set_addon_role"])
@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("times", [1, 3, 9])
def test_a_write_whose_answer_is_lost_is_made_once(method: str, after: bool, times: int) -> None:
    def lost(run: ScenarioRun) -> None:
        run.world.fail(method, TransientError("connection reset"), times=times, after=after)

    done = run_workflow({"addon_role": None}, first=lost)
    assert (done.outcome, sorted(done.writes)) == ("verified", sorted([*REPAIR, "set"]))
    assert done.notified == ["repairing", "verified"]


@pytest.mark.parametrize("denial", [Denial.UNREACHABLE, Denial.UNAUTHENTICATED])
def test_a_door_that_is_closed_for_a_moment_is_tried_again(denial: Denial) -> None:
    def shut(run: ScenarioRun) -> None:
        run.world.fail("cluster.service_account", AccessDenied("401", denial=denial), times=5)

    done = run_workflow(before={"1 assess": shut})
    assert (done.outcome, done.notified) == ("verified", ["repairing", "verified"])


LOST: dict[str, Callable[[], Exception]] = {
    "its name does not resolve": lambda: AccessDenied("[Errno -2] Name or service not known", denial=Denial.UNREACHABLE),
    "the login ran out": lambda: AccessDenied("401 Unauthorized", denial=Denial.UNAUTHENTICATED),
    "the connection is half open": lambda: TransientError("read timed out"),
    "our credentials ran out": lambda: TransientError("ExpiredTokenException"),
}


STEPS = {
    "1 assess": [],
    "1.1 apply annotate-service-account": ["annotate"],
    "1.2 apply replace-canary-pod": ["delete_pod"],
    "1.2 check-canary": [],
    "1.3 apply restart-workload": ["restart"],
    "1 verify": [],
}
"""Steps of a repair, each with the write that it makes."""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", LOST.values(), ids=LOST)
def test_a_cluster_that_is_lost_before_any_step_is_found_again(step: str, error: Callable[[], Exception]) -> None:
    def lost(run: ScenarioRun) -> None:
        for request in ("service_account", "workload", "pods", "nodes", *STEPS[step]):
            run.world.fail(f"cluster.{request}", error(), times=1 if request in STEPS[step] else 3)

    done = run_workflow(before={step: lost})
    assert step in map(str, done.steps.done)
    assert (done.outcome, done.notified) == ("verified", ["repairing", "verified"])
    assert done.writes.count("restart") <= 1


def test_a_write_that_is_refused_for_good_is_told_with_the_reason() -> None:
    def forbid(run: ScenarioRun) -> None:
        run.world.fail("cluster.restart", AccessDenied("restart aws-node: 403", denial=Denial.FORBIDDEN), times=None)

    done = run_workflow(first=forbid)
    assert done.notified == ["repairing", "needs-action"]
    assert "aws-node: 403" in str(done.run.outcome().messages[-1])


def test_what_pagers_are_told_is_in_words() -> None:
    sent = [detail for kind, detail in run_workflow().run.bus.sent if kind == "Remediation Verified"]
    assert sent[0]["changes"] == ["annotation set", "one pod replaced first", "all pods restarted"]
