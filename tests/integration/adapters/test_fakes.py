"""The fakes have the effects of the real systems."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

import cli.clients.ports
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain import ports
from lambdas.domain.errors import Busy, Conflict, TransientError
from lambdas.domain.snapshot.snapshot import AddonFacts, Association, Missing, ServiceAccountFacts
from tests import fakes
from tests.fakes import FakeCluster, FakeClusters, FakeEks
from tests.unit.cli import fake_dependencies
from tests.world import NAME, NAMESPACE, World, described, role_arn

if TYPE_CHECKING:
    from collections.abc import Callable

BOUND = role_arn("demo-vpc-cni")
BROKEN = {"annotation": None, "pods": {"role": None}, "cluster": {"nodes": 4, "not_ready": 1}}


FAKES = {
    ports.ParametersPort: fakes.FakeParameters,
    ports.EksPort: fakes.FakeEks,
    ports.IamPort: fakes.FakeIam,
    ports.ClusterPort: fakes.FakeCluster,
    ports.ClustersPort: fakes.FakeClusters,
    ports.IncidentsPort: fakes.FakeIncidents,
    ports.RemediatorPort: fakes.FakeRemediator,
    ports.EventsPort: fakes.FakeEvents,
    ports.NotifierPort: fakes.FakeNotifier,
    ports.CalendarPort: fakes.FakeCalendar,
    ports.MetricsPort: fakes.FakeMetrics,
    cli.clients.ports.ParameterWriter: fake_dependencies.FakeParameterWriter,
    cli.clients.ports.IncidentList: fake_dependencies.FakeIncidentList,
    cli.clients.ports.ApprovalCallbacks: fake_dependencies.FakeApprovalCallbacks,
    cli.clients.ports.ClusterAccess: fake_dependencies.FakeClusterAccess,
    cli.clients.ports.RolePolicies: fake_dependencies.FakeRolePolicies,
    cli.clients.ports.TriggerSources: fake_dependencies.FakeTriggerSources,
    cli.clients.ports.EventPatternTester: fake_dependencies.FakePatternTester,
    cli.clients.ports.MigrationWriter: fake_dependencies.FakeMigrationWriter,
}
"""Each port with its fake. mypy checks adapters alone."""


@pytest.mark.parametrize(("port", "fake"), FAKES.items(), ids=[item.__name__ for item in FAKES])
def test_a_fake_has_the_signature_of_its_port(port: type, fake: type) -> None:
    methods = [name for name in vars(port) if name == "__call__" or not name.startswith("_")]
    assert methods
    for name in methods:
        assert signature_of(getattr(fake, name)) == signature_of(getattr(port, name)), name


def signature_of(method: Callable[..., object]) -> list[tuple[Any, Any]]:
    """Kind and default of each parameter of a method."""
    return [(parameter.kind, parameter.default) for parameter in inspect.signature(method).parameters.values()]


def inside(world: World) -> FakeCluster:
    return FakeClusters(world).login(world.clusters["demo"].facts)


def annotate(cluster: FakeCluster, role: str | None) -> None:
    seen = cluster.service_account(NAMESPACE, NAME)
    assert isinstance(seen, ServiceAccountFacts)
    cluster.apply_annotation(NAMESPACE, NAME, role, seen.resource_version)


def test_a_world_is_healthy_by_default() -> None:
    world = described()
    cluster = inside(world)
    assert cluster.here.annotations == {"kube-system/aws-node": BOUND}
    assert set(cluster.here.pod_roles) == {BOUND}
    assert len(cluster.pods(NAMESPACE, NAME)) == len(cluster.nodes()) == 12
    assert world.writes == []


def test_annotating_changes_the_version_and_an_old_version_conflicts() -> None:
    world = described(BROKEN)
    cluster = inside(world)
    annotate(cluster, BOUND)
    assert cluster.here.annotations == {"kube-system/aws-node": BOUND}
    with pytest.raises(Conflict):
        cluster.restore_annotation(NAMESPACE, NAME, None, "1")
    assert world.writes == [f"annotate kube-system/aws-node {BOUND}"]


def test_pods_keep_their_role_until_they_are_replaced() -> None:
    world = described(BROKEN)
    cluster = inside(world)
    annotate(cluster, BOUND)
    assert set(cluster.here.pod_roles) == {None}
    cluster.restart(NAMESPACE, WorkloadKind.DAEMON_SET, NAME, "now")
    assert set(cluster.here.pod_roles) == {BOUND}
    assert all(node.ready for node in cluster.nodes())
    cluster.restart(NAMESPACE, WorkloadKind.DAEMON_SET, NAME, "now")
    assert [write.partition(" ")[0] for write in world.writes] == ["annotate", "restart"]


def test_a_rollout_takes_as_many_reads_as_its_pace_requires() -> None:
    world = described({**BROKEN, "annotation": BOUND, "cluster": {"nodes": 5, "pace": 2}})
    cluster = inside(world)
    cluster.restart(NAMESPACE, WorkloadKind.DAEMON_SET, NAME, "now")
    seen = cluster.workload(NAMESPACE, WorkloadKind.DAEMON_SET, NAME)
    assert not isinstance(seen, Missing)
    assert not seen.is_rolled_out
    right = [sum(pod.role_arn == BOUND for pod in cluster.pods(NAMESPACE, NAME)) for _ in range(3)]
    assert right == [2, 4, 5]


def test_a_deleted_pod_has_a_successor_on_its_node_and_only_its_uid_deletes_it() -> None:
    world = described(BROKEN)
    cluster = inside(world)
    annotate(cluster, BOUND)
    first = cluster.pods(NAMESPACE, NAME)[0]
    assert cluster.delete_pod(NAMESPACE, first.name, "another") is False
    assert cluster.delete_pod(NAMESPACE, first.name, first.uid) is True
    assert cluster.delete_pod(NAMESPACE, first.name, first.uid) is False
    (successor,) = [pod for pod in cluster.pods(NAMESPACE, NAME) if pod.node == first.node]
    assert (successor.role_arn, successor.uid != first.uid) == (BOUND, True)


def test_the_webhook_can_lag_or_miss_a_pod_and_prefers_an_association() -> None:
    world = described({**BROKEN, "cluster": {"nodes": 4, "webhook_lag_s": 10, "webhook_misses": 1}})
    cluster = inside(world)
    annotate(cluster, BOUND)

    def replaced() -> tuple[str | None, bool]:
        pod = cluster.pods(NAMESPACE, NAME)[0]
        cluster.delete_pod(NAMESPACE, pod.name, pod.uid)
        new = next(item for item in cluster.pods(NAMESPACE, NAME) if item.node == pod.node)
        return new.role_arn, new.container_credentials

    assert replaced() == (None, False)  # missed
    assert replaced() == (None, False)  # too early
    world.sleep(10)
    assert replaced() == (BOUND, False)
    cluster.here.associations[NAMESPACE, NAME] = (Association(id="a", role_arn=BOUND),)
    assert replaced() == (None, True)


def test_a_role_without_permissions_makes_replacement_pods_crash() -> None:
    world = described({**BROKEN, "cluster": {"nodes": 2, "not_ready": 1, "working_roles": frozenset({"another"})}})
    cluster = inside(world)
    annotate(cluster, BOUND)
    cluster.restart(NAMESPACE, WorkloadKind.DAEMON_SET, NAME, "now")
    assert [(pod.ready, pod.waiting) for pod in cluster.pods(NAMESPACE, NAME)] == [(False, "CrashLoopBackOff")] * 2
    assert [node.ready for node in cluster.nodes()] == [True, False]


def test_an_add_on_update_takes_some_reads_and_sets_the_annotation() -> None:
    world = described({**BROKEN, "addon": {"role_arn": None}, "cluster": {"update_reads": 2}})
    eks = FakeEks(world)
    first = eks.set_addon_role("demo", "vpc-cni", BOUND, "t1")
    assert eks.set_addon_role("demo", "vpc-cni", BOUND, "t1") == first
    with pytest.raises(Busy):
        eks.set_addon_role("demo", "vpc-cni", BOUND, "t2")
    reads = [eks.addon("demo", "vpc-cni") for _ in range(3)]
    assert [addon.status for addon in reads if isinstance(addon, AddonFacts)] == ["UPDATING", "UPDATING", "ACTIVE"]
    assert world.clusters["demo"].annotations == {"kube-system/aws-node": BOUND}
    assert eks.updates == [("demo", "vpc-cni", BOUND, "t1")]


def test_faults_occur_as_often_as_configured_before_or_after_the_effect() -> None:
    world = described(BROKEN)
    cluster = inside(world)
    world.fail("cluster.apply_annotation", TransientError("before"))
    world.fail("cluster.apply_annotation", TransientError("after"), after=True)
    for _ in range(2):
        with pytest.raises(TransientError):
            annotate(cluster, BOUND)
    annotate(cluster, BOUND)
    assert cluster.here.annotations == {"kube-system/aws-node": BOUND}
    assert len(world.writes) == 1


def test_an_object_described_as_none_does_not_exist() -> None:
    world = described({"binding": None, "role": None, "oidc_provider": None, "addon": None, "workload": None, "service_account": None})
    assert (world.parameters, world.roles, world.providers, world.clusters["demo"].addons) == ({}, {}, {}, {})
    assert isinstance(inside(world).service_account(NAMESPACE, NAME), Missing)
    assert isinstance(inside(world).workload(NAMESPACE, WorkloadKind.DAEMON_SET, NAME), Missing)
    assert isinstance(FakeEks(world).cluster("other"), Missing)
