"""Repairs that fail: partial success, rollback, pods that do not start, and batches that stop."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.application.remediation.repair import MAX_REPAIRS
from lambdas.domain.errors import AccessDenied, Conflict, Denial, Rejected, TransientError
from lambdas.domain.snapshot.snapshot import PluginError
from tests.over_fakes.scenario_world import BOUND_ROLE
from tests.unit.workflow.workflow_run import KEY, OTHER, REPAIR, count_signal, keep_waiting, run_workflow, set_annotation
from tests.world import NOON, role_arn

if TYPE_CHECKING:
    from lambdas.domain.errors import RemediatorError
    from tests.over_fakes.scenario_run import ScenarioRun
    from tests.world import Pod


def miss_a_pod(run: ScenarioRun) -> None:
    """Replace a pod while the webhook misses it, during the verification."""
    run.world.roll_out(run.world.cluster, KEY, None)
    run.world.cluster.webhook.misses = 1
    run.world.replace_pod(run.world.cluster, next(iter(run.world.cluster.pods)))


def test_the_rest_of_a_partial_repair_is_repaired_once_more() -> None:
    done = run_workflow(before={"1 verify": miss_a_pod})
    assert done.outcome == "verified"
    assert done.writes == [*REPAIR, "delete"]
    assert done.notified == ["repairing", "verified"]


def test_after_the_last_repair_a_person_is_needed_and_nothing_is_written() -> None:
    done = run_workflow(before={f"{n} verify": miss_a_pod for n in range(1, 9)})
    assert done.outcome == "needs-action"
    assert done.writes.count("delete") == MAX_REPAIRS
    assert done.notified == ["repairing", "needs-action"]


def lack_permissions(run: ScenarioRun) -> None:
    """The role lacks permissions that the node role has."""
    run.world.roll_out(run.world.cluster, KEY, None)
    for pod in run.world.cluster.pods.values():
        pod.facts = replace(pod.facts, ready=False)
        run.world.cluster.errors.append(PluginError(call="ec2:CreateNetworkInterface", pod=pod.facts.name, at=run.world.now))


def test_a_worse_state_is_rolled_back_once_and_left_to_a_person() -> None:
    done = run_workflow({"node_role_has_permissions": True}, before={"1 verify": lack_permissions})
    assert done.annotation is None
    assert done.writes == [*REPAIR, "annotate"]
    assert done.notified == ["repairing", "needs-action"]
    assert done.run.outcome().actions[-1] == "restore-annotation"


def test_what_someone_else_has_annotated_is_neither_called_ours_nor_taken_back() -> None:
    before = {"1.1 apply annotate-service-account": set_annotation(BOUND_ROLE), "1 verify": lack_permissions}
    done = run_workflow({"node_role_has_permissions": True}, before=before)
    assert (done.outcome, done.annotation) == ("needs-action", BOUND_ROLE)
    assert done.writes == ["delete", "restart"]
    text = done.run.outcome().messages[-1]["content"]["description"]
    assert "one pod replaced first" in text
    assert "annotation set" not in text


def test_a_rollback_restores_the_old_value() -> None:
    def works(run: ScenarioRun) -> None:
        run.world.cluster.working_roles = frozenset({OTHER, BOUND_ROLE})
        run.world.cluster.errors.clear()
        for name in list(run.world.cluster.pods):
            run.world.replace_pod(run.world.cluster, name)

    done = run_workflow({"annotation": OTHER}, first=works, before={"1 verify": lack_permissions})
    assert done.writes[-1] == "annotate"
    assert done.annotation == OTHER


def test_a_value_that_someone_else_has_set_is_not_rolled_back() -> None:
    third = role_arn("third")
    done = run_workflow({"node_role_has_permissions": True}, before={"1 verify": lack_permissions, "1 restore": set_annotation(third)})
    assert done.annotation == third
    assert done.writes == REPAIR
    assert "restore-annotation" not in done.run.outcome().actions


def test_an_annotation_from_before_a_conflict_is_rolled_back_too() -> None:
    def moved(run: ScenarioRun) -> None:
        run.world.fail("cluster.restart", Conflict("the DaemonSet has changed"))

    done = run_workflow({"node_role_has_permissions": True}, before={"1.3 apply restart-workload": moved, "2 verify": lack_permissions})
    assert "2.1 apply annotate-service-account" not in map(str, done.steps.done)
    assert done.annotation is None
    assert done.notified == ["repairing", "needs-action"]


def test_a_verified_annotation_is_not_rolled_back_later() -> None:
    def stale(run: ScenarioRun) -> None:
        count_signal(run)
        pod = run.world.cluster.pods[next(iter(run.world.cluster.pods))]
        pod.facts = replace(pod.facts, role_arn=None)

    done = run_workflow({"node_role_has_permissions": True}, before={"2 close": stale, "3 verify": lack_permissions})
    assert done.notified == ["repairing", "verified", "repairing", "needs-action"]
    assert done.annotation == BOUND_ROLE


def test_a_rollback_is_retried_while_the_cluster_does_not_answer() -> None:
    def slow(run: ScenarioRun) -> None:
        run.world.fail("cluster.apply_annotation", TransientError("throttled"), times=9)

    done = run_workflow({"node_role_has_permissions": True}, before={"1 verify": lack_permissions, "1 restore": slow})
    assert done.annotation is None


def test_a_stalled_rollout_is_given_up_within_minutes() -> None:
    done = run_workflow(before={"1 verify": keep_waiting("ImagePullBackOff")})
    assert done.notified == ["repairing", "needs-action"]
    assert done.annotation == BOUND_ROLE
    assert done.run.world.now - NOON < timedelta(minutes=15)


def test_a_slow_rollout_gets_its_whole_time() -> None:
    done = run_workflow(before={"1 verify": keep_waiting("ContainerCreating")})
    assert done.run.world.now - NOON >= timedelta(seconds=2700)
    assert "needs-action" in done.notified
    assert "do not start" not in str(done.run.outcome().messages)


def test_a_canary_that_does_not_become_ready_rolls_the_annotation_back() -> None:
    done = run_workflow({"node_role_has_permissions": True, "role_has_permissions": False})
    assert done.annotation is None
    assert done.writes == ["annotate", "delete", "annotate"]
    assert done.notified == ["repairing", "needs-action"]


def test_a_canary_that_does_not_become_ready_spares_the_pods_that_work() -> None:
    """One node fails on the node role, and no simulation shows that the release does not start with the role either."""

    def most_work(run: ScenarioRun) -> None:
        run.world.fail("iam.simulate", AccessDenied("simulate: 403", denial=Denial.FORBIDDEN), times=None)
        nodes = run.world.cluster.nodes
        for pod in list(run.world.cluster.pods.values())[:5]:
            pod.facts = replace(pod.facts, ready=True)
            nodes[pod.facts.node] = replace(nodes[pod.facts.node], ready=True, message="kubelet is ready")

    release = {"addon_version": "v1.22.1-eksbuild.1", "role_lacks": ("ec2:DescribeSecurityGroups",)}
    done = run_workflow({"nodes": 6, "annotation": None, **release}, first=most_work)
    assert done.writes == ["annotate", "delete"]
    assert sum(pod.facts.ready for pod in done.run.world.cluster.pods.values()) == 5
    assert done.annotation == BOUND_ROLE, "the former state had the fault, too"
    assert "does not become ready; the other pods were not replaced" in done.run.notifier.sent[-1].text


def hold_successors(run: ScenarioRun, held: list[Pod]) -> None:
    """Let the controller create no pod. `held` receives the deleted pods."""
    run.world.replace_pod = lambda cluster, name: held.append(cluster.pods.pop(name))  # type: ignore[method-assign]


WORKS_WITHOUT_ROLE = {"nodes": 6, "annotation": None, "node_role_has_permissions": True}


def test_a_canary_without_a_successor_is_named_with_its_node_and_is_critical() -> None:
    held: list[Pod] = []
    done = run_workflow(WORKS_WITHOUT_ROLE, first=lambda run: hold_successors(run, held))
    assert done.notified == ["repairing", "needs-action"]
    text, (canary,) = done.run.notifier.sent[-1].text, held
    title = text.splitlines()[0]
    assert f"node {canary.facts.node} has no ready aws-node pod" in title
    assert title.startswith("🔴")
    assert f"The remediator deleted pod {canary.facts.name} on node {canary.facts.node}, and no successor is ready." in text
    assert "nothing fails yet" not in text
    assert "The ServiceAccount has no role annotation" not in text, "the message describes the state after the failed step"
    assert done.run.notifier.sent[-1].attributes["severity"] == "critical"


def test_a_late_successor_is_not_reported_as_missing() -> None:
    """The successor is ready when the state is read after the failure."""
    held: list[Pod] = []

    def come_late(run: ScenarioRun) -> None:
        run.world.cluster.pods |= {pod.facts.name: pod for pod in held}

    done = run_workflow(WORKS_WITHOUT_ROLE, first=lambda run: hold_successors(run, held), before={"1 assess failed": come_late})
    assert done.notified == ["repairing", "needs-action"]
    assert "has no ready aws-node pod" not in done.run.notifier.sent[-1].text


def test_a_canary_that_the_webhook_misses_repeatedly_ends_the_repair() -> None:
    done = run_workflow(first=lambda run: setattr(run.world.cluster.webhook, "misses", 99))
    assert done.writes == ["annotate", "delete", "delete", "delete", "delete"]
    assert done.notified == ["repairing", "needs-action"]


def _replaced_but_for(run: ScenarioRun, count: int) -> list[str]:
    """Set the annotation and replace all but so many pods; returns the names of those."""
    set_annotation(BOUND_ROLE)(run)
    names = list(run.world.cluster.pods)
    for name in names[count:]:
        run.world.replace_pod(run.world.cluster, name)
    return names[:count]


def _down(run: ScenarioRun, names: list[str]) -> None:
    for name in names:
        pod = run.world.cluster.pods[name]
        pod.facts = replace(pod.facts, ready=False)


def test_pods_that_are_not_ready_are_replaced_first() -> None:
    sick: list[str] = []

    def half(run: ScenarioRun) -> None:
        sick.extend(_replaced_but_for(run, 7)[-2:])
        _down(run, sick)

    done = run_workflow({"nodes": 15, "node_role_has_permissions": True}, first=half)
    deleted = [write.rpartition("/")[2] for write in done.run.world.writes]
    assert len(deleted) == 7
    assert set(deleted[:2]) == set(sick), "canary and first wave, since as many fail as may be unavailable"
    assert done.outcome == "verified"


def test_a_batch_replaces_no_ready_pod_while_too_many_pods_are_unavailable() -> None:
    def half(run: ScenarioRun) -> None:
        _replaced_but_for(run, 7)

    def others(run: ScenarioRun) -> None:
        cluster = run.world.cluster
        _down(run, [name for name, pod in cluster.pods.items() if pod.facts.role_arn == BOUND_ROLE][:2])

    done = run_workflow(
        {"nodes": 15, "node_role_has_permissions": True},
        first=half,
        before={"1.2 replace-pods": others},
    )
    assert done.writes == ["delete"], "the canary alone"
    assert done.notified == ["repairing", "needs-action"]


def test_a_batch_waits_until_the_batch_before_is_ready() -> None:
    def half(run: ScenarioRun) -> None:
        set_annotation(BOUND_ROLE)(run)
        for name in list(run.world.cluster.pods)[:8]:
            run.world.replace_pod(run.world.cluster, name)

    def crash(run: ScenarioRun) -> None:
        run.world.cluster.successors_crash = True

    done = run_workflow({"nodes": 15, "node_role_has_permissions": True}, first=half, before={"1.2 replace-pods": crash})
    assert done.writes == ["delete"] * 3  # the canary, and one wave of two
    assert done.notified == ["repairing", "needs-action"]


def test_a_batch_that_does_not_become_ready_ends_the_replacement() -> None:
    def half(run: ScenarioRun) -> None:
        set_annotation(BOUND_ROLE)(run)
        for name in list(run.world.cluster.pods)[:2]:
            run.world.replace_pod(run.world.cluster, name)
        run.world.cluster.successors_crash = True

    done = run_workflow({"nodes": 12, "node_role_has_permissions": True, "annotation": None}, first=half)
    assert done.writes.count("delete") == 1
    assert done.notified == ["repairing", "needs-action"]


def test_a_successor_is_distinguished_from_other_pods_of_the_same_second() -> None:
    """Four pods of a Deployment, all created in the second of the repair: only the canary is replaced before the restart."""

    def at_once(run: ScenarioRun) -> None:
        for name in list(run.world.cluster.pods):
            run.world.replace_pod(run.world.cluster, name)

    done = run_workflow({"service_account": "ebs-csi-controller-sa"}, first=at_once)
    assert (done.outcome, done.writes) == ("verified", REPAIR)


REFUSALS = {
    "made invalid by another webhook": Rejected('restart DaemonSet: 422 DaemonSet.apps "aws-node" is invalid'),
    "denied by a policy, or no right to patch": AccessDenied("restart DaemonSet: 403 denied request", denial=Denial.FORBIDDEN),
}


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
def test_where_a_restart_is_refused_the_stale_pods_are_deleted_in_waves(error: RemediatorError) -> None:
    done = run_workflow(first=lambda run: run.world.fail("cluster.restart", error, times=None))
    assert done.outcome == "verified"
    assert done.writes == ["annotate", *["delete"] * 6]
    assert done.run.outcome().actions == ["annotate-service-account", "replace-canary-pod", "replace-stale-pods"]
    assert done.notified == ["repairing", "verified"]


def test_a_refused_annotation_is_left_to_a_person() -> None:
    denied = AccessDenied("annotate ServiceAccount: 403 this role is not bound to this ServiceAccount", denial=Denial.FORBIDDEN)
    done = run_workflow(first=lambda run: run.world.fail("cluster.apply_annotation", denied, times=None))
    assert (done.outcome, done.writes) == ("needs-action", [])


def test_without_the_right_to_patch_workloads_no_restart_is_tried() -> None:
    done = run_workflow({"settings": {"restart_by": "deletion"}})
    assert done.outcome == "verified"
    assert done.writes == ["annotate", *["delete"] * 6]
