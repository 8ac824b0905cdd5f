"""Have a healthy or unbound workload changed, or chat and table filled, with events about faults that do not exist."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.application.check.pipeline import run
from tests.attacks.threat import Threat
from tests.over_fakes import events
from tests.unit.checker.simulated_checker import TARGET, simulate

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.over_fakes.scenario_run import ScenarioRun

THREAT = Threat(
    name="events that lie",
    actor="sender of events",
    controls="a role with `events:PutEvents` on the bus",
    attempt="report a fault that does not exist, of an unbound ServiceAccount, of a cluster that does not exist, or by another principal",
    prevention="an event starts a check only; the snapshot decides, and a write needs a binding",
    proof=("test_a_lie_about_a_healthy_cluster_changes_nothing", "test_a_claimed_actor_changes_no_verdict"),
    residual="the name of a claimed actor is quoted in the message; CloudTrail has the principal. A lie costs one check",
)


def _own(kind: str, at: datetime, **detail: Any) -> dict[str, Any]:
    return events.own(kind, {"schemaVersion": "1", **detail}, at)


LIES: dict[str, Callable[[datetime], dict[str, Any]]] = {
    "nodes are not ready": lambda at: _own("Node Not Ready", at, cluster="demo", nodes=["n1", "n2"]),
    "a call has removed the role": lambda at: events.update_addon(at, version="v9", role=None),
    "an unbound ServiceAccount": lambda at: _own(
        "Check Requested", at, cluster="demo", serviceAccount={"namespace": "default", "name": "victim"}
    ),
    "a cluster that does not exist": lambda at: _own("Check Requested", at, cluster="ghost"),
    "in the future": lambda at: _own("Check Requested", at + timedelta(days=900), cluster="demo"),
    "long ago": lambda at: _own("Check Requested", at - timedelta(days=900), cluster="demo"),
    "of another account": lambda at: {**_own("Check Requested", at, cluster="demo"), "account": "666666666666"},
    "of another region": lambda at: {**_own("Check Requested", at, cluster="demo"), "region": "ap-south-1"},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_lie_about_a_healthy_cluster_changes_nothing(lie: Callable[[datetime], dict[str, Any]]) -> None:
    simulation = simulate()
    for _ in range(3):
        simulation.deliver(lie(simulation.world.now))
    assert (simulation.world.writes, simulation.opened, simulation.notifier.sent) == ([], [], [])


def test_a_claimed_actor_changes_no_verdict() -> None:
    def verdict(event: Callable[[ScenarioRun], dict[str, Any]]) -> tuple[str, list[str]]:
        simulation = simulate(annotation=None)
        run(event(simulation), simulation.ports)
        incident = simulation.incidents.get(TARGET)
        assert incident
        simulation.run_executions()
        return simulation.outcome().outcome, [write.split()[0] for write in simulation.world.writes]

    def claimed(simulation: ScenarioRun) -> dict[str, Any]:
        return events.update_addon(simulation.world.now, version="v1.20.4-eksbuild.1", role=None)

    assert verdict(claimed) == verdict(lambda simulation: events.check_requested(simulation.world.now))
