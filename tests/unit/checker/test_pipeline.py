"""The checker's pipeline, from one event to its result."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from lambdas.application.check.pipeline import run
from lambdas.application.check.results import EventIgnored, EventMalformed
from lambdas.contract import metrics
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import NotFound
from lambdas.domain.requests.request import Trigger
from lambdas.domain.snapshot.bindings import Parameter
from tests.events import event as recorded
from tests.fakes import FakeParameters
from tests.over_fakes import events
from tests.over_fakes.scenario_world import CLUSTER
from tests.unit.checker.simulated_checker import KEY, NO_FAULT_FOUND, TARGET, check, result_of, simulate, verdict_of


def test_a_healthy_cluster_costs_four_kubernetes_reads_and_no_write_message_or_execution() -> None:
    simulation = simulate()
    assert check(simulation) == NO_FAULT_FOUND
    inside = sorted(read for read in simulation.world.reads if read.startswith("cluster."))
    assert inside == ["cluster.guards", "cluster.pods", "cluster.service_account", "cluster.workload"]
    assert (simulation.world.writes, simulation.notifier.sent, simulation.remediator.executions) == ([], [], {})
    assert simulation.incidents.rows[TARGET.key].idle.known_good_at == simulation.world.now


def test_ten_thousand_events_for_a_healthy_cluster_cost_one_check() -> None:
    simulation = simulate()
    event = events.trigger_event("check-requested", simulation.world.now)
    simulation.world.sleep(2)
    for _ in range(10_000):
        run(event, simulation.ports)
    assert simulation.world.reads.count("cluster.pods") == 1


def test_ten_thousand_events_for_one_fault_are_all_counted_on_one_incident() -> None:
    simulation = simulate(annotation=None)
    for _ in range(10_000):
        check(simulation)
    found = simulation.incidents.get(TARGET)
    assert found
    assert found.signals == 10_000
    assert len(simulation.remediator.executions) == 1
    assert simulation.world.reads.count("cluster.pods") == 1


def test_an_event_that_needs_no_plan_is_one_log_line_with_its_target_its_trigger_and_its_id() -> None:
    simulation = simulate()
    event = events.trigger_event("check-requested", simulation.world.now)
    simulation.world.sleep(2)
    run(event, simulation.ports)
    run(event, simulation.ports)
    event["time"] = (simulation.world.now + timedelta(seconds=30)).isoformat()
    simulation.world.sleep(60)
    simulation.world.set_annotation(simulation.world.cluster, KEY, None, "helm")
    run(event, simulation.ports)
    run(event, simulation.ports)
    of_event = [(line, fields) for _, line, fields in simulation.log.lines if fields.get("event_id") == event["id"]]
    assert [line for line, _ in of_event] == [
        "no-fault-found",
        "answered by a check that began after the event",
        "annotation-wiped",
        "counted on the open incident",
    ]
    assert {(fields["target"], fields["trigger"]) for _, fields in of_event} == {(TARGET.key, Trigger.PERSON)}


@pytest.mark.parametrize(
    ("seconds", "checks"), [(0, 2), (1.999, 2), (2, 1)], ids=["in the same second", "almost two seconds", "two seconds later"]
)
def test_a_check_answers_only_events_that_surely_happened_before_it_began(seconds: float, checks: int) -> None:
    """The bus cuts times to seconds, and clocks differ by up to a second."""
    simulation = simulate()
    event = events.trigger_event("check-requested", simulation.world.now)
    simulation.world.sleep(seconds)
    run(event, simulation.ports)
    run(event, simulation.ports)
    assert simulation.world.reads.count("cluster.pods") == checks


def test_an_event_after_the_last_check_gets_a_check_of_its_own() -> None:
    simulation = simulate()
    check(simulation)
    simulation.world.sleep(5)
    simulation.world.set_annotation(simulation.world.cluster, KEY, None, "helm")
    assert verdict_of(check(simulation)) is Verdict.ANNOTATION_WIPED


class CachedParameters(FakeParameters):
    """Parameters that a warm process caches from its first read."""

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        self.first = getattr(self, "first", None) or super().load(cluster)
        return self.first


@pytest.mark.parametrize("name", ["parameter-binding-created", "check-requested-by-person", "person-one-service-account"])
def test_a_request_that_follows_a_parameter_change_uses_no_cached_parameters(name: str) -> None:
    simulation = simulate()
    readers = replace(simulation.ports.readers, parameters=CachedParameters(simulation.world))
    ports = replace(simulation.ports, readers=readers, uncached_readers=simulation.ports.readers)
    run(events.trigger_event("sweep", simulation.world.now), ports)
    simulation.world.parameters[binding_path(CLUSTER, *KEY)] = Parameter(value="arn:aws:iam::111122223333:role/gone")
    event = json.loads(json.dumps(recorded(name)).replace("prod-blue", CLUSTER))
    assert verdict_of(run(event, ports)) is Verdict.BINDING_INVALID


def test_a_former_check_does_not_answer_a_parameter_change() -> None:
    simulation = simulate()
    event = json.loads(json.dumps(recorded("parameter-binding-created")).replace("prod-blue", CLUSTER))
    event["time"] = simulation.world.now.isoformat()
    simulation.world.sleep(5)
    check(simulation)
    assert run(event, simulation.ports) == NO_FAULT_FOUND
    assert simulation.world.reads.count("cluster.pods") == 2


def test_an_event_of_an_unknown_type_is_ignored() -> None:
    simulation = simulate()
    event = {**events.check_requested(simulation.world.now), "detail-type": "Something Else"}
    assert isinstance(run(event, simulation.ports), EventIgnored)
    assert simulation.world.reads == []


def test_a_malformed_event_is_counted_and_not_delivered_again() -> None:
    simulation = simulate()
    event = events.check_requested(simulation.world.now)
    event["detail"]["cluster"] = "../demo"
    assert isinstance(run(event, simulation.ports), EventMalformed)
    assert [name for name, _, _ in simulation.metrics.counted] == [metrics.MALFORMED_EVENTS.name]


def test_a_missing_cluster_that_only_an_event_names_opens_no_incident() -> None:
    simulation = simulate()
    event = events.check_requested(simulation.world.now)
    event["detail"]["cluster"] = "made-up"
    simulation.world.fail("eks.associations", NotFound("no cluster made-up"), times=1)
    target = ServiceAccountRef("made-up", *KEY)
    assert isinstance(result_of(run(event, simulation.ports), target), EventIgnored)
    assert simulation.incidents.get(target) is None
