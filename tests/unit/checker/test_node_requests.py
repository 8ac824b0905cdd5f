"""Requests about nodes, and the checks that answer them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lambdas.application.check.pipeline import run
from lambdas.application.check.results import ClusterChecked
from lambdas.contract.parameters import binding_path
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.snapshot.bindings import Parameter
from tests.over_fakes import events
from tests.over_fakes.scenario_run import ScenarioRun
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER
from tests.unit.checker.simulated_checker import HEALTHY, NO_FAULT_FOUND, TARGET, check, simulate, verdict_of

NODE_EVENTS = ("node-not-ready", "alarm")


def add_disk_pressure(simulation: ScenarioRun, since: timedelta) -> None:
    """Make one node NotReady since that long ago because its disk is full; its pods run."""
    name, node = next(iter(simulation.world.cluster.nodes.items()))
    condition = {"ready": False, "reason": "KubeletNotReady", "message": "disk is full", "pressures": ("DiskPressure",)}
    simulation.world.cluster.nodes[name] = replace(node, **condition, since=simulation.world.now - since)


@pytest.mark.parametrize("name", NODE_EVENTS)
def test_a_check_that_read_no_nodes_does_not_answer_a_request_about_nodes(name: str) -> None:
    simulation = simulate()
    add_disk_pressure(simulation, timedelta(minutes=10))
    event = events.trigger_event(name, simulation.world.now)
    simulation.world.sleep(3)
    assert check(simulation) == NO_FAULT_FOUND
    simulation.world.sleep(1)
    assert verdict_of(run(event, simulation.ports)) is Verdict.NODES_NOT_READY


@pytest.mark.parametrize("name", NODE_EVENTS)
def test_a_storm_of_events_about_ready_nodes_reads_nodes_once(name: str) -> None:
    simulation = simulate()
    event = events.trigger_event(name, simulation.world.now)
    simulation.world.sleep(2)
    for _ in range(1_000):
        run(event, simulation.ports)
        check(simulation)
    assert simulation.world.reads.count("cluster.nodes") == 1


def test_a_node_in_its_grace_period_opens_no_incident_and_the_next_check_reads_nodes_again() -> None:
    simulation = simulate()
    add_disk_pressure(simulation, timedelta(seconds=20))
    assert check(simulation, "node-not-ready") == HEALTHY
    simulation.world.sleep(300)
    assert verdict_of(check(simulation)) is Verdict.NODES_NOT_READY


def test_after_a_node_became_ready_in_its_grace_period_nodes_are_read_once_more() -> None:
    simulation = simulate()
    before = dict(simulation.world.cluster.nodes)
    add_disk_pressure(simulation, timedelta(seconds=20))
    check(simulation, "node-not-ready")
    simulation.world.cluster.nodes = before
    for result in (HEALTHY, NO_FAULT_FOUND, NO_FAULT_FOUND):
        simulation.world.sleep(300)
        assert check(simulation) == result
    assert simulation.world.reads.count("cluster.nodes") == 2
    assert (simulation.world.writes, simulation.notifier.sent, simulation.remediator.executions) == ([], [], {})


def test_a_request_about_nodes_checks_aws_node_even_if_only_another_service_account_is_bound() -> None:
    simulation = simulate(binding=None)
    simulation.world.parameters[binding_path(CLUSTER, "shop", "uploader")] = Parameter(value=BOUND_ROLE)
    add_disk_pressure(simulation, timedelta(minutes=10))
    assert verdict_of(check(simulation, "alarm")) is Verdict.NODES_NOT_READY
    result = check(simulation)
    assert isinstance(result, ClusterChecked)
    assert TARGET not in result.service_accounts
