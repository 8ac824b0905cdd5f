"""The workflow and people: asked, answered late or not at all, told, and reminded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lambdas.notifications.message_context import ApprovalAnswer
from tests.over_fakes.scenario_world import BOUND_ROLE
from tests.unit.workflow.workflow_run import APPROVE, REPAIR, run_workflow, set_annotation

if TYPE_CHECKING:
    from tests.over_fakes.scenario_run import ScenarioRun

YES = ApprovalAnswer(approved=True, by="dana")
NO = ApprovalAnswer(approved=False, by="dana")


def test_with_a_yes_the_plan_runs() -> None:
    done = run_workflow(APPROVE, answer=lambda _: YES)
    assert (done.outcome, done.writes) == ("verified", REPAIR)
    assert done.notified == ["approval-requested", "repairing", "verified"]


@pytest.mark.parametrize("answer", [NO, ApprovalAnswer(approved=False, timed_out=True)], ids=["no", "nobody"])
def test_without_a_yes_nothing_is_written(answer: ApprovalAnswer) -> None:
    done = run_workflow(APPROVE, answer=lambda _: answer)
    assert (done.outcome, done.writes) == ("needs-action", [])
    assert done.notified == ["approval-requested", "not-approved"]


def test_a_plan_that_changed_while_a_person_thought_is_asked_again() -> None:
    answers = iter([YES, NO])
    lost = {"1 assess approved": _lose_record}
    done = run_workflow(APPROVE, answer=lambda _: next(answers), before=lost)
    assert done.writes == []
    assert done.notified == ["approval-requested", "approval-requested", "not-approved"]


def _lose_record(run: ScenarioRun) -> None:
    record = run.world.cluster.addons["vpc-cni"]
    run.world.cluster.addons["vpc-cni"] = replace(record, role_arn=None)


def test_what_was_repaired_by_hand_while_a_person_thought_is_not_repaired_again() -> None:
    def by_hand(run: ScenarioRun) -> None:
        set_annotation(BOUND_ROLE)(run)
        for name in list(run.world.cluster.pods):
            run.world.replace_pod(run.world.cluster, name)

    done = run_workflow(APPROVE, answer=lambda _: YES, before={"1 assess approved": by_hand})
    assert (done.outcome, done.writes) == ("recovered", [])


def test_the_answer_is_waited_for_under_an_id_that_the_incident_names() -> None:
    asked: list[str | None] = []

    def answer(given: str) -> ApprovalAnswer:
        asked.append(given)
        return NO

    run_workflow(APPROVE, answer=answer)
    assert len(asked) == 1
    assert asked[0]
