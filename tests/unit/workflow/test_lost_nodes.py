"""A repair while nodes are lost, before it begins and in its middle: the rest is repaired and verified, and what is left out is said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lambdas.contract.workloads import WorkloadKind
from tests.over_fakes.ground import BOUND_ROLE
from tests.unit.workflow.staged import Staged, staged

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.over_fakes.performance import Performance

QUICKLY = {"node_grace_s": "0"}


def loses(*numbers: int) -> Callable[[Performance], None]:
    """These nodes, in the order in which they joined, are lost."""

    def lose(play: Performance) -> None:
        names = list(play.world.cluster.nodes)
        for number in numbers:
            play.world.lose_node(play.world.cluster, names[number])

    return lose


def loses_canary(play: Performance) -> None:
    """The kubelet of the pod that was replaced first died while it was ending that pod, so that it has no successor."""
    cluster = play.world.cluster
    pod = next(item for item in cluster.pods.values() if item.facts.role_arn == BOUND_ROLE)
    pod.facts = replace(pod.facts, role_arn=None, deleting=True)
    play.world.lose_node(cluster, pod.facts.node)


def proof_of(done: Staged) -> str:
    """What people were told of the proof."""
    return next(item.text for item in done.play.notifier.sent if item.attributes["outcome"] == "verified")


def roles_within_reach(done: Staged) -> set[str | None]:
    cluster = done.play.world.cluster
    return {pod.facts.role_arn for pod in cluster.pods.values() if not cluster.is_lost(pod.facts.node)}


def test_a_repair_with_a_dead_node_proves_itself_and_says_what_was_left_out() -> None:
    done = staged({"nodes": 12, "settings": QUICKLY}, first=loses(3))
    assert done.writes == ["annotate", "delete", "restart"]
    assert done.told == ["repairing", "verified", "needs-action"]
    assert "11 of 11 pods carry the role, 11 ready, 11 of 12 nodes Ready (1 node is lost, left out)" in proof_of(done)
    assert roles_within_reach(done) == {BOUND_ROLE}


def test_where_lost_nodes_would_stop_a_roll_out_pods_are_replaced_in_waves() -> None:
    done = staged({"nodes": 5, "settings": QUICKLY}, first=loses(0))
    assert done.writes == ["annotate", "delete", "delete", "delete", "delete"]
    assert "verified" in done.told
    assert roles_within_reach(done) == {BOUND_ROLE}


@pytest.mark.parametrize("number", range(5))
def test_a_node_lost_in_the_middle_of_the_waves_does_not_hold_them_up(number: int) -> None:
    done = staged({"nodes": 6, "settings": QUICKLY}, first=loses(5), before={"1.3 replace-pods": loses(number)})
    assert "verified" in done.told
    assert roles_within_reach(done) == {BOUND_ROLE}
    assert "2 nodes are lost, left out" in proof_of(done)


@pytest.mark.parametrize("number", range(6))
def test_a_node_lost_in_the_middle_of_a_roll_out_holds_up_neither_it_nor_the_proof(number: int) -> None:
    done = staged({"nodes": 6, "settings": QUICKLY}, before={"1 verify": loses(number)})
    assert "verified" in done.told
    assert roles_within_reach(done) == {BOUND_ROLE}


def test_a_canary_whose_node_is_lost_is_followed_by_another_one() -> None:
    done = staged({"nodes": 6, "settings": QUICKLY}, before={"1.2 check-canary": loses_canary})
    assert "verified" in done.told
    assert roles_within_reach(done) == {BOUND_ROLE}
    assert done.annotation == BOUND_ROLE


def test_a_canary_on_a_node_lost_after_it_started_blames_no_role_and_takes_nothing_back() -> None:
    def loses_it(play: Performance) -> None:
        pods = play.world.cluster.pods.values()
        play.world.lose_node(play.world.cluster, next(pod.facts.node for pod in pods if pod.facts.role_arn == BOUND_ROLE))

    world = {"nodes": 6, "node_role_has_permissions": True, "settings": QUICKLY}
    done = staged(world, before={"1.2 check-canary": loses_it})
    assert "verified" in done.told
    assert done.annotation == BOUND_ROLE


def test_where_every_node_is_lost_nothing_is_said_to_be_proven() -> None:
    done = staged({"nodes": 3, "settings": QUICKLY}, first=loses(0, 1, 2))
    assert "verified" not in done.told
    assert "delete" not in done.writes


def test_pods_whose_node_is_gone_altogether_are_left_to_the_garbage_collector() -> None:
    def removes(play: Performance) -> None:
        del play.world.cluster.nodes[next(iter(play.world.cluster.nodes))]
        key = ("kube-system", WorkloadKind.DAEMON_SET, "aws-node")
        facts, account = play.world.cluster.workloads[key]
        play.world.cluster.workloads[key] = (replace(facts, desired=5), account)

    done = staged({"nodes": 6, "settings": QUICKLY}, first=removes)
    assert done.outcome == "verified"
    assert "5 of 5 pods carry the role" in proof_of(done)
