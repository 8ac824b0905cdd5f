"""Turn forged events into a fleet of checks, or into alarms, with events:PutEvents on the default bus.

The attacker controls a role of the account that may put events on the bus. Sources of AWS services are refused to it.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lambdas.application.check.pipeline import run
from lambdas.application.check.results import EventIgnored, EventMalformed
from lambdas.contract import metrics
from lambdas.contract.events import DIGEST_INPUT, SUBSCRIPTIONS, SWEEP_INPUT, OwnEvent
from lambdas.contract.parameters import binding_path
from lambdas.domain.snapshot.bindings import Parameter
from tests.attacks.threat import Threat
from tests.chaos.fleet import Arrival, checked, town
from tests.over_fakes import events
from tests.over_fakes.scenario_run import ScenarioRun
from tests.over_fakes.scenario_world import BOUND_ROLE
from tests.unit.checker.simulated_checker import SWEEP, simulate
from tests.world import NOON

THREAT = Threat(
    name="forged events",
    actor="sender of events",
    controls="a role with `events:PutEvents` on the bus",
    attempt="turn a few events into a fleet of checks, a forged digest into messages, or malformed events into alarms",
    prevention="one fan-out a minute by conditional write, as for claims that no former check answers and for clusters without a binding; "
    "one check at a time for each target; malformed events are counted and not raised",
    proof=(
        "test_a_storm_of_forged_events_costs_a_few_checks",
        "test_a_storm_that_is_served_in_parallel_costs_a_few_checks",
        "test_forged_requests_for_all_clusters_are_served_once_a_minute",
        "test_a_malformed_event_is_counted_and_not_raised",
        "test_no_rule_delivers_the_events_of_the_schedules",
    ),
    residual="one invocation of the checker for each event; `concurrency.checker` limits how many run at a time. Without "
    "`event_publishers` any role of the account can send them",
)
STORM = 1_000
Forge = Callable[[ScenarioRun, int], Any]


def own(simulation: ScenarioRun, kind: str = "Check Requested", **detail: Any) -> dict[str, Any]:
    return events.own(kind, {"schemaVersion": "1", **detail}, simulation.world.now)


FORGED: dict[str, tuple[Forge, int]] = {
    "all clusters": (lambda simulation, _: own(simulation), 0),
    "one cluster": (lambda simulation, _: own(simulation, cluster="demo"), 3),
    "one cluster, as a sweep": (lambda simulation, _: own(simulation, cluster="demo", trigger="sweep"), 3),
    "one cluster, as a changed parameter": (lambda simulation, _: own(simulation, cluster="demo", trigger="parameter-changed"), 4),
    "one cluster, as a refused call": (lambda simulation, _: own(simulation, cluster="demo", trigger="refused-call"), 4),
    "nodes": (lambda simulation, n: own(simulation, "Node Not Ready", cluster="demo", nodes=[f"n{n}"]), 3),
    "ServiceAccounts without a binding": (
        lambda simulation, n: own(simulation, cluster="demo", serviceAccount={"namespace": "a", "name": f"s{n}"}),
        0,
    ),
    "clusters that do not exist, each of another name": (lambda simulation, n: own(simulation, cluster=f"c{n}"), 0),
    "malformed": (lambda simulation, _: own(simulation, cluster="../.."), 0),
    "another schema": (lambda simulation, _: own(simulation, schemaVersion="9"), 0),
}
"""Kind -> event number n of the storm, and the most checks that 1,000 of them may cause."""


@pytest.mark.parametrize(("forge", "most"), FORGED.values(), ids=FORGED)
def test_a_storm_of_forged_events_costs_a_few_checks(forge: Forge, most: int) -> None:
    simulation = simulate()
    storm = [forge(simulation, number) for number in range(STORM)]
    simulation.world.sleep(2)
    for event in storm:
        run(event, simulation.ports)
    assert simulation.world.reads.count("cluster.pods") <= most
    assert simulation.world.reads.count("eks.cluster") <= 2 + most
    assert len(simulation.incidents.rows) <= 2
    assert len([kind for kind, _ in simulation.bus.sent if kind == "Check Requested"]) <= 1


@pytest.mark.parametrize("environments", [5, 50])
@pytest.mark.parametrize("forge", [forge for forge, _ in FORGED.values()], ids=FORGED)
def test_a_storm_that_is_served_in_parallel_costs_a_few_checks(forge: Forge, environments: int) -> None:
    """With reserved concurrency and without: the storm of one second, in simulated time."""
    there, simulation = town(broken=False), simulate()
    simulation.world.now = there.world.now
    arrivals = [Arrival(forge(simulation, n), NOON, NOON + timedelta(seconds=1 + n / STORM)) for n in range(STORM)]
    checked(arrivals, there, environments)
    assert there.checks <= 10
    assert there.world.reads.count("eks.cluster") <= 10
    assert not there.world.writes


def test_forged_requests_for_all_clusters_are_served_once_a_minute() -> None:
    simulation = simulate()
    for number in range(200):
        simulation.world.parameters[binding_path(f"c{number:03d}", "kube-system", "aws-node")] = Parameter(value=BOUND_ROLE)
    for _ in range(10):
        run(own(simulation), simulation.ports)
    assert len(simulation.bus.sent) == 201
    assert isinstance(run(own(simulation), simulation.ports), EventIgnored)
    simulation.world.sleep(61)
    run(own(simulation), simulation.ports)
    assert len(simulation.bus.sent) == 402


def test_the_schedule_and_a_direct_invocation_are_always_served() -> None:
    simulation = simulate()
    run(own(simulation), simulation.ports)
    for event in (SWEEP, dict(SWEEP_INPUT), {"cluster": None}):
        sent = len(simulation.bus.sent)
        run(event, simulation.ports)
        assert len(simulation.bus.sent) == sent + 1


def test_a_malformed_event_is_counted_and_not_raised() -> None:
    simulation = simulate()
    assert isinstance(run(own(simulation, cluster=7), simulation.ports), EventMalformed)
    assert [name for name, _, _ in simulation.metrics.counted] == [metrics.MALFORMED_EVENTS.name]
    assert any("malformed event" in line for _, line, _ in simulation.log.lines)


def test_no_rule_delivers_the_events_of_the_schedules() -> None:
    """A forged sweep would start a check of every cluster, and a forged digest of each minute a message."""
    from_schedules = {OwnEvent.SWEEP, OwnEvent.DIGEST}
    assert {SWEEP_INPUT["detail-type"], DIGEST_INPUT["detail-type"]} == from_schedules
    for name, subscription in SUBSCRIPTIONS.items():
        pattern = subscription.pattern([])
        assert pattern["detail-type"], name
        assert not from_schedules & set(pattern["detail-type"]), name
