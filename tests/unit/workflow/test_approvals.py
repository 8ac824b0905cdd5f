"""Approvals: granted, rejected, unanswered, and late."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lambdas.domain.incidents.details import TimelineEvent
from lambdas.notifications.message_context import ApprovalAnswer
from tests.over_fakes.scenario_world import BOUND_ROLE
from tests.unit.workflow.workflow_run import APPROVE, REPAIR, SHOWN, by_hand, run_workflow, set_annotation

if TYPE_CHECKING:
    from tests.over_fakes.scenario_run import ScenarioRun

YES = ApprovalAnswer(approved=True, plan=SHOWN, by="dana")
NO = ApprovalAnswer(approved=False, by="dana")
UNAPPROVED = (NO, ApprovalAnswer(approved=False, timed_out=True))


def test_an_approved_plan_runs() -> None:
    done = run_workflow(APPROVE, answer=lambda _: YES)
    assert (done.outcome, done.writes) == ("verified", REPAIR)
    assert done.notified == ["approval-requested", "repairing", "verified"]


@pytest.mark.parametrize("answer", UNAPPROVED, ids=["no", "nobody"])
def test_without_approval_nothing_is_written(answer: ApprovalAnswer) -> None:
    done = run_workflow(APPROVE, answer=lambda _: answer)
    assert (done.outcome, done.writes) == ("needs-action", [])
    assert done.notified == ["approval-requested", "not-approved"]


def test_a_plan_that_changes_before_its_approval_needs_a_new_approval() -> None:
    answers = iter([YES, NO])
    lost = {"1 assess approved": _lose_record}
    done = run_workflow(APPROVE, answer=lambda _: next(answers), before=lost)
    assert done.writes == []
    assert done.notified == ["approval-requested", "approval-requested", "not-approved"]


def _lose_record(run: ScenarioRun) -> None:
    record = run.world.cluster.addons["vpc-cni"]
    run.world.cluster.addons["vpc-cni"] = replace(record, role_arn=None)


def test_a_manual_repair_before_the_approval_leaves_nothing_to_repair() -> None:
    done = run_workflow(APPROVE, answer=lambda _: YES, before={"1 assess approved": by_hand})
    assert (done.outcome, done.writes) == ("recovered", [])
    assert done.notified == ["approval-requested", "recovered"]


@pytest.mark.parametrize("answer", UNAPPROVED, ids=["no", "nobody"])
def test_a_manual_repair_before_the_answer_is_told_as_recovered(answer: ApprovalAnswer) -> None:
    done = run_workflow(APPROVE, answer=lambda _: answer, before={"1 assess not approved": by_hand})
    assert (done.outcome, done.writes) == ("recovered", [])
    assert done.notified == ["approval-requested", "recovered"]


@pytest.mark.parametrize("answer", UNAPPROVED, ids=["no", "nobody"])
def test_a_message_that_a_plan_was_not_approved_describes_the_state_after_the_wait(answer: ApprovalAnswer) -> None:
    done = run_workflow(APPROVE, answer=lambda _: answer, before={"1 assess not approved": set_annotation(BOUND_ROLE)})
    assert done.notified == ["approval-requested", "not-approved"]
    asked, refused = (message["content"]["description"] for message in done.run.outcome().messages)
    assert "The ServiceAccount has no role annotation." in asked
    assert "6 of 6 pods were admitted without the right role." in refused


def test_an_approval_request_has_a_callback_id() -> None:
    asked: list[str | None] = []

    def answer(given: str) -> ApprovalAnswer:
        asked.append(given)
        return NO

    run_workflow(APPROVE, answer=answer)
    assert len(asked) == 1
    assert asked[0]


@pytest.mark.parametrize(("plan", "words"), [("", "approved no plan"), ("of-yesterday", "approved another plan")])
def test_an_answer_without_the_digest_of_the_plan_is_recorded_and_ignored(plan: str, words: str) -> None:
    answers = iter([replace(YES, plan=plan), YES])
    done = run_workflow(APPROVE, answer=lambda _: next(answers))
    approvals = [entry.text for entry in done.run.incidents.closed[-1].details.timeline if entry.event == TimelineEvent.APPROVAL]
    assert approvals == [f"the answer by dana {words}: it was ignored", "approved by dana"]
