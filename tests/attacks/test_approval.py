"""A person approves one plan, and another plan with the same kinds of actions runs: another role, or another value to replace."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.planning.actions import AnnotateServiceAccount, ReplaceCanaryPod, ReplaceStalePods, RestartWorkload, UpdateAddonRole
from lambdas.domain.planning.plan_digest import plan_digest
from lambdas.domain.planning.planned_binding import PlannedBinding
from lambdas.notifications.message_context import ApprovalAnswer
from tests.attacks.writes import bind, unauthorized
from tests.over_fakes.scenario_world import BOUND_ROLE
from tests.unit.workflow.workflow_run import APPROVE, OTHER, run_workflow, set_annotation
from tests.world import role_arn

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambdas.domain.planning.actions import Action
    from tests.over_fakes.scenario_run import ScenarioRun

THREAT = "approval-of-another-plan"

EVIL = role_arn("Admin-trusts-aws-node")
YES, NO = ApprovalAnswer(approved=True, by="dana"), ApprovalAnswer(approved=False, by="dana")
WORLDS: dict[str, dict[str, Any]] = {"self-managed CNI": {"addon": False}, "record lost": {"addon_role": None}, "annotation lost": {}}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
@pytest.mark.parametrize("step", ["1 assess approved", "2 claim", "1.1 apply annotate-service-account", "1.2 apply replace-canary-pod"])
def test_a_role_that_was_not_approved_is_never_written(world: dict[str, Any], step: str) -> None:
    answers = iter([YES, NO, NO, NO])
    done = run_workflow(APPROVE | world, answer=lambda _: next(answers), before={step: bind(EVIL, trusted=True)})
    assert unauthorized(done.run, (BOUND_ROLE,)) == []


CHANGES: dict[str, Callable[[ScenarioRun], None]] = {
    "the same role by a new version of the binding": bind(BOUND_ROLE),
    "another value to replace": set_annotation(OTHER),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_plan_that_changed_needs_a_new_approval(change: Callable[[ScenarioRun], None]) -> None:
    answers = iter([YES, NO])
    done = run_workflow(APPROVE, answer=lambda _: next(answers), before={"1 assess approved": change})
    assert (done.run.world.writes, done.notified) == ([], ["approval-requested", "approval-requested", "not-approved"])


def test_a_plan_that_changes_again_and_again_is_left_to_a_person() -> None:
    changes = {f"{number} assess approved": set_annotation(role_arn(f"other-{number}")) for number in range(1, 9)}
    done = run_workflow(APPROVE, answer=lambda _: YES, before=changes)
    assert done.run.world.writes == []
    assert done.notified == [*["approval-requested"] * 3, "needs-action"]


def test_the_request_names_the_full_arns_and_the_digest() -> None:
    done = run_workflow(APPROVE | {"annotation": OTHER}, answer=lambda _: NO)
    text = json.dumps(done.run.outcome().messages[0])
    assert all(part in text for part in (BOUND_ROLE, OTHER, "/bindings/demo/kube-system/aws-node", "version 1"))


BINDING = PlannedBinding(path="/p", version=1, role_arn=BOUND_ROLE)
ANNOTATE = AnnotateServiceAccount(role_arn=BOUND_ROLE, old_value=None, resource_version="1")
CANARY = ReplaceCanaryPod(pod="a", uid="1", node="n", newest="2026-01-01T00:00:00Z", role_arn=BOUND_ROLE)
RESTART = RestartWorkload(workload=WorkloadKind.DAEMON_SET, name="aws-node", restarted_at="1", at_a_time=1, role_arn=BOUND_ROLE, count=3)
WAVES = ReplaceStalePods(at_a_time=1, count=3, role_arn=BOUND_ROLE)
RECORD = UpdateAddonRole(addon="vpc-cni", role_arn=BOUND_ROLE, old_role_arn=None, token="1")
PLAN = (ANNOTATE, CANARY, RESTART, WAVES, RECORD)


def digest(*actions: Action, target: str = "demo/kube-system/aws-node", **binding: Any) -> str:
    return plan_digest(target, replace(BINDING, **binding), actions)


def test_fields_that_change_by_themselves_are_not_in_the_digest() -> None:
    again = (
        replace(ANNOTATE, resource_version="2"),
        replace(CANARY, pod="b", uid="2", node="m", newest="2026-01-01T00:00:01Z", as_new=("3",)),
        replace(RESTART, restarted_at="2", count=4),
        replace(WAVES, count=4),
        replace(RECORD, token="2"),
    )
    assert digest(*again) == digest(*PLAN)


def test_everything_that_a_person_approves_is_part_of_the_digest() -> None:
    others = [
        digest(*PLAN[1:]),
        digest(*reversed(PLAN)),
        digest(*PLAN, target="demo/kube-system/other"),
        digest(*PLAN, path="/q"),
        digest(*PLAN, version=2),
        digest(*PLAN, role_arn=EVIL),
        digest(replace(ANNOTATE, old_value=OTHER), *PLAN[1:]),
        digest(ANNOTATE, CANARY, replace(RESTART, name="other"), WAVES, RECORD),
        digest(ANNOTATE, CANARY, replace(RESTART, at_a_time=9), WAVES, RECORD),
        digest(ANNOTATE, CANARY, replace(RESTART, workload=WorkloadKind.DEPLOYMENT), WAVES, RECORD),
        digest(ANNOTATE, CANARY, RESTART, replace(WAVES, at_a_time=9), RECORD),
        digest(*PLAN[:4], replace(RECORD, old_role_arn=OTHER)),
        digest(*PLAN[:4], replace(RECORD, addon="other")),
        *(digest(*PLAN[:i], replace(PLAN[i], role_arn=EVIL), *PLAN[i + 1 :]) for i in range(len(PLAN))),
    ]
    assert len({*others, digest(*PLAN)}) == len(others) + 1
