"""What is said about nodes, and what a check that read them answers."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lambdas.application.check.pipeline import run
from lambdas.contract.parameters import binding_path
from lambdas.domain.snapshot.bindings import Parameter
from tests.over_fakes import events
from tests.over_fakes.ground import BOUND_ROLE, CLUSTER
from tests.over_fakes.performance import Performance
from tests.unit.checker.staged import TARGET, asked, stage

NODE_EVENTS = ("node-not-ready", "alarm")


def ill_for_another_reason(play: Performance, since: timedelta) -> None:
    """A node whose disk is full, for so long; its pods run."""
    name, node = next(iter(play.world.cluster.nodes.items()))
    told = {"ready": False, "reason": "KubeletNotReady", "message": "disk is full", "pressures": ("DiskPressure",)}
    play.world.cluster.nodes[name] = replace(node, **told, since=play.world.now - since)


@pytest.mark.parametrize("name", NODE_EVENTS)
def test_what_is_said_about_nodes_is_not_answered_by_a_check_that_read_none(name: str) -> None:
    play = stage()
    ill_for_another_reason(play, timedelta(minutes=10))
    said = events.announcement(name, play.world.now)
    play.world.sleep(3)
    assert asked(play) == {TARGET.key: {"verdict": "healthy"}}
    play.world.sleep(1)
    assert run(said, play.ports)[TARGET.key]["verdict"] == "nodes-not-ready"


@pytest.mark.parametrize("name", NODE_EVENTS)
def test_a_storm_about_nodes_that_are_well_costs_one_look_at_them(name: str) -> None:
    play = stage()
    said = events.announcement(name, play.world.now)
    play.world.sleep(2)
    for _ in range(1_000):
        run(said, play.ports)
        asked(play)
    assert play.world.reads.count("cluster.nodes") == 1


def test_a_node_within_its_grace_makes_no_noise_and_is_looked_at_again_by_the_next_check() -> None:
    play = stage()
    ill_for_another_reason(play, timedelta(seconds=20))
    assert asked(play, "node-not-ready") == {TARGET.key: {"verdict": "healthy"}}
    play.world.sleep(300)
    assert asked(play)[TARGET.key]["verdict"] == "nodes-not-ready"


def test_a_node_that_came_up_within_its_grace_is_looked_at_once_more_and_then_left_alone() -> None:
    play = stage()
    before = dict(play.world.cluster.nodes)
    ill_for_another_reason(play, timedelta(seconds=20))
    asked(play, "node-not-ready")
    play.world.cluster.nodes = before
    for _ in range(3):
        play.world.sleep(300)
        assert asked(play) == {TARGET.key: {"verdict": "healthy"}}
    assert play.world.reads.count("cluster.nodes") == 2
    assert (play.world.writes, play.notifier.sent, play.remediator.executions) == ([], [], {})


def test_what_is_said_about_nodes_concerns_the_plug_in_also_where_something_else_is_bound_alone() -> None:
    play = stage(binding=None)
    play.world.parameters[binding_path(CLUSTER, "shop", "uploader")] = Parameter(value=BOUND_ROLE)
    ill_for_another_reason(play, timedelta(minutes=10))
    assert asked(play, "alarm")[TARGET.key]["verdict"] == "nodes-not-ready"
    assert TARGET.key not in asked(play)
