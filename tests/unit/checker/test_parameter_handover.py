"""A sweep hands the parameters that it has read to the checks that it requests."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.application.check.parameter_handover import FIELD, MAX_AGE, MOST_CHARACTERS, decode, encode
from lambdas.application.check.pipeline import run
from lambdas.application.check.results import ClusterChecked, IncidentOpened
from lambdas.checker.handler import PARAMETERS_TTL_S
from lambdas.contract.parameters import SETTINGS_FOLDER, binding_path
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.snapshot.bindings import Parameter
from tests.over_fakes import events
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER
from tests.unit.checker.simulated_checker import NO_FAULT_FOUND, SWEEP, TARGET, simulate

if TYPE_CHECKING:
    from lambdas.application.check.results import EventResult
    from tests.over_fakes.scenario_run import ScenarioRun

LOAD = "parameters.load"


def requested(simulation: ScenarioRun) -> dict[str, Any]:
    """The event of the check that a sweep requests, as Lambda delivers it."""
    run(SWEEP, simulation.ports)
    (check,) = simulation.checker.requested
    bus = events.own(check["detail-type"], check["detail"], simulation.world.now)
    event: dict[str, Any] = json.loads(json.dumps({**bus, **check}))
    return event


def result(simulation: ScenarioRun, event: dict[str, Any]) -> tuple[EventResult, bool]:
    """The result of an event, and whether its check reads Parameter Store."""
    before = simulation.world.reads.count(LOAD)
    return run(event, simulation.ports), simulation.world.reads.count(LOAD) > before


def test_the_check_of_a_sweep_reads_no_parameter() -> None:
    simulation = simulate()
    event = requested(simulation)
    simulation.world.parameters.clear()
    checked, reads = result(simulation, event)
    assert (checked, reads) == (NO_FAULT_FOUND, False)


def test_the_parameters_of_other_clusters_are_not_handed_over() -> None:
    simulation = simulate()
    simulation.world.parameters |= {
        binding_path("green", "shop", "uploader"): Parameter(value=BOUND_ROLE),
        binding_path(f"{CLUSTER}-2", "shop", "uploader"): Parameter(value=BOUND_ROLE),
        binding_path("_default", "shop", "uploader"): Parameter(value=BOUND_ROLE),
        f"{SETTINGS_FOLDER}/{CLUSTER}/mode": Parameter(value="approve"),
    }
    run(SWEEP, simulation.ports)
    found = {check["detail"]["cluster"]: set(check[FIELD]["found"]) for check in simulation.checker.requested}
    default = binding_path("_default", "shop", "uploader")
    assert found[CLUSTER] == {KEY_PATH, default, f"{SETTINGS_FOLDER}/{CLUSTER}/mode"}
    assert found["green"] == {binding_path("green", "shop", "uploader"), default}


KEY_PATH = binding_path(TARGET.cluster, TARGET.namespace, TARGET.name)


@pytest.mark.parametrize(
    ("age", "reads"), [(timedelta(0), False), (MAX_AGE - timedelta(seconds=1), False), (MAX_AGE, True), (-timedelta(days=1), True)]
)
def test_old_parameters_and_those_of_the_future_are_read_again(age: timedelta, reads: bool) -> None:
    simulation = simulate()
    event = requested(simulation)
    event[FIELD]["readAt"] = (simulation.world.now - age).isoformat()
    assert result(simulation, event)[1] is reads


def test_handed_parameters_grow_no_older_than_cached_ones() -> None:
    assert timedelta(seconds=PARAMETERS_TTL_S) == MAX_AGE


MALFORMED = {
    "no object": [],
    "no time": {"found": {}},
    "a time that is none": {"readAt": "soon", "found": {}},
    "no parameters": {"readAt": "2026-01-01T00:00:00Z"},
    "a list of parameters": {"readAt": "2026-01-01T00:00:00Z", "found": [[KEY_PATH, BOUND_ROLE]]},
    "a short row": {"readAt": "2026-01-01T00:00:00Z", "found": {KEY_PATH: [BOUND_ROLE]}},
    "a value that is no text": {"readAt": "2026-01-01T00:00:00Z", "found": {KEY_PATH: [1, "String", 1, ""]}},
}


@pytest.mark.parametrize("field", MALFORMED.values(), ids=MALFORMED)
def test_malformed_parameters_are_read_instead(field: object) -> None:
    simulation = simulate()
    event = {**requested(simulation), FIELD: field}
    checked, reads = result(simulation, event)
    assert (checked, reads) == (NO_FAULT_FOUND, True)


def test_an_event_of_the_bus_brings_no_parameters() -> None:
    """Any principal with `events:PutEvents` chooses `detail`, and EventBridge the fields beside it."""
    simulation = simulate(annotation=None)
    event = requested(simulation)
    handed = event.pop(FIELD)
    handed["found"][KEY_PATH][0] = ""
    checked, reads = result(simulation, {**event, "detail": {**event["detail"], FIELD: handed}})
    assert reads
    assert isinstance(checked, ClusterChecked)
    opened = checked.service_accounts[TARGET]
    assert isinstance(opened, IncidentOpened)
    assert opened.verdict is Verdict.ANNOTATION_MISSING


def test_each_field_of_a_parameter_survives() -> None:
    simulation = simulate()
    now = simulation.world.now
    parameter = Parameter(value=BOUND_ROLE, type="SecureString", version=7, changed_at=now - timedelta(days=2))
    handed = json.loads(json.dumps(encode({KEY_PATH: parameter}, CLUSTER, now)))
    source = simulation.readers.parameters
    assert decode(handed, CLUSTER, source, lambda: now).load(CLUSTER) == {KEY_PATH: parameter}
    without_time = replace(parameter, changed_at=None)
    handed = encode({KEY_PATH: without_time}, CLUSTER, now)
    assert decode(handed, CLUSTER, source, lambda: now).load(CLUSTER) == {KEY_PATH: without_time}
    assert decode(handed, CLUSTER, source, lambda: now).load("green") == source.load("green")


def test_parameters_that_are_too_large_are_left_out() -> None:
    now = simulate().world.now
    assert FIELD in encode({KEY_PATH: Parameter(value="x" * (MOST_CHARACTERS - len(KEY_PATH)))}, CLUSTER, now)
    assert encode({KEY_PATH: Parameter(value="x" * MOST_CHARACTERS)}, CLUSTER, now) == {}
