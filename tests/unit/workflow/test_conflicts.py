"""Changes by others during a repair: conflicts, restarts and add-on updates."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.application.workflow_steps import Meter, StepPurpose
from lambdas.contract.durable_quotas import MAX_OPERATIONS
from lambdas.contract.names import FIELD_MANAGER
from lambdas.contract.settings import settings_path
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import Busy, TransientError
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.snapshot import Association
from sandbox.simulation.scenario import BOUND
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER
from tests.unit.workflow.workflow_run import KEY, OTHER, REPAIR, TARGET, run_workflow, set_annotation
from tests.world import role_arn
from tests.world.state import NOON, Update

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.over_fakes.scenario_run import ScenarioRun
    from tests.unit.workflow.workflow_run import InterruptedSteps


def test_a_repair_sends_two_notifications_and_closes_its_incident() -> None:
    done = run_workflow()
    assert (done.outcome, done.notified, done.writes) == ("verified", ["repairing", "verified"], REPAIR)
    assert done.run.incidents.get(TARGET) is None
    assert str(done.steps.done[-1]) == "2 close"


def test_a_conflict_leads_to_a_new_assessment_instead_of_an_overwrite() -> None:
    done = run_workflow(before={"1.1 apply annotate-service-account": set_annotation(OTHER)})
    assert done.outcome == "verified"
    assert done.writes == REPAIR
    assert done.annotation == BOUND_ROLE
    assert "2 assess" in map(str, done.steps.done)
    assert done.run.incidents.closed[-1].changes.count("annotate-service-account") == 1


@pytest.mark.parametrize("operations", [0, MAX_OPERATIONS], ids=["same execution", "handed over"])
def test_a_repair_after_a_conflict_is_announced_where_the_former_announcement_was_not_delivered(operations: int) -> None:
    executions: list[InterruptedSteps] = []

    def hand_over(_: ScenarioRun, steps: InterruptedSteps) -> None:
        steps.meter = Meter(operations=operations)
        executions.append(steps)

    def lose_announcement(run: ScenarioRun) -> None:
        run.world.fail("notifier.send", TransientError("no answer"), times=4)

    changed = {"1.1 apply annotate-service-account": set_annotation(OTHER)}
    done = run_workflow(first=lose_announcement, before=changed, prepare=hand_over)
    assert (done.outcome, done.notified) == ("verified", ["repairing", "verified"])
    sent = [str(step) for steps in executions for step in steps.done if step.purpose in (StepPurpose.NOTIFY, StepPurpose.NOTIFY_AGAIN)]
    assert sent == ["1 notify repairing", "2 notify repairing", "2 notify verified"]


def test_a_claim_is_repeated_where_another_writer_sets_the_same_value_first() -> None:
    claiming = {"annotation": BOUND, "settings": {"claim": "always"}}
    done = run_workflow(claiming, before={"1.1 apply annotate-service-account": set_annotation(BOUND_ROLE)})
    assert (done.outcome, done.annotation) == ("verified", BOUND_ROLE)
    assert "2 assess" in map(str, done.steps.done)
    owners = {writer.manager for writer in done.run.world.cluster.accounts[KEY].writers if writer.owns_annotation}
    assert FIELD_MANAGER in owners


def set_mode(mode: str) -> Callable[[ScenarioRun], None]:
    """A person changes the mode of the cluster."""

    def change(run: ScenarioRun) -> None:
        run.world.parameters[settings_path(CLUSTER, "mode")] = Parameter(value=mode, version=1, changed_at=run.world.now)

    return change


def test_a_mode_that_requires_approval_from_now_on_holds_for_a_plan_that_was_made_without() -> None:
    done = run_workflow(before={"1.1 apply annotate-service-account": set_mode("approve")})
    assert done.writes == []
    assert done.notified == ["repairing", "approval-requested", "not-approved"]


def test_the_remaining_actions_of_a_plan_wait_for_approval_from_then_on() -> None:
    done = run_workflow(before={"1.2 apply replace-canary-pod": set_mode("approve")})
    assert done.writes == ["annotate"]


LACKING: dict[str, Any] = {"pod_identity": BOUND, "annotation": None, "node_role_has_permissions": True}


def two_lose_their_credentials(run: ScenarioRun) -> None:
    run.world.cluster.webhook.misses = 2
    for name in list(run.world.cluster.pods)[:2]:
        run.world.replace_pod(run.world.cluster, name)


def associate(role: str | None) -> Callable[[ScenarioRun], None]:
    """Someone else changes the association, or deletes it."""

    def change(run: ScenarioRun) -> None:
        run.world.cluster.associations[KEY] = (Association(id="a-2", role_arn=role),) if role else ()

    return change


@pytest.mark.parametrize("role", [OTHER, None])
@pytest.mark.parametrize(("step", "deleted"), [("1.1 apply replace-canary-pod", 0), ("1.2 replace-pods", 1)])
def test_no_pod_is_replaced_for_an_association_that_has_changed_since_the_plan(step: str, deleted: int, role: str | None) -> None:
    done = run_workflow(LACKING, first=two_lose_their_credentials, before={step: associate(role)})
    later = ["update", *["delete"] * (2 - deleted)] if role else []  # a new plan changes the association first
    assert done.writes == [*["delete"] * deleted, *later]
    assert (done.outcome == "verified") is bool(role)


def test_pods_without_credentials_are_replaced_and_no_others() -> None:
    done = run_workflow(LACKING, first=two_lose_their_credentials)
    assert (done.outcome, done.notified, done.writes) == ("verified", ["repairing", "verified"], ["delete", "delete"])


def test_a_canary_that_the_webhook_misses_again_stops_the_replacement() -> None:
    def missed(run: ScenarioRun) -> None:
        run.world.cluster.webhook.misses = 99

    done = run_workflow(LACKING, first=two_lose_their_credentials, before={"1.1 apply replace-canary-pod": missed})
    assert done.outcome == "needs-action"
    with_credentials = [pod.facts.container_credentials for pod in done.run.world.cluster.pods.values()]
    assert sorted(with_credentials) == [False, False, True, True, True, True], "no pod with credentials was replaced"


def test_repeated_conflicts_end_the_repairs_and_need_a_person() -> None:
    done = run_workflow(before={f"{n}.1 apply annotate-service-account": set_annotation(role_arn(f"other-{n}")) for n in range(1, 9)})
    assert done.writes == []
    assert done.notified == ["repairing", "needs-action"]
    failures = {text for _, text, details in done.run.ports.log.lines if details.get("done") is False}
    assert failures == {"kube-system/aws-node has changed since the plan, last by kubectl-annotate"}


def test_an_equal_change_by_someone_else_is_no_conflict() -> None:
    done = run_workflow(before={"1.1 apply annotate-service-account": set_annotation(BOUND_ROLE)})
    assert (done.outcome, done.writes) == ("verified", ["delete", "restart"])


def restarted_by_hand(run: ScenarioRun) -> None:
    """`kubectl rollout restart` in the same second, before the annotation: every pod is new, and none has the role."""
    key = (KEY[0], "DaemonSet", KEY[1])
    facts, account = run.world.cluster.workloads[key]
    stamp = run.world.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    run.world.cluster.workloads[key] = (replace(facts, restarted_at=stamp), account)


def test_a_restart_by_someone_else_in_the_same_second_does_not_replace_ours() -> None:
    done = run_workflow(before={"1 assess": restarted_by_hand})
    assert (done.outcome, done.writes) == ("verified", REPAIR)


def pods_start_anew(run: ScenarioRun) -> None:
    """A rollout by someone else replaces every pod, with the current annotation."""
    for name in list(run.world.cluster.pods):
        run.world.replace_pod(run.world.cluster, name)


def test_pods_that_start_between_assessment_and_annotation_are_replaced_at_once() -> None:
    done = run_workflow({"annotation": BOUND}, first=set_annotation(None), before={"1.1 apply annotate-service-account": pods_start_anew})
    assert (done.outcome, done.notified, done.writes) == ("verified", ["repairing", "verified"], REPAIR)
    assert done.run.world.now - NOON < timedelta(minutes=1)


def one_starts_anew(run: ScenarioRun) -> None:
    set_annotation(None)(run)
    run.world.replace_pod(run.world.cluster, next(iter(run.world.cluster.pods)))


def test_pods_that_start_meanwhile_are_replaced_where_the_plan_replaces_one_of_them() -> None:
    done = run_workflow({"annotation": BOUND}, first=one_starts_anew, before={"1.1 apply annotate-service-account": pods_start_anew})
    assert (done.outcome, done.notified) == ("verified", ["repairing", "verified"])
    assert done.writes[0] == "annotate"
    assert done.run.world.now - NOON < timedelta(minutes=1)


def roll_out_stops(run: ScenarioRun) -> None:
    """A rollout begins without the annotation and stops at its first two pods, which are not ready."""
    here, key = run.world.cluster, (KEY[0], WorkloadKind.DAEMON_SET, KEY[1])
    facts, account = here.workloads[key]
    newer = facts.generation + 1
    here.workloads[key] = (replace(facts, generation=newer, observed_generation=newer), account)
    here.pace = 0
    run.world.now += timedelta(seconds=1)
    for name in list(here.pods)[:2]:
        run.world.replace_pod(here, name)


def test_the_pods_that_block_a_rollout_are_replaced() -> None:
    def goes_on(run: ScenarioRun) -> None:
        run.world.roll_out(run.world.cluster, KEY, None)

    done = run_workflow(
        {"annotation": BOUND},
        first=set_annotation(None),
        before={"1.1 apply annotate-service-account": roll_out_stops, "2 verify": goes_on},
    )
    assert (done.outcome, done.notified, done.writes) == ("verified", ["repairing", "verified"], ["annotate", "delete", "delete"])
    assert done.run.world.now - NOON < timedelta(minutes=1)


def test_a_second_change_during_the_verification_is_repaired() -> None:
    done = run_workflow(before={"1 verify": set_annotation(None, "argocd-controller")})
    assert (done.outcome, done.annotation) == ("verified", BOUND_ROLE)
    assert done.writes.count("annotate") == 2


def test_our_update_waits_for_the_update_of_someone_else() -> None:
    def begins(run: ScenarioRun) -> None:
        record = run.world.cluster.addons["vpc-cni"]
        run.world.cluster.addons["vpc-cni"] = replace(record, status="UPDATING")
        run.world.cluster.updates["vpc-cni"] = Update(replace(record, status="ACTIVE"), 3, annotates=False)
        run.world.fail("eks.set_addon_role", Busy("the add-on is being updated"), times=1)

    done = run_workflow({"addon_role": None}, before={"1.4 apply update-addon-role": begins})
    assert done.outcome == "verified"
    assert len(done.run.eks.updates) == 1
