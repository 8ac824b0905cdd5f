"""The daily schedule requests one digest for the clusters whose settings enable it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lambdas.application.check.pipeline import run
from lambdas.application.check.results import DigestRequested
from lambdas.contract.settings import settings_path
from lambdas.domain.errors import TransientError
from lambdas.domain.snapshot.bindings import Parameter
from tests.events import event
from tests.unit.checker.simulated_checker import simulate
from tests.world import CallFault

if TYPE_CHECKING:
    from lambdas.application.check.results import EventResult
    from tests.over_fakes.scenario_run import ScenarioRun

SEVEN = datetime(2026, 9, 27, 7, tzinfo=UTC)


def request_digest(simulation: ScenarioRun, **settings: str) -> EventResult:
    """Deliver the digest event, with these values of the setting `digest` by cluster."""
    for cluster, value in settings.items():
        simulation.world.parameters[settings_path(cluster, "digest")] = Parameter(value=value)
    return run(event("digest"), replace(simulation.ports, now=lambda: SEVEN))


def test_without_the_setting_no_digest_is_requested() -> None:
    simulation = simulate()
    assert request_digest(simulation) == DigestRequested(())
    assert (simulation.remediator.digests, simulation.remediator.executions, simulation.world.writes) == ({}, {}, [])


@pytest.mark.parametrize(
    ("settings", "clusters"),
    [
        ({"demo": "daily"}, ["demo"]),
        ({"_default": "daily"}, ["blue", "demo"]),
        ({"_default": "daily", "demo": "off"}, ["blue"]),
        ({"demo": "weekly"}, []),
    ],
    ids=["the cluster's setting", "the default", "the cluster's setting overrides the default", "an invalid value counts as not set"],
)
def test_a_digest_is_requested_for_the_clusters_whose_settings_enable_it(settings: dict[str, str], clusters: list[str]) -> None:
    simulation = simulate()
    simulation.world.clusters["blue"] = simulation.world.clusters["demo"]
    assert request_digest(simulation, **settings) == DigestRequested(tuple(clusters))
    assert list(simulation.remediator.digests.values()) == ([clusters] if clusters else [])


def test_a_cluster_of_another_stack_gets_no_digest() -> None:
    simulation = simulate()
    simulation.world.clusters["blue"] = simulation.world.clusters["demo"]
    simulation.world.parameters[settings_path("_default", "digest")] = Parameter(value="daily")
    ports = replace(simulation.ports, now=lambda: SEVEN, environment=replace(simulation.ports.environment, clusters="blue"))
    assert run(event("digest"), ports) == DigestRequested(("blue",))


def test_an_event_that_is_delivered_twice_requests_one_digest() -> None:
    simulation = simulate()
    assert request_digest(simulation, demo="daily") == request_digest(simulation)
    assert simulation.remediator.digests == {SEVEN: ["demo"]}


def test_a_failed_start_raises_so_that_lambda_delivers_the_event_again() -> None:
    simulation = simulate()
    simulation.world.call_faults.append(CallFault("remediator.start_digest", TransientError("throttled")))
    with pytest.raises(TransientError):
        request_digest(simulation, demo="daily")
    assert request_digest(simulation) == DigestRequested(("demo",))
