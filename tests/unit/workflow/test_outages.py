"""Outages: notifications fail, reads time out, logins are denied, and responses are lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.contract.parameters import binding_path
from lambdas.domain.errors import AccessDenied, Denial, TransientError
from lambdas.notifications.message_context import ApprovalAnswer
from tests.over_fakes.scenario_world import CLUSTER
from tests.unit.workflow.workflow_run import (
    APPROVE,
    KEY,
    OTHER,
    REPAIR,
    SHOWN,
    WorkflowRun,
    run_workflow,
    set_annotation,
    update_ends,
    update_runs,
)
from tests.world import NOON

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.over_fakes.scenario_run import ScenarioRun


def test_a_repair_continues_while_notifications_fail() -> None:
    def down(run: ScenarioRun) -> None:
        run.world.fail("notifier.send", TransientError("SNS: 503"), times=None)

    def up(run: ScenarioRun) -> None:
        run.world.call_faults.clear()

    done = run_workflow(first=down, before={"2 notify-again": up})
    assert (done.outcome, done.writes) == ("verified", REPAIR)
    assert done.notified == ["verified"]


def _fail_notifications(run: ScenarioRun) -> None:
    run.world.fail("notifier.send", TransientError("SNS: 503"), times=9)


def test_a_failed_notification_is_sent_before_the_watch_begins() -> None:
    done = run_workflow({"trust": "other-subject"}, before={"1 notify needs-action": _fail_notifications}, watches=0)
    assert done.notified == ["needs-action"]


def test_an_approval_request_that_was_not_delivered_is_sent_again() -> None:
    done = run_workflow(APPROVE, answer=lambda _: ApprovalAnswer(approved=True, plan=SHOWN, by="dana"), first=_fail_notifications)
    assert done.notified == ["approval-requested", "repairing", "verified"]


def test_an_incident_closes_although_no_notification_can_be_sent() -> None:
    done = run_workflow(first=lambda run: run.world.fail("notifier.send", TransientError("SNS: 503"), times=None))
    assert (done.outcome, done.notified, done.writes) == ("verified", [], REPAIR)
    assert _first_notified(done) is None


def test_history_has_the_time_of_the_first_notification_that_was_sent() -> None:
    (past,) = (done := run_workflow()).run.incidents.closed
    assert done.notified == ["repairing", "verified"]
    assert past.details.first_notified_at is not None
    assert past.details.notifications[0].at == past.details.first_notified_at
    assert past.details.notifications[-1].kind == "verified"
    actions = [entry.at for entry in past.details.timeline if entry.event == "annotate-service-account" and entry.at]
    assert past.opened_at <= past.details.first_notified_at <= actions[0] <= past.closed_at

    def up(run: ScenarioRun) -> None:
        run.world.call_faults.clear()

    late = _first_notified(run_workflow(first=_fail_every_notification, before={"2 notify-again": up}))
    assert late is not None
    assert late > past.details.first_notified_at


def _first_notified(done: WorkflowRun) -> datetime | None:
    return done.run.incidents.closed[-1].details.first_notified_at


def _fail_every_notification(run: ScenarioRun) -> None:
    run.world.fail("notifier.send", TransientError("SNS: 503"), times=None)


def test_other_clusters_are_queried_only_after_a_recent_change_of_the_parameter() -> None:
    def of_yesterday(run: ScenarioRun) -> None:
        path = binding_path(CLUSTER, *KEY)
        run.world.parameters[path] = replace(run.world.parameters[path], changed_at=NOON - timedelta(days=1))
        run.world.fail("incidents.turned_wrong", AccessDenied("read the marks: 403", denial=Denial.FORBIDDEN), times=None)

    assert run_workflow(first=of_yesterday).outcome == "verified"


@pytest.mark.parametrize("method", ["parameters.load", "eks.cluster", "cluster.pods", "incidents.get", "incidents.history"])
def test_a_read_is_retried_until_it_answers(method: str) -> None:
    def slow(run: ScenarioRun) -> None:
        run.world.fail(method, TransientError("throttled"), times=9)

    done = run_workflow(before={"1 assess": slow, "1 verify": slow})
    assert (done.outcome, done.writes) == ("verified", REPAIR)


@pytest.mark.parametrize("method", ["cluster.apply_annotation", "cluster.delete_pod", "cluster.restart", "eks.set_addon_role"])
@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("times", [1, 3, 9])
def test_a_write_whose_response_is_lost_has_one_effect(method: str, after: bool, times: int) -> None:
    def lost(run: ScenarioRun) -> None:
        run.world.fail(method, TransientError("connection reset"), times=times, after=after)

    done = run_workflow({"addon_role": None}, first=lost)
    assert (done.outcome, sorted(done.writes)) == ("verified", sorted([*REPAIR, "set"]))
    assert done.notified == ["repairing", "verified"]


def test_a_write_without_an_answer_that_another_writer_follows_counts_as_a_change_that_is_not_known() -> None:
    def lost(run: ScenarioRun) -> None:
        run.world.fail("cluster.apply_annotation", TransientError("connection reset"), times=1, after=True)
        sleep = run.world.sleep

        def another_writes(seconds: float) -> None:
            run.world.sleep = sleep  # type: ignore[method-assign]
            sleep(seconds)
            set_annotation(OTHER)(run)
            run.world.fail("iam.role", AccessDenied("read the role: 403", denial=Denial.FORBIDDEN), times=None)

        run.world.sleep = another_writes  # type: ignore[method-assign]

    done = run_workflow(first=lost)
    assert done.writes == ["annotate"]
    assert done.annotation == OTHER
    text = done.run.notifier.sent[-1].text
    assert "nothing was changed" not in text
    assert "annotation set (no answer: not known whether it took effect)" in text


@pytest.mark.parametrize(
    ("is_young", "is_seen", "left"), [(True, True, 0), (False, True, 0), (False, False, 9)], ids=["seen, young cluster", "seen", "not seen"]
)
def test_an_update_that_was_seen_is_awaited_while_the_addon_cannot_be_read(is_young: bool, is_seen: bool, left: int) -> None:
    """Where no update was seen, an add-on that cannot be read does not delay the repair. `left` are the refused reads still to come."""
    left_at_write: list[int | None] = []

    def begin(run: ScenarioRun) -> None:
        update_runs(run)
        run.world.cluster.facts = replace(run.world.cluster.facts, created_at=NOON - timedelta(minutes=0 if is_young else 600))

    def deny(run: ScenarioRun) -> None:
        update_ends(run)
        run.world.fail("eks.addon", AccessDenied("describe add-on: refused", denial=Denial.FORBIDDEN), times=10)

    def note(run: ScenarioRun) -> None:
        left_at_write.extend(fault.times for fault in run.world.call_faults)

    started: dict[str, Callable[[ScenarioRun], None]] = {"1 await-update": deny} if is_seen else {"1 assess": deny}
    done = run_workflow(first=begin, before={**started, "1.1 apply annotate-service-account": note})
    assert (done.outcome, left_at_write) == ("verified", [left])


@pytest.mark.parametrize("denial", [Denial.UNREACHABLE, Denial.UNAUTHENTICATED])
def test_a_denied_login_is_retried(denial: Denial) -> None:
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
"""Steps of a repair, each with its write."""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", LOST.values(), ids=LOST)
def test_a_repair_continues_after_an_outage_before_any_step(step: str, error: Callable[[], Exception]) -> None:
    def lost(run: ScenarioRun) -> None:
        for request in ("service_account", "workload", "pods", "nodes", *STEPS[step]):
            run.world.fail(f"cluster.{request}", error(), times=1 if request in STEPS[step] else 3)

    done = run_workflow(before={step: lost})
    assert step in map(str, done.steps.done)
    assert (done.outcome, done.notified) == ("verified", ["repairing", "verified"])
    assert done.writes.count("restart") <= 1


def test_a_denied_write_is_reported_with_its_reason() -> None:
    def forbid(run: ScenarioRun) -> None:
        run.world.fail("cluster.apply_annotation", AccessDenied("annotate aws-node: 403", denial=Denial.FORBIDDEN), times=None)

    done = run_workflow(first=forbid)
    assert done.notified == ["repairing", "needs-action"]
    assert "aws-node: 403" in str(done.run.outcome().messages[-1])


def test_the_published_changes_are_sentences() -> None:
    sent = [detail for kind, detail in run_workflow().run.bus.sent if kind == "Remediation Verified"]
    assert sent[0]["changes"] == ["annotation set", "one pod replaced first", "all pods restarted"]
