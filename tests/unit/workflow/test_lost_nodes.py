"""Nodes that are lost before or during a repair: the other pods are repaired and verified, and the message names the lost nodes."""

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


def lose(*numbers: int) -> Callable[[ScenarioRun], None]:
    """Lose these nodes, numbered in the order in which they joined."""

    def lose(run: ScenarioRun) -> None:
        names = list(run.world.cluster.nodes)
        for number in numbers:
            run.world.lose_node(run.world.cluster, names[number])

    return lose


def lose_canary(run: ScenarioRun) -> None:
    """Lose the canary's node while the canary terminates, so that it gets no successor."""
    cluster = run.world.cluster
    pod = next(item for item in cluster.pods.values() if item.facts.role_arn == BOUND_ROLE)
    pod.facts = replace(pod.facts, role_arn=None, deleting=True)
    run.world.lose_node(cluster, pod.facts.node)


def verification_text(done: WorkflowRun) -> str:
    """The text of the notification of the verified repair."""
    return next(item.text for item in done.run.notifier.sent if item.attributes["outcome"] == "verified")


def roles_within_reach(done: WorkflowRun) -> set[str | None]:
    cluster = done.run.world.cluster
    return {pod.facts.role_arn for pod in cluster.pods.values() if not cluster.is_lost(pod.facts.node)}


def test_a_repair_with_a_lost_node_is_verified_and_reports_the_node() -> None:
    done = run_workflow({"nodes": 12, "settings": QUICKLY}, first=lose(3))
    assert done.writes == ["annotate", "delete", "restart"]
    assert done.notified == ["repairing", "verified", "needs-action"]
    assert "11 of 11 pods carry the role, 11 ready, 11 of 12 nodes Ready (1 node is lost, left out)" in verification_text(done)
    assert roles_within_reach(done) == {BOUND_ROLE}


def test_pods_are_replaced_in_batches_where_lost_nodes_would_stop_a_rollout() -> None:
    done = run_workflow({"nodes": 5, "settings": QUICKLY}, first=lose(0))
    assert done.writes == ["annotate", "delete", "delete", "delete", "delete"]
    assert "verified" in done.notified
    assert roles_within_reach(done) == {BOUND_ROLE}


@pytest.mark.parametrize("number", range(5))
def test_a_node_that_is_lost_between_batches_does_not_delay_them(number: int) -> None:
    done = run_workflow({"nodes": 6, "settings": QUICKLY}, first=lose(5), before={"1.3 replace-pods": lose(number)})
    assert "verified" in done.notified
    assert roles_within_reach(done) == {BOUND_ROLE}
    assert "2 nodes are lost, left out" in verification_text(done)


@pytest.mark.parametrize("number", range(6))
def test_a_node_that_is_lost_during_a_rollout_delays_neither_rollout_nor_verification(number: int) -> None:
    done = run_workflow({"nodes": 6, "settings": QUICKLY}, before={"1 verify": lose(number)})
    assert "verified" in done.notified
    assert roles_within_reach(done) == {BOUND_ROLE}


def test_another_canary_follows_one_whose_node_is_lost() -> None:
    done = run_workflow({"nodes": 6, "settings": QUICKLY}, before={"1.2 check-canary": lose_canary})
    assert "verified" in done.notified
    assert roles_within_reach(done) == {BOUND_ROLE}
    assert done.annotation == BOUND_ROLE


def test_a_node_that_is_lost_after_the_canary_started_causes_no_rollback() -> None:
    def loses_it(run: ScenarioRun) -> None:
        pods = run.world.cluster.pods.values()
        run.world.lose_node(run.world.cluster, next(pod.facts.node for pod in pods if pod.facts.role_arn == BOUND_ROLE))

    world = {"nodes": 6, "node_role_has_permissions": True, "settings": QUICKLY}
    done = run_workflow(world, before={"1.2 check-canary": loses_it})
    assert "verified" in done.notified
    assert done.annotation == BOUND_ROLE


def test_a_repair_is_not_verified_while_every_node_is_lost() -> None:
    done = run_workflow({"nodes": 3, "settings": QUICKLY}, first=lose(0, 1, 2))
    assert "verified" not in done.notified
    assert "delete" not in done.writes


def test_pods_of_a_deleted_node_are_ignored() -> None:
    def removes(run: ScenarioRun) -> None:
        del run.world.cluster.nodes[next(iter(run.world.cluster.nodes))]
        key = ("kube-system", WorkloadKind.DAEMON_SET, "aws-node")
        facts, account = run.world.cluster.workloads[key]
        run.world.cluster.workloads[key] = (replace(facts, desired=5), account)

    done = run_workflow({"nodes": 6, "settings": QUICKLY}, first=removes)
    assert done.outcome == "verified"
    assert "5 of 5 pods carry the role" in verification_text(done)
