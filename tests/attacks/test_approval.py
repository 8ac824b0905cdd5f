"""A person approves one plan, and another plan with the same kinds of actions runs: another role, or another value to replace."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, get_args

import pytest

from lambdas.application.remediation.workflow import MAX_APPROVAL_REQUESTS as MAX_REQUESTS
from lambdas.contract.approval import PLAN_DIGEST_LENGTH, encode_plan
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.planning.actions import (
    Action,
    AnnotateServiceAccount,
    CreateAssociation,
    ReplaceCanaryPod,
    ReplaceStalePods,
    RestartWorkload,
    RestoreAnnotation,
    UpdateAddonRole,
    UpdateAssociation,
)
from lambdas.domain.planning.plan_digest import plan_digest
from lambdas.domain.planning.planned_binding import PlannedBinding
from lambdas.notifications.message_context import ApprovalAnswer
from lambdas.remediator.durable_steps import callback_answer
from tests.attacks.threat import Threat
from tests.attacks.writes import bind, unauthorized
from tests.over_fakes.scenario_world import BOUND_ROLE
from tests.unit.workflow.workflow_run import APPROVE, OTHER, SHOWN, run_workflow, set_annotation, shown_plan, shown_plan_of
from tests.world import role_arn

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.over_fakes.scenario_run import ScenarioRun

THREAT = Threat(
    name="approval of another plan",
    actor="writer of parameters, or anyone who answers",
    controls="the plan between question and write, or the answer",
    attempt="have role B run on an approval of role A, or approve with an empty, old or foreign answer",
    prevention="the answer carries the digest of the shown plan (target, binding path and version, full ARNs, actions); it "
    "must equal the digest of the request and of the plan computed anew, otherwise approval is requested again",
    proof=(
        "test_a_role_that_was_not_approved_is_never_written",
        "test_an_answer_without_the_digest_of_the_plan_approves_nothing",
        "test_the_digest_of_plan_a_does_not_approve_plan_b",
        "test_everything_that_a_person_approves_is_part_of_the_digest",
        "test_each_field_of_a_plan_changes_the_digest_unless_it_changes_by_itself",
    ),
    residual="a person who approves without reading; callers of the API can write any name into the answer: CloudTrail has the principal",
)

EVIL = role_arn("Admin-trusts-aws-node")
YES, NO = ApprovalAnswer(approved=True, plan=SHOWN, by="dana"), ApprovalAnswer(approved=False, by="dana")
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


def answers_by_digest(*plans: str) -> Callable[[str], ApprovalAnswer]:
    """Approves with these digests, one an approval request, and then rejects."""
    given = iter([*(replace(YES, plan=plan) for plan in plans), NO])
    return lambda _: next(given)


FOREIGN: dict[str, str] = {"no digest": "", "a digest of no plan": "0" * PLAN_DIGEST_LENGTH, "too short": "0", "any": "*"}


@pytest.mark.parametrize("plan", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_an_answer_without_the_digest_of_the_plan_approves_nothing(world: dict[str, Any], plan: str) -> None:
    done = run_workflow(APPROVE | world, answer=answers_by_digest(plan))
    assert (done.run.world.writes, done.notified) == ([], ["approval-requested", "approval-requested", "not-approved"])


def test_the_digest_of_plan_a_does_not_approve_plan_b() -> None:
    """The answer to the second request carries the digest of the first one, whose plan the person has read."""
    plans: list[str] = []

    def answer(_: str) -> ApprovalAnswer:
        plans.append(shown_plan(kept[0]))
        return replace(YES, plan=plans[0]) if len(plans) < MAX_REQUESTS else NO

    kept: list[ScenarioRun] = []
    change = {"1 assess approved": bind(EVIL, trusted=True)}
    done = run_workflow(APPROVE, first=kept.append, answer=answer, before=change)
    assert plans[0] != plans[1] == plans[2]
    assert (done.run.world.writes, done.notified[-1]) == ([], "not-approved")


def test_the_digest_of_the_plan_to_come_does_not_approve_the_shown_plan() -> None:
    """The binding changes while the person reads; the answer carries the digest of the new plan, which the person has not seen."""
    probe = run_workflow(APPROVE, answer=lambda _: NO, first=bind(EVIL, trusted=True))
    coming = shown_plan_of(probe.run.outcome().messages[0])
    done = run_workflow(APPROVE, answer=answers_by_digest(coming), before={"1 clear-approval": bind(EVIL, trusted=True)})
    assert (done.run.world.writes, done.notified) == ([], ["approval-requested", "approval-requested", "not-approved"])


def test_an_approval_of_an_earlier_incident_is_worth_nothing_after_the_binding_changed() -> None:
    earlier = run_workflow(APPROVE, answer=lambda _: YES)
    old = shown_plan_of(earlier.run.outcome().messages[0])
    done = run_workflow(APPROVE, first=bind(EVIL, trusted=True), answer=answers_by_digest(old))
    assert done.run.world.writes == []


RESULTS: dict[str, tuple[Any, bool, str]] = {
    "nothing": (None, True, ""),
    "empty text": ("", True, ""),
    "the digest": ("ab" * 12, True, "ab" * 12),
    "the digest, of digits only": ("12" * 12, True, "12" * 12),
    "the digest as JSON": (json.dumps("ab" * 12), True, "ab" * 12),
    "the digest as bytes": (b"ab" * 12, True, "ab" * 12),
    "Base64 of the digest": (encode_plan("ab" * 12), True, "ab" * 12),
    "a longer digest": ("ab" * 13, True, ""),
    "upper case": ("AB" * 12, True, ""),
    "other digits": ("\u0661" * PLAN_DIGEST_LENGTH, True, ""),
    "the word true": ("true", True, ""),
    "a list": ("[true]", True, ""),
    "deep JSON": ("[" * 100_000, True, ""),
    "a name of deep JSON": ('{"approved":true,"by":' + "[" * 900 + "]" * 900 + "}", True, ""),
    "a plan of deep JSON": ('{"approved":true,"plan":' + '{"a":' * 900 + "1" + "}" * 900 + "}", True, ""),
    "the command line": (json.dumps({"approved": True, "by": "a", "plan": "ab" * 12}), True, "ab" * 12),
    "the command line without a plan": (json.dumps({"approved": True, "by": "a"}), True, ""),
    "the command line with a list of plans": (json.dumps({"approved": True, "by": "a", "plan": ["ab" * 12]}), True, ""),
    "approved is text": (json.dumps({"approved": "true", "plan": "ab" * 12}), False, "ab" * 12),
}


@pytest.mark.parametrize(("result", "approved", "plan"), RESULTS.values(), ids=RESULTS)
def test_the_answer_of_a_callback_names_at_most_one_plan(result: Any, plan: str, *, approved: bool) -> None:
    answer = callback_answer(result)
    assert (answer.approved, answer.plan) == (approved, plan)


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


VOLATILE: dict[type[Action], set[str]] = {
    AnnotateServiceAccount: {"resource_version"},
    ReplaceCanaryPod: {"pod", "uid", "node", "newest", "as_new"},
    RestartWorkload: {"restarted_at", "count"},
    ReplaceStalePods: {"count"},
    UpdateAddonRole: {"token"},
    RestoreAnnotation: set(),
    CreateAssociation: {"token"},
    UpdateAssociation: {"token"},
}
"""The fields that change by themselves while a person reads. A new field is approved, unless it is added here."""
RESTORE = RestoreAnnotation(value=OTHER, ours=BOUND_ROLE)
CREATE = CreateAssociation(role_arn=BOUND_ROLE, target_role_arn=OTHER, session_tags=False, policy="{}", token="1")
UPDATE = UpdateAssociation(
    association_id="a-1",
    addon="vpc-cni",
    role_arn=BOUND_ROLE,
    target_role_arn=None,
    session_tags=True,
    policy="",
    old_role_arn=OTHER,
    old_target_role_arn=OTHER,
    old_session_tags=False,
    old_policy="{}",
    token="1",
    is_rollback=False,
)


def other_value(value: object) -> object:
    """A value of the same type that differs."""
    match value:
        case WorkloadKind():
            return next(kind for kind in WorkloadKind if kind is not value)
        case bool():
            return not value
        case int():
            return value + 1
        case tuple():
            return (*value, "x")
        case None:
            return "arn:aws:iam::111122223333:role/x"
    return f"{value}x"


def test_each_field_of_a_plan_changes_the_digest_unless_it_changes_by_itself() -> None:
    assert set(VOLATILE) == set(get_args(Action))
    for action in (*PLAN, RESTORE, CREATE, UPDATE):
        for item in fields(action):
            changed = digest(replace(action, **{item.name: other_value(getattr(action, item.name))}))
            assert (changed == digest(action)) is (item.name in VOLATILE[type(action)]), (action.kind, item.name)
    for item in filter(lambda item: item.compare, fields(BINDING)):  # the rest is no part of the binding
        assert digest(ANNOTATE, **{item.name: other_value(getattr(BINDING, item.name))}) != digest(ANNOTATE), item.name


@pytest.mark.parametrize(
    "target", ["other/kube-system/aws-node", "demo/kube-system2/aws-node", "demo/kube-system/aws-node2", "demo/kube-system"]
)
def test_an_approval_is_worth_nothing_for_another_cluster_or_service_account(target: str) -> None:
    assert digest(*PLAN, target=target) != digest(*PLAN)


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
