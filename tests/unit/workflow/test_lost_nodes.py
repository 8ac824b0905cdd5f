"""A repair while nodes are lost, before it begins and in its middle: the rest is repaired and verified, and what is left out is said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lambdas.contract.workloads import WorkloadKind
from tests.over_fakes.scenario_world import BOUND_ROLE
from tests.unit.workflow.workflow_run import WorkflowRun, run_workflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.over_fakes.scenario_run import ScenarioRun

QUICKLY = {"node_grace_s": "0"}


def loses(*numbers: int) -> Callable[[ScenarioRun], None]:
    """These nodes, in the order in which they joined, are lost."""

    def lose(run: ScenarioRun) -> None:
        names = list(run.world.cluster.nodes)
        for number in numbers:
            run.world.lose_node(run.world.cluster, names[number])

    return lose


def loses_canary(run: ScenarioRun) -> None:
    """The kubelet of the pod that was replaced first died while it was ending that pod, so that it has no successor."""
    cluster = run.world.cluster
    pod = next(item for item in cluster.pods.values() if item.facts.role_arn == BOUND_ROLE)
    pod.facts = replace(pod.facts, role_arn=None, deleting=True)
    run.world.lose_node(cluster, pod.facts.node)


def proof_of(done: WorkflowRun) -> str:
    """What people were told of the proof."""
    return next(item.text for item in done.run.notifier.sent if item.attributes["outcome"] == "verified")


def roles_within_reach(done: WorkflowRun) -> set[str | None]:
    cluster = done.run.world.cluster
    return {pod.facts.role_arn for pod in cluster.pods.values() if not cluster.is_lost(pod.facts.node)}


def test_a_repair_with_a_dead_node_proves_itself_and_says_what_was_left_out() -> None:
    done = run_workflow({"nodes": 12, "settings": QUICKLY}, first=loses(3))
    assert done.writes == ["annotate", "delete", "restart"]
    assert done.notified == ["repairing", "verified", "needs-action"]
    assert "11 of 11 pods carry the role, 11 ready, 11 of 12 nodes Ready (1 node is lost, left out)" in proof_of(done)
    assert roles_within_reach(done) == {BOUND_ROLE}


def test_where_lost_nodes_would_stop_a_roll_out_pods_are_replaced_in_waves() -> None:
    done = run_workflow({"nodes": 5, "settings": QUICKLY}, first=loses(0))
    assert done.writes == ["annotate", "delete", "delete", "delete", "delete"]
    assert "verified" in done.notified
    assert roles_within_reach(done) == {BOUND_ROLE}


@pytest.mark.parametrize("number", range(5))
def test_a_node_lost_in_the_middle_of_the_waves_does_not_hold_them_up(number: int) -> None:
    done = run_workflow({"nodes": 6, "settings": QUICKLY}, first=loses(5), before={"1.3 replace-pods": loses(number)})
    assert "verified" in done.notified
    assert roles_within_reach(done) == {BOUND_ROLE}
    assert "2 nodes are lost, left out" in proof_of(done)


@pytest.mark.parametrize("number", range(6))
def test_a_node_lost_in_the_middle_of_a_roll_out_holds_up_neither_it_nor_the_proof(number: int) -> None:
    done = run_workflow({"nodes": 6, "settings": QUICKLY}, before={"1 verify": loses(number)})
    assert "verified" in done.notified
    assert roles_within_reach(done) == {BOUND_ROLE}


def test_a_canary_whose_node_is_lost_is_followed_by_another_one() -> None:
    done = run_workflow({"nodes": 6, "settings": QUICKLY}, before={"1.2 check-canary": loses_canary})
    assert "verified" in done.notified
    assert roles_within_reach(done) == {BOUND_ROLE}
    assert done.annotation == BOUND_ROLE


def test_a_canary_on_a_node_lost_after_it_started_blames_no_role_and_takes_nothing_back() -> None:
    def loses_it(run: ScenarioRun) -> None:
        pods = run.world.cluster.pods.values()
        run.world.lose_node(run.world.cluster, next(pod.facts.node for pod in pods if pod.facts.role_arn == BOUND_ROLE))

    world = {"nodes": 6, "node_role_has_permissions": True, "settings": QUICKLY}
    done = run_workflow(world, before={"1.2 check-canary": loses_it})
    assert "verified" in done.notified
    assert done.annotation == BOUND_ROLE


def test_where_every_node_is_lost_nothing_is_said_to_be_proven() -> None:
    done = run_workflow({"nodes": 3, "settings": QUICKLY}, first=loses(0, 1, 2))
    assert "verified" not in done.notified
    assert "delete" not in done.writes


def test_pods_whose_node_is_gone_altogether_are_left_to_the_garbage_collector() -> None:
    def removes(run: ScenarioRun) -> None:
        del run.world.cluster.nodes[next(iter(run.world.cluster.nodes))]
        key = ("kube-system", WorkloadKind.DAEMON_SET, "aws-node")
        facts, account = run.world.cluster.workloads[key]
        run.world.cluster.workloads[key] = (replace(facts, desired=5), account)

    done = run_workflow({"nodes": 6, "settings": QUICKLY}, first=removes)
    assert done.outcome == "verified"
    assert "5 of 5 pods carry the role" in proof_of(done)
