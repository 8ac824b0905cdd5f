"""What was done did not work: half successes, harm that is put back, pods that do not start, and waves that stop."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from lambdas.application.remediation.repair import MAX_REPAIRS
from lambdas.domain.errors import Conflict, TransientError
from lambdas.domain.snapshot.snapshot import PluginError
from tests.over_fakes.scenario_world import BOUND_ROLE
from tests.unit.workflow.workflow_run import KEY, OTHER, REPAIR, count_signal, keep_waiting, run_workflow, set_annotation
from tests.world import NOON, role_arn

if TYPE_CHECKING:
    from tests.over_fakes.scenario_run import ScenarioRun


def a_pod_without(run: ScenarioRun) -> None:
    """A pod is replaced that the webhook misses, just as we wait for the proof."""
    run.world.roll_out(run.world.cluster, KEY, None)
    run.world.cluster.webhook.misses = 1
    run.world.replace_pod(run.world.cluster, next(iter(run.world.cluster.pods)))


def test_what_is_left_of_a_partial_success_is_repaired_once_more() -> None:
    done = run_workflow(before={"1 verify": a_pod_without})
    assert done.outcome == "verified"
    assert done.writes == [*REPAIR, "delete"]
    assert done.notified == ["repairing", "verified"]


def test_after_the_last_repair_a_person_is_needed_and_nothing_more_is_written() -> None:
    done = run_workflow(before={f"{n} verify": a_pod_without for n in range(1, 9)})
    assert done.outcome == "needs-action"
    assert done.writes.count("delete") == MAX_REPAIRS
    assert done.notified == ["repairing", "needs-action"]


def refused(run: ScenarioRun) -> None:
    """The role turns out not to suffice, where the node's did."""
    run.world.roll_out(run.world.cluster, KEY, None)
    for pod in run.world.cluster.pods.values():
        pod.facts = replace(pod.facts, ready=False)
        run.world.cluster.errors.append(PluginError(call="ec2:CreateNetworkInterface", pod=pod.facts.name, at=run.world.now))


def test_what_became_worse_is_put_back_once_and_left_to_a_person() -> None:
    done = run_workflow({"node_role_has_permissions": True}, before={"1 verify": refused})
    assert done.annotation is None
    assert done.writes == [*REPAIR, "annotate"]
    assert done.notified == ["repairing", "needs-action"]
    assert done.run.outcome().actions[-1] == "restore-annotation"


def test_an_old_value_is_put_back_as_it_stood() -> None:
    def works(run: ScenarioRun) -> None:
        run.world.cluster.working_roles = frozenset({OTHER, BOUND_ROLE})
        run.world.cluster.errors.clear()
        for name in list(run.world.cluster.pods):
            run.world.replace_pod(run.world.cluster, name)

    done = run_workflow({"annotation": OTHER}, first=works, before={"1 verify": refused})
    assert done.writes[-1] == "annotate"
    assert done.annotation == OTHER


def test_what_somebody_else_set_meanwhile_is_not_put_back() -> None:
    def refused_and_changed(run: ScenarioRun) -> None:
        refused(run)

    third = role_arn("third")
    done = run_workflow({"node_role_has_permissions": True}, before={"1 verify": refused_and_changed, "1 restore": set_annotation(third)})
    assert done.annotation == third
    assert done.writes == REPAIR
    assert "restore-annotation" not in done.run.outcome().actions


def test_what_we_set_before_the_world_moved_is_put_back_too() -> None:
    def moved(run: ScenarioRun) -> None:
        run.world.fail("cluster.restart", Conflict("the DaemonSet has changed"))

    done = run_workflow({"node_role_has_permissions": True}, before={"1.3 apply restart-workload": moved, "2 verify": refused})
    assert "2.1 apply annotate-service-account" not in map(str, done.steps.done)
    assert done.annotation is None
    assert done.notified == ["repairing", "needs-action"]


def test_what_was_proven_once_is_not_put_back_for_what_came_later() -> None:
    def stale(run: ScenarioRun) -> None:
        count_signal(run)
        pod = run.world.cluster.pods[next(iter(run.world.cluster.pods))]
        pod.facts = replace(pod.facts, role_arn=None)

    done = run_workflow({"node_role_has_permissions": True}, before={"2 close": stale, "3 verify": refused})
    assert done.notified == ["repairing", "verified", "repairing", "needs-action"]
    assert done.annotation == BOUND_ROLE


