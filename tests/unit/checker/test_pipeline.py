"""From an event to an incident, or to nothing: signals, answers, fan-out, claims, and executions that are gone."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.checker.pipeline import run
from lambdas.contract import metrics
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.timeouts import CHECKER_TIMEOUT_S
from lambdas.domain.errors import MalformedEvent, NotFound, TransientError
from lambdas.domain.incident import Signal
from lambdas.domain.ports import Parameter
from sandbox.play import scenario as told
from tests.events import event as recorded
from tests.fakes import FakeParameters
from tests.over_fakes import events
from tests.over_fakes.ground import BOUND_ROLE, CLUSTER, ground_of
from tests.over_fakes.performance import Performance

KEY = ("kube-system", "aws-node")
TARGET = ServiceAccountRef(CLUSTER, *KEY)
SWEEP = {"source": "eks-irsa-remediator", "detail-type": "Sweep", "detail": {}}


def stage(**world: Any) -> Performance:
    return Performance(ground_of(told.World(**{"nodes": 3, **world})))


def asked(play: Performance, name: str = "check-requested") -> dict[str, Any]:
    event = events.announcement(name, play.world.now)
    assert event
    return run(event, play.ports)


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
    remembering = replace(play.ports.readers, parameters=RemembersParameters(play.world))
    ports = replace(play.ports, readers=remembering, fresh=play.ports.readers)
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


# --- fan-out -----------------------------------------------------------------------------------------------------------------------------


def test_a_sweep_asks_for_one_check_of_each_bound_cluster() -> None:
    play = stage()
    play.world.parameters[binding_path("green", "shop", "uploader")] = Parameter(value=BOUND_ROLE)
    assert run(SWEEP, play.ports)["asked"] == ["demo", "green"]
    assert [detail["cluster"] for _, detail in play.bus.sent] == ["demo", "green"]
    assert {detail["trigger"] for _, detail in play.bus.sent} == {"sweep"}
    assert [name for name, _, _ in play.metrics.counted] == [metrics.SWEEPS.name]


def swept(play: Performance) -> dict[str, Any]:
    """The check that a sweep asks for now."""
    told = events.check_requested(play.world.now)
    return {**told, "detail": {**told["detail"], "trigger": "sweep"}}


def test_a_sweep_writes_that_all_is_well_only_now_and_then() -> None:
    play = stage()
    written = []
    for _ in range(13):
        run(swept(play), play.ports)
        written.append(play.incidents.rows[TARGET.key].free.known_good_at)
        play.world.sleep(300)
    assert len(set(written)) == 3
    assert play.world.reads.count("cluster.pods") == 13
    assert play.metrics.counted == []
    asked(play)
    assert play.incidents.rows[TARGET.key].free.known_good_at == play.world.now


def test_a_storm_of_sweeps_is_answered_as_any_other() -> None:
    play = stage()
    asked(play)
    play.world.sleep(300)
    event, ports = swept(play), play.ports
    play.world.sleep(2)
    for _ in range(1000):
        run(event, ports)
    assert play.world.reads.count("cluster.pods") == 3


def test_a_default_binding_makes_the_sweep_ask_for_every_cluster_there_is() -> None:
    play = stage(binding=None)
    play.world.parameters[binding_path("_default", *KEY)] = Parameter(value=BOUND_ROLE)
    play.world.clusters["blue"] = play.world.cluster
    assert run(SWEEP, play.ports) == {"asked": ["blue", "demo"], "unbound": [], "gone": []}


def test_clusters_of_another_stack_are_left_to_it() -> None:
    play = stage(annotation=None)
    ports = replace(play.ports, environment=replace(play.ports.environment, clusters="blue,green"))
    event = events.check_requested(play.world.now)
    assert run(event, ports) == {"ignored": "another stack's cluster"}
    assert run(SWEEP, ports) == {"asked": [], "unbound": [], "gone": []}
    assert play.incidents.rows == {}


def test_a_sweep_tells_which_clusters_nobody_bound_and_what_to_write() -> None:
    play = stage()
    play.world.clusters["blue"] = play.world.clusters["amber"] = play.world.cluster
    assert run(SWEEP, play.ports) == {"asked": ["demo"], "unbound": ["amber", "blue"], "gone": []}
    assert (metrics.UNBOUND.name, 2, {}) in play.metrics.counted
    (line, said), *_ = [(line, said) for _, line, said in play.log.lines if "no binding" in line]
    assert line.startswith("2 clusters have no binding")
    assert binding_path("<cluster>", *KEY) in line
    assert said["clusters"] == ["amber", "blue"]


def test_a_sweep_goes_on_where_clusters_cannot_be_listed_and_makes_up_nothing() -> None:
    play = stage()
    play.world.fail("eks.clusters", TransientError("throttled"), times=1)
    assert run(SWEEP, play.ports) == {"asked": ["demo"], "unbound": [], "gone": []}
    assert metrics.SWEEPS.name in {name for name, _, _ in play.metrics.counted}


def test_where_a_default_binding_is_for_clusters_that_cannot_be_listed_the_sweep_is_delivered_again() -> None:
    play = stage()
    play.world.parameters[binding_path("_default", *KEY)] = Parameter(value=BOUND_ROLE)
    play.world.fail("eks.clusters", TransientError("throttled"), times=1)
    with pytest.raises(TransientError):
        run(SWEEP, play.ports)


def test_a_binding_whose_cluster_is_gone_is_reported_once_until_somebody_writes_it_again() -> None:
    play = stage()
    path = binding_path("gone", *KEY)
    play.world.parameters[path] = Parameter(value=BOUND_ROLE, changed_at=play.world.now)

    def reported_after(sweeps: int) -> int:
        for _ in range(sweeps):
            play.world.sleep(300)
            play.deliver(SWEEP)
        return len([it for it in play.incidents.closed if it.target.cluster == "gone"])

    assert reported_after(1) == 1
    assert reported_after(12) == 1
    assert any("1 bound cluster is not there" in line for _, line, _ in play.log.lines)
    play.world.parameters[path] = Parameter(value=BOUND_ROLE, version=2, changed_at=play.world.now)
    assert reported_after(12) == 2
    assert len(play.notifier.sent) <= 2
    assert play.incidents.get(ServiceAccountRef("gone", *KEY)) is None
    assert {detail["cluster"] for kind, detail in play.bus.sent if kind == "Remediation Needs You"} == {"gone"}


def test_what_a_sweep_found_is_counted_as_found_by_it() -> None:
    play = stage(annotation=None)
    play.deliver(SWEEP)
    assert (metrics.DRIFT.name, 1, {"trigger": "sweep"}) in play.metrics.counted


def test_every_bound_service_account_of_the_cluster_is_looked_at_though_one_fails() -> None:
    play = stage(annotation=None)
    play.world.parameters[binding_path(CLUSTER, "a", "first")] = Parameter(value=BOUND_ROLE)
    play.world.fail("eks.associations", TransientError("throttled"), times=1)
    with pytest.raises(TransientError, match="throttled"):
        asked(play)
    assert play.incidents.get(TARGET)


def test_a_storm_on_every_service_account_of_a_cluster_is_handed_over_before_the_functions_time_is_up() -> None:
    play = stage()
    others = [ServiceAccountRef(CLUSTER, "a", name) for name in ("first", "second", "third")]
    for it in others:
        play.world.parameters[binding_path(it.cluster, it.namespace, it.name)] = Parameter(value=BOUND_ROLE)

    def more_come(title: str, _words: str, **fields: Any) -> None:
        if title == "diagnosis":
            signal = Signal(occurred_at=play.world.now, check="another", at=play.world.now)
            play.incidents.signal(ServiceAccountRef.from_key(fields["target"]), signal)

    began = play.world.now
    done = run(events.check_requested(began), replace(play.ports, log=more_come))
    assert done == {it.key: {"handed_over": it.key} for it in (*others, TARGET)}
    assert play.world.now - began < timedelta(seconds=CHECKER_TIMEOUT_S * 5 / 6)


def test_without_any_binding_aws_node_is_looked_at_and_nothing_more() -> None:
    play = stage(binding=None)
    assert asked(play) == {TARGET.key: {"verdict": "healthy"}}


@pytest.mark.parametrize(
    ("call", "namespace", "bound"),
    [
        ("call-create-association", "kube-system", True),
        ("call-create-association", "shop", False),
        ("call-delete-association", "shop", False),
    ],
)
def test_a_pod_identity_call_matters_for_what_is_bound_and_asks_aws_nothing_about_the_rest(call: str, namespace: str, bound: bool) -> None:
    play = stage()
    event = json.loads(json.dumps(recorded(call)).replace("kube-system", namespace).replace("prod-blue", CLUSTER))
    play.world.parameters[binding_path(CLUSTER, "kube-system", "aws-node")] = Parameter(value=BOUND_ROLE)
    answer = run(event, play.ports)
    assert (answer == {TARGET.key: {"verdict": "healthy"}}) is bound
    if not bound:
        assert answer == {"ignored": "a ServiceAccount that is not bound"}
        assert set(play.world.reads) == {"parameters.load"}
        assert (play.bus.sent, play.metrics.counted, play.incidents.rows) == ([], [], {})


@pytest.mark.parametrize("bound", [True, False])
def test_a_call_about_another_add_on_matters_where_its_service_account_is_bound(bound: bool) -> None:
    play = stage()
    event = events.update_addon(play.world.now, version="v1.30.0-eksbuild.1", role=None)
    event["detail"]["requestParameters"]["addonName"] = "aws-ebs-csi-driver"
    about = ServiceAccountRef(CLUSTER, "kube-system", "ebs-csi-controller-sa")
    if bound:
        play.world.parameters[binding_path(CLUSTER, about.namespace, about.name)] = Parameter(value=BOUND_ROLE)
    answer = run(event, play.ports)
    assert (about.key in answer) is bound
    assert ("eks.cluster" in play.world.reads) is bound


def test_a_call_about_the_plug_in_is_looked_into_where_nobody_bound_it_too() -> None:
    play = stage(binding=None)
    assert run(events.update_addon(play.world.now, version="v1.15.1-eksbuild.1", role=None), play.ports) == {
        TARGET.key: {"verdict": "healthy"}
    }


# --- nodes -------------------------------------------------------------------------------------------------------------------------------

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
    assert run(said, play.ports)[TARGET.key]["verdict"] == "nodes-unwell-otherwise"


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
    assert asked(play)[TARGET.key]["verdict"] == "nodes-unwell-otherwise"


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
    assert asked(play, "alarm")[TARGET.key]["verdict"] == "nodes-unwell-otherwise"
    assert TARGET.key not in asked(play)


# --- claims and executions ---------------------------------------------------------------------------------------------------------------


def test_a_checker_that_dies_between_claim_and_start_is_made_good_by_the_next_signal() -> None:
    play = stage(annotation=None)
    play.world.fail("remediator.start", TransientError("throttled"), times=1)
    with pytest.raises(TransientError):
        asked(play)
    claimed = play.incidents.get(TARGET)
    assert claimed
    assert not claimed.started
    asked(play)
    assert [arn.split("/")[-2] for arn in play.remediator.executions] == [claimed.id]


def test_a_start_whose_answer_is_lost_starts_one_execution() -> None:
    play = stage(annotation=None)
    play.world.fail("remediator.start", TransientError("reset"), times=1, after=True)
    with pytest.raises(TransientError):
        asked(play)
    asked(play)
    assert len(play.remediator.executions) == 1


@pytest.mark.parametrize(("event", "taken"), [("sweep", True), ("check-requested", True), ("addon-event", False)])
def test_an_incident_whose_execution_has_ended_is_taken_over_by_the_sweep_or_a_person(event: str, taken: bool) -> None:
    play = stage(annotation=None)
    asked(play)
    first = play.incidents.get(TARGET)
    assert first
    play.remediator.executions = dict.fromkeys(play.remediator.executions, "FAILED")
    announced = events.announcement(event, play.world.now)
    assert announced
    if event == "sweep":
        run(announced, play.ports)
        announced = events.own(play.bus.sent[-1][0], play.bus.sent[-1][1], play.world.now)
    run(announced, play.ports)
    now = play.incidents.get(TARGET)
    assert now
    assert (now.id != first.id) is taken
    assert len(play.remediator.executions) == (2 if taken else 1)
    assert now.signals >= 2


def test_an_execution_that_still_runs_is_left_alone() -> None:
    play = stage(annotation=None)
    asked(play)
    first = play.incidents.get(TARGET)
    asked(play)
    now = play.incidents.get(TARGET)
    assert first
    assert now
    assert (now.id, now.signals) == (first.id, 2)


@pytest.mark.parametrize(
    ("silent_for", "taken"), [(timedelta(minutes=6), False), (timedelta(minutes=6, seconds=1), True)], ids=["beats", "silent"]
)
def test_a_persons_incident_is_theirs_while_they_give_a_sign_of_life(silent_for: timedelta, taken: bool) -> None:
    play = stage(annotation=None)
    asked(play)
    row = play.incidents.rows[TARGET.key]
    assert row.incident
    row.incident = replace(row.incident, holder="arn:aws:iam::111122223333:user/dana", started=False, beat_at=play.world.now - silent_for)
    first = row.incident.id
    asked(play)
    now = play.incidents.get(TARGET)
    assert now
    assert (now.id != first) is taken


# --- what is no event of ours ------------------------------------------------------------------------------------------------------------


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
