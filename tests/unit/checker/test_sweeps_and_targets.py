"""Sweeps over all clusters, and the ServiceAccounts that one event concerns."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.application.check.pipeline import run, signal_of
from lambdas.application.check.results import CheckHandedOver, ChecksRequested, ClusterChecked, EventIgnored, SignalAlreadyAnswered
from lambdas.contract import metrics
from lambdas.contract.events import SWEEP_RATE_MINUTES
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.timeouts import CHECKER_TIMEOUT_S
from lambdas.domain.errors import TransientError
from lambdas.domain.incidents.incident import IdleState, Signal
from lambdas.domain.requests.parser import parse
from lambdas.domain.requests.request import CheckRequest
from lambdas.domain.snapshot.bindings import Parameter
from tests.events import event as recorded
from tests.fakes import Row
from tests.over_fakes import events
from tests.over_fakes.scenario_run import ScenarioRun
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER
from tests.unit.checker.simulated_checker import KEY, NO_FAULT_FOUND, SWEEP, TARGET, check, simulate


def test_a_sweep_requests_one_check_of_each_bound_cluster() -> None:
    simulation = simulate()
    simulation.world.parameters[binding_path("green", "shop", "uploader")] = Parameter(value=BOUND_ROLE)
    assert run(SWEEP, simulation.ports) == ChecksRequested(clusters=("demo", "green"), unbound=(), missing=("green",))
    assert [detail["cluster"] for _, detail in simulation.bus.sent] == ["demo", "green"]
    assert {detail["trigger"] for _, detail in simulation.bus.sent} == {"sweep"}
    assert [name for name, _, _ in simulation.metrics.counted] == [metrics.SWEEPS.name]


def gauges(simulation: ScenarioRun) -> tuple[float, ...]:
    """Clusters broken, unknown and sound, and open incidents, as the next sweep logs them. Zeros are logged too."""
    simulation.log.lines.clear()
    run(SWEEP, simulation.ports)
    (fields,) = logged_gauges(simulation)
    return tuple(fields[gauge.field] for gauge in metrics.GAUGES)


def logged_gauges(simulation: ScenarioRun) -> list[dict[str, Any]]:
    return [fields for _, _, fields in simulation.log.lines if metrics.GAUGES[0].field in fields]


def test_each_sweep_logs_the_states_of_the_bound_clusters() -> None:
    simulation = simulate()
    assert gauges(simulation) == (0, 1, 0, 0)  # never checked
    check(simulation)
    assert gauges(simulation) == (0, 0, 1, 0)
    simulation.world.sleep(46 * 60)
    assert gauges(simulation) == (0, 1, 0, 0)  # checked too long ago


def test_a_broken_cluster_is_counted_with_its_incidents() -> None:
    simulation = simulate(annotation=None)
    simulation.world.parameters[binding_path("green", "shop", "uploader")] = Parameter(value=BOUND_ROLE)
    check(simulation)
    assert gauges(simulation) == (1, 1, 0, 1)


def test_states_that_cannot_be_read_leave_a_gap_and_the_sweep_succeeds() -> None:
    simulation = simulate()
    simulation.world.fail("incidents.states", TransientError("read the rows: throttled"), times=None)
    assert run(SWEEP, simulation.ports) == ChecksRequested(clusters=("demo",), unbound=(), missing=())
    assert [name for name, _, _ in simulation.metrics.counted] == [metrics.SWEEPS.name]
    assert logged_gauges(simulation) == []


def sweep_check(simulation: ScenarioRun) -> dict[str, Any]:
    """The check request that a sweep sends now."""
    event = events.check_requested(simulation.world.now)
    return {**event, "detail": {**event["detail"], "trigger": "sweep"}}


def test_sweeps_of_a_healthy_cluster_rewrite_known_good_at_every_thirty_minutes() -> None:
    simulation = simulate()
    written = []
    for _ in range(13):
        run(sweep_check(simulation), simulation.ports)
        written.append(simulation.incidents.rows[TARGET.key].idle.known_good_at)
        simulation.world.sleep(300)
    assert len(set(written)) == 3
    assert simulation.world.reads.count("cluster.pods") == 13
    assert simulation.metrics.counted == []
    check(simulation)
    assert simulation.incidents.rows[TARGET.key].idle.known_good_at == simulation.world.now


def test_the_first_check_of_a_sweep_is_quiet_and_a_repeated_one_is_not() -> None:
    simulation = simulate()
    ports = simulation.ports
    here = ports.environment

    def quiet() -> bool:
        request = parse(sweep_check(simulation), account=here.account, region=here.region, now=simulation.world.now)
        assert isinstance(request, CheckRequest)
        return signal_of(TARGET, request, ports).quiet

    for _ in range(3):
        assert [quiet(), quiet()] == [True, False]
        simulation.world.sleep(SWEEP_RATE_MINUTES * 60)


def test_a_parameter_change_is_answered_for_no_service_account_by_a_former_check() -> None:
    """The event on the bus is one request for the cluster, so each of its ServiceAccounts gets a check that began after it."""
    simulation = simulate()
    changed = events.own(
        "Check Requested", {"schemaVersion": "1", "cluster": CLUSTER, "trigger": "parameter-changed"}, simulation.world.now
    )
    simulation.world.sleep(2)
    targets = [TARGET, ServiceAccountRef(CLUSTER, "kube-system", "ebs-csi-controller-sa")]
    for target in targets:
        simulation.world.parameters[binding_path(*target.key.split("/"))] = Parameter(value=BOUND_ROLE)
        simulation.incidents.rows[target.key] = Row(idle=IdleState(known_good_at=simulation.world.now, nodes_seen_at=simulation.world.now))
    result = run(changed, simulation.ports)
    assert isinstance(result, ClusterChecked)
    assert set(result.service_accounts) == set(targets)
    assert not [found for found in result.service_accounts.values() if isinstance(found, SignalAlreadyAnswered)]


def test_a_storm_of_sweep_checks_costs_a_few_checks() -> None:
    simulation = simulate()
    check(simulation)
    simulation.world.sleep(300)
    event, ports = sweep_check(simulation), simulation.ports
    simulation.world.sleep(2)
    for _ in range(1000):
        run(event, ports)
    assert simulation.world.reads.count("cluster.pods") == 3


def test_with_a_default_binding_a_sweep_checks_every_cluster() -> None:
    simulation = simulate(binding=None)
    simulation.world.parameters[binding_path("_default", *KEY)] = Parameter(value=BOUND_ROLE)
    simulation.world.clusters["blue"] = simulation.world.cluster
    assert run(SWEEP, simulation.ports) == ChecksRequested(clusters=("blue", "demo"), unbound=(), missing=())


def test_clusters_of_another_stack_are_not_checked() -> None:
    simulation = simulate(annotation=None)
    ports = replace(simulation.ports, environment=replace(simulation.ports.environment, clusters="blue,green"))
    event = events.check_requested(simulation.world.now)
    assert run(event, ports) == EventIgnored("the cluster belongs to another stack")
    assert run(SWEEP, ports) == ChecksRequested(clusters=(), unbound=(), missing=())
    assert simulation.incidents.rows == {}


def test_a_sweep_reports_unbound_clusters_and_the_parameter_to_write() -> None:
    simulation = simulate()
    simulation.world.clusters["blue"] = simulation.world.clusters["amber"] = simulation.world.cluster
    assert run(SWEEP, simulation.ports) == ChecksRequested(clusters=("demo",), unbound=("amber", "blue"), missing=())
    assert (metrics.UNBOUND.name, 2, {}) in simulation.metrics.counted
    (line, fields), *_ = [(line, fields) for _, line, fields in simulation.log.lines if "no binding" in line]
    assert line.startswith("2 clusters have no binding")
    assert binding_path("<cluster>", *KEY) in line
    assert fields["clusters"] == ["amber", "blue"]


def test_a_sweep_continues_without_the_list_of_clusters() -> None:
    simulation = simulate()
    simulation.world.fail("eks.clusters", TransientError("throttled"), times=1)
    assert run(SWEEP, simulation.ports) == ChecksRequested(clusters=("demo",), unbound=(), missing=())
    assert metrics.SWEEPS.name in {name for name, _, _ in simulation.metrics.counted}


def test_with_a_default_binding_a_failed_list_of_clusters_raises() -> None:
    simulation = simulate()
    simulation.world.parameters[binding_path("_default", *KEY)] = Parameter(value=BOUND_ROLE)
    simulation.world.fail("eks.clusters", TransientError("throttled"), times=1)
    with pytest.raises(TransientError):
        run(SWEEP, simulation.ports)


def test_a_missing_cluster_is_reported_once_for_each_version_of_its_binding() -> None:
    simulation = simulate()
    path = binding_path("gone", *KEY)
    simulation.world.parameters[path] = Parameter(value=BOUND_ROLE, changed_at=simulation.world.now)

    def reported_after(sweeps: int) -> int:
        for _ in range(sweeps):
            simulation.world.sleep(300)
            simulation.deliver(SWEEP)
        return len([item for item in simulation.incidents.closed if item.target.cluster == "gone"])

    assert reported_after(1) == 1
    assert reported_after(12) == 1
    assert any("1 bound cluster is not there" in line for _, line, _ in simulation.log.lines)
    simulation.world.parameters[path] = Parameter(value=BOUND_ROLE, version=2, changed_at=simulation.world.now)
    assert reported_after(12) == 2
    assert len(simulation.notifier.sent) <= 2
    assert simulation.incidents.get(ServiceAccountRef("gone", *KEY)) is None
    assert {detail["cluster"] for kind, detail in simulation.bus.sent if kind == "Remediation Needs Action"} == {"gone"}


def test_drift_that_a_sweep_finds_is_counted_under_its_trigger() -> None:
    simulation = simulate(annotation=None)
    simulation.deliver(SWEEP)
    assert (metrics.DRIFT.name, 1, {"trigger": "sweep"}) in simulation.metrics.counted


def test_a_failed_target_does_not_stop_the_check_of_the_others() -> None:
    simulation = simulate(annotation=None)
    simulation.world.parameters[binding_path(CLUSTER, "a", "first")] = Parameter(value=BOUND_ROLE)
    simulation.world.fail("eks.associations", TransientError("throttled"), times=1)
    with pytest.raises(TransientError, match="throttled"):
        check(simulation)
    assert simulation.incidents.get(TARGET) is None  # aws-node comes first
    assert ServiceAccountRef(CLUSTER, "a", "first").key in simulation.incidents.rows


def test_a_storm_on_every_service_account_is_handed_over_before_the_time_out_of_the_function() -> None:
    simulation = simulate()
    others = [ServiceAccountRef(CLUSTER, "a", name) for name in ("first", "second", "third")]
    for other in others:
        simulation.world.parameters[binding_path(other.cluster, other.namespace, other.name)] = Parameter(value=BOUND_ROLE)

    def signal_again(title: str, _message: str, **fields: Any) -> None:
        if title == "diagnosis":
            signal = Signal(occurred_at=simulation.world.now, check="another", at=simulation.world.now)
            simulation.incidents.signal(ServiceAccountRef.from_key(fields["target"]), signal)

    began = simulation.world.now
    result = run(events.check_requested(began), replace(simulation.ports, log=signal_again))
    assert result == ClusterChecked({target: CheckHandedOver() for target in (*others, TARGET)})
    assert simulation.world.now - began < timedelta(seconds=CHECKER_TIMEOUT_S * 5 / 6)


def test_without_any_binding_aws_node_alone_is_checked() -> None:
    simulation = simulate(binding=None)
    assert check(simulation) == NO_FAULT_FOUND


@pytest.mark.parametrize(
    ("call", "namespace", "bound"),
    [
        ("call-create-association", "kube-system", True),
        ("call-create-association", "shop", False),
        ("call-delete-association", "shop", False),
    ],
)
def test_a_pod_identity_call_for_an_unbound_service_account_costs_no_aws_call(call: str, namespace: str, bound: bool) -> None:
    simulation = simulate()
    event = json.loads(json.dumps(recorded(call)).replace("kube-system", namespace).replace("prod-blue", CLUSTER))
    simulation.world.parameters[binding_path(CLUSTER, "kube-system", "aws-node")] = Parameter(value=BOUND_ROLE)
    result = run(event, simulation.ports)
    assert (result == NO_FAULT_FOUND) is bound
    if not bound:
        assert result == EventIgnored("the ServiceAccount has no binding")
        assert set(simulation.world.reads) == {"parameters.load"}
        assert (simulation.bus.sent, simulation.metrics.counted, simulation.incidents.rows) == ([], [], {})


@pytest.mark.parametrize("bound", [True, False])
def test_a_call_for_another_add_on_is_checked_if_its_service_account_is_bound(bound: bool) -> None:
    simulation = simulate()
    event = events.update_addon(simulation.world.now, version="v1.30.0-eksbuild.1", role=None)
    event["detail"]["requestParameters"]["addonName"] = "aws-ebs-csi-driver"
    about = ServiceAccountRef(CLUSTER, "kube-system", "ebs-csi-controller-sa")
    if bound:
        simulation.world.parameters[binding_path(CLUSTER, about.namespace, about.name)] = Parameter(value=BOUND_ROLE)
    result = run(event, simulation.ports)
    assert (isinstance(result, ClusterChecked) and about in result.service_accounts) is bound
    assert ("eks.cluster" in simulation.world.reads) is bound


def test_a_call_for_the_vpc_cni_is_checked_without_a_binding() -> None:
    simulation = simulate(binding=None)
    event = events.update_addon(simulation.world.now, version="v1.15.1-eksbuild.1", role=None)
    assert run(event, simulation.ports) == NO_FAULT_FOUND
