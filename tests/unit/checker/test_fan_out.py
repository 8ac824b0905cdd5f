"""One event about many: sweeps over every cluster, ServiceAccounts of one cluster, and calls that matter for what is bound alone."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.application.check.pipeline import run, signal_of
from lambdas.contract import metrics
from lambdas.contract.events import SWEEP_RATE_MINUTES
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.timeouts import CHECKER_TIMEOUT_S
from lambdas.domain.errors import TransientError
from lambdas.domain.incidents.incident import Signal
from lambdas.domain.requests.parser import parse
from lambdas.domain.requests.request import CheckRequest
from lambdas.domain.snapshot.bindings import Parameter
from tests.events import event as recorded
from tests.over_fakes import events
from tests.over_fakes.ground import BOUND_ROLE, CLUSTER
from tests.over_fakes.performance import Performance
from tests.unit.checker.staged import KEY, SWEEP, TARGET, asked, stage


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


def test_every_check_of_the_schedule_is_quiet_and_a_second_one_of_the_same_sweep_is_not() -> None:
    play = stage()
    ports = play.ports
    here = ports.environment

    def quiet() -> bool:
        request = parse(swept(play), account=here.account, region=here.region, now=play.world.now)
        assert isinstance(request, CheckRequest)
        return signal_of(TARGET, request, ports).quiet

    for _ in range(3):
        assert [quiet(), quiet()] == [True, False]
        play.world.sleep(SWEEP_RATE_MINUTES * 60)


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
        return len([item for item in play.incidents.closed if item.target.cluster == "gone"])

    assert reported_after(1) == 1
    assert reported_after(12) == 1
    assert any("1 bound cluster is not there" in line for _, line, _ in play.log.lines)
    play.world.parameters[path] = Parameter(value=BOUND_ROLE, version=2, changed_at=play.world.now)
    assert reported_after(12) == 2
    assert len(play.notifier.sent) <= 2
    assert play.incidents.get(ServiceAccountRef("gone", *KEY)) is None
    assert {detail["cluster"] for kind, detail in play.bus.sent if kind == "Remediation Needs Action"} == {"gone"}


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
    for other in others:
        play.world.parameters[binding_path(other.cluster, other.namespace, other.name)] = Parameter(value=BOUND_ROLE)

    def more_come(title: str, _words: str, **fields: Any) -> None:
        if title == "diagnosis":
            signal = Signal(occurred_at=play.world.now, check="another", at=play.world.now)
            play.incidents.signal(ServiceAccountRef.from_key(fields["target"]), signal)

    began = play.world.now
    done = run(events.check_requested(began), replace(play.ports, log=more_come))
    assert done == {item.key: {"handed_over": item.key} for item in (*others, TARGET)}
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
