"""From an event to an incident, or to nothing: who is answered, what is looked into, and what is no event of ours."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from lambdas.application.check.pipeline import run
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.domain.errors import MalformedEvent, NotFound
from lambdas.domain.snapshot.bindings import Parameter
from tests.events import event as recorded
from tests.fakes import FakeParameters
from tests.over_fakes import events
from tests.over_fakes.ground import CLUSTER
from tests.unit.checker.staged import KEY, TARGET, asked, stage


def test_a_healthy_cluster_gets_three_requests_and_no_write_no_message_and_no_execution() -> None:
    play = stage()
    assert asked(play) == {TARGET.key: {"verdict": "healthy"}}
    inside = sorted(read for read in play.world.reads if read.startswith("cluster."))
    assert inside == ["cluster.pods", "cluster.service_account", "cluster.workload"]
    assert (play.world.writes, play.notifier.sent, play.remediator.executions) == ([], [], {})
    assert play.incidents.rows[TARGET.key].free.known_good_at == play.world.now


def test_ten_thousand_events_on_a_healthy_cluster_cost_a_few_checks() -> None:
    play = stage()
    happened = events.announcement("check-requested", play.world.now)
    play.world.sleep(2)
    for _ in range(10_000):
        run(happened, play.ports)
    assert play.world.reads.count("cluster.pods") == 1


def test_ten_thousand_events_of_one_fault_open_one_incident_and_none_is_lost() -> None:
    play = stage(annotation=None)
    for _ in range(10_000):
        asked(play)
    found = play.incidents.get(TARGET)
    assert found
    assert found.signals == 10_000
    assert len(play.remediator.executions) == 1
    assert play.world.reads.count("cluster.pods") == 1


@pytest.mark.parametrize(
    ("seconds", "looks"), [(0, 2), (0.999, 2), (1, 1)], ids=["in the same second", "almost a second", "a second later"]
)
def test_a_check_answers_only_what_certainly_happened_before_it(seconds: float, looks: int) -> None:
    play = stage()
    event = events.announcement("check-requested", play.world.now)
    play.world.sleep(seconds)
    run(event, play.ports)
    run(event, play.ports)
    assert play.world.reads.count("cluster.pods") == looks


def test_an_event_that_happened_after_the_last_check_is_looked_into() -> None:
    play = stage()
    asked(play)
    play.world.sleep(5)
    play.world.set_annotation(play.world.cluster, KEY, None, "helm")
    assert asked(play)[TARGET.key]["verdict"] == "annotation-wiped"


class RemembersParameters(FakeParameters):
    """What a warm process read first."""

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        self.first = getattr(self, "first", None) or super().load(cluster)
        return self.first


@pytest.mark.parametrize("name", ["parameter-binding-created", "check-requested-by-person", "person-one-service-account"])
def test_whoever_has_just_changed_a_parameter_is_not_answered_from_memory(name: str) -> None:
    play = stage()
    policy_sources = replace(play.ports.readers, parameters=RemembersParameters(play.world))
    ports = replace(play.ports, readers=policy_sources, fresh=play.ports.readers)
    run(events.announcement("sweep", play.world.now), ports)
    play.world.parameters[binding_path(CLUSTER, *KEY)] = Parameter(value="arn:aws:iam::111122223333:role/gone")
    event = json.loads(json.dumps(recorded(name)).replace("prod-blue", CLUSTER))
    assert run(event, ports)[TARGET.key]["verdict"] == "binding-invalid"


def test_a_check_that_may_have_remembered_parameters_does_not_answer_their_change() -> None:
    play = stage()
    event = json.loads(json.dumps(recorded("parameter-binding-created")).replace("prod-blue", CLUSTER))
    event["time"] = play.world.now.isoformat()
    play.world.sleep(5)
    asked(play)
    assert run(event, play.ports) == {TARGET.key: {"verdict": "healthy"}}
    assert play.world.reads.count("cluster.pods") == 2


def test_what_asks_for_nothing_is_ignored_with_a_reason() -> None:
    play = stage()
    event = {**events.check_requested(play.world.now), "detail-type": "Something Else"}
    assert "ignored" in run(event, play.ports)
    assert play.world.reads == []


def test_what_is_malformed_is_raised_so_that_it_lands_in_the_dead_letter_queue() -> None:
    play = stage()
    event = events.check_requested(play.world.now)
    event["detail"]["cluster"] = "../demo"
    with pytest.raises(MalformedEvent):
        run(event, play.ports)


def test_a_cluster_that_only_an_event_names_and_that_is_not_there_opens_no_incident() -> None:
    play = stage()
    event = events.check_requested(play.world.now)
    event["detail"]["cluster"] = "made-up"
    play.world.fail("eks.associations", NotFound("no cluster made-up"), times=1)
    assert "ignored" in run(event, play.ports)["made-up/kube-system/aws-node"]
    assert play.incidents.get(ServiceAccountRef("made-up", *KEY)) is None