def test_a_cluster_that_does_not_answer_for_a_while_does_not_keep_the_old_value_from_being_put_back() -> None:
    def slow(run: ScenarioRun) -> None:
        run.world.fail("cluster.annotate", TransientError("throttled"), times=9)

    done = run_workflow({"node_role_has_permissions": True}, before={"1 verify": refused, "1 restore": slow})
    assert done.annotation is None


def test_a_roll_out_that_hangs_is_given_up_within_minutes() -> None:
    done = run_workflow(before={"1 verify": keep_waiting("ImagePullBackOff")})
    assert done.notified == ["repairing", "needs-action"]
    assert done.annotation == BOUND_ROLE
    assert done.run.world.now - NOON < timedelta(minutes=15)


def test_a_roll_out_that_is_slow_is_given_its_time() -> None:
    done = run_workflow(before={"1 verify": keep_waiting("ContainerCreating")})
    assert done.run.world.now - NOON >= timedelta(seconds=2700)
    assert "needs-action" in done.notified
    assert "do not start" not in str(done.run.outcome().messages)


def test_a_canary_that_does_not_turn_ready_puts_the_annotation_back_before_the_others_follow() -> None:
    done = run_workflow({"node_role_has_permissions": True, "role_has_permissions": False})
    assert done.annotation is None
    assert done.writes == ["annotate", "delete", "annotate"]
    assert done.notified == ["repairing", "needs-action"]


def test_a_canary_that_the_webhook_misses_again_and_again_leaves_the_others_as_they_are() -> None:
    done = run_workflow(first=lambda run: setattr(run.world.cluster.webhook, "misses", 99))
    assert done.writes == ["annotate", "delete", "delete", "delete", "delete"]
    assert done.notified == ["repairing", "needs-action"]


def _replaced_but_for(run: ScenarioRun, count: int) -> list[str]:
    """The annotation is right, and so many pods are still without the role; their names."""
    set_annotation(BOUND_ROLE)(run)
    names = list(run.world.cluster.pods)
    for name in names[count:]:
        run.world.replace_pod(run.world.cluster, name)
    return names[:count]


def _down(run: ScenarioRun, names: list[str]) -> None:
    for name in names:
        pod = run.world.cluster.pods[name]
        pod.facts = replace(pod.facts, ready=False)


def test_pods_that_do_not_work_are_replaced_before_those_that_do() -> None:
    sick: list[str] = []

    def half(run: ScenarioRun) -> None:
        sick.extend(_replaced_but_for(run, 7)[-2:])
        _down(run, sick)

    done = run_workflow({"nodes": 15, "node_role_has_permissions": True}, first=half)
    deleted = [write.rpartition("/")[2] for write in done.run.world.writes]
    assert len(deleted) == 7
    assert set(deleted[1:3]) == set(sick), "after the canary, the first wave of two"
    assert done.outcome == "verified"


def test_a_wave_takes_no_pod_down_while_as_many_as_may_be_are_down_already() -> None:
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


def test_the_next_wave_waits_for_the_one_before() -> None:
    def half(run: ScenarioRun) -> None:
        set_annotation(BOUND_ROLE)(run)
        for name in list(run.world.cluster.pods)[:8]:
            run.world.replace_pod(run.world.cluster, name)

    def crash(run: ScenarioRun) -> None:
        run.world.cluster.successors_crash = True

    done = run_workflow({"nodes": 15, "node_role_has_permissions": True}, first=half, before={"1.2 replace-pods": crash})
    assert done.writes == ["delete"] * 3  # the canary, and one wave of two
    assert done.notified == ["repairing", "needs-action"]


def test_a_wave_that_does_not_come_back_stops_the_next() -> None:
    def half(run: ScenarioRun) -> None:
        set_annotation(BOUND_ROLE)(run)
        for name in list(run.world.cluster.pods)[:2]:
            run.world.replace_pod(run.world.cluster, name)
        run.world.cluster.successors_crash = True

    done = run_workflow({"nodes": 12, "node_role_has_permissions": True, "annotation": None}, first=half)
    assert done.writes.count("delete") == 1
    assert done.notified == ["repairing", "needs-action"]


def test_a_successor_of_the_same_second_is_told_from_the_pods_that_were_there() -> None:
    """Four pods of a Deployment, all created in the second of the repair: only the one that was tried is replaced before the restart."""

    def at_once(run: ScenarioRun) -> None:
        for name in list(run.world.cluster.pods):
            run.world.replace_pod(run.world.cluster, name)

    done = run_workflow({"service_account": "ebs-csi-controller-sa"}, first=at_once)
    assert (done.outcome, done.writes) == ("verified", REPAIR)
