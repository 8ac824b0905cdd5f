"""Which facts are read, when, and the result of a failed read."""

from dataclasses import replace
from typing import Any

import pytest

from lambdas.application.assessment import PolicySources, assess
from lambdas.application.readers import Hints, Readers
from lambdas.application.snapshot_collection import add_advice, add_symptoms, collect_snapshot
from lambdas.application.snapshot_diagnosis import collect_and_diagnose
from lambdas.contract.names import POD_IDENTITY_AGENT_ADDON
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import AccessDenied, Denial, NotFound, PermanentError, TransientError
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    AddonFacts,
    AgentFacts,
    ComputeType,
    Missing,
    NodeRepair,
    Snapshot,
    SupportDates,
    Unknown,
    VersionAdvice,
    WorkloadFacts,
)
from tests import fakes
from tests.world import NAME, NAMESPACE, NOON, Pod, World, a_node, described, role_arn

TARGET = ServiceAccountRef("demo", NAMESPACE, NAME)
SHOP = ServiceAccountRef("demo", "shop", "uploader")


def readers(world: World, **changes: Any) -> Readers:
    return fakes.readers_over(world, **changes)


def snapshot_with(world: World, target: ServiceAccountRef = TARGET, **changes: Any) -> Snapshot:
    return collect_snapshot(target, readers(world, **changes), world.now)


QUICK = [
    "cluster.guards",
    "cluster.pods",
    "cluster.service_account",
    "cluster.workload",
    "clusters.login",
    "clusters.login",
    "eks.addon",
    "eks.associations",
    "eks.cluster",
    "iam.oidc_provider",
    "iam.role",
    "iam.simulate",
    "parameters.load",
]
"""What a healthy check reads: three requests to the cluster, plus pages, and two for guard and warning."""
SYMPTOMS = ["cluster.nodes", "cluster.plugin_errors"]


def test_a_healthy_check_reads_the_guards_last_and_no_symptoms() -> None:
    world = described()
    _, found = collect_and_diagnose(TARGET, readers(world), world.now, Hints(), symptoms=False, guards=True)
    assert found.is_healthy
    assert sorted(world.reads) == QUICK
    assert world.reads[-1] == "cluster.guards"


@pytest.mark.parametrize(
    ("world", "asked"),
    [
        pytest.param({}, True, id="the trigger names a node"),
        pytest.param({"annotation": None}, False, id="a link is broken"),
        pytest.param({"workload": None}, False, id="there is no workload: do nodes wait for it?"),
        pytest.param({"cluster": {"not_ready": 1}}, False, id="a pod is not ready"),
    ],
)
def test_symptoms_are_read_after_a_hint(world: dict[str, Any], asked: bool) -> None:
    it = described(world)
    snapshot, _ = collect_and_diagnose(TARGET, readers(it), it.now, Hints(), symptoms=asked, guards=True)
    assert set(SYMPTOMS) <= set(it.reads)
    assert snapshot.nodes is not NOT_READ


def test_node_auto_repair_is_read_if_a_node_is_not_ready() -> None:
    calm, sick = described(), described({"cluster": {"not_ready": 1, "repaired_nodegroups": ("blue",)}})
    assert add_advice(add_symptoms(snapshot_with(calm), readers(calm)), readers(calm)).node_repair is NOT_READ
    assert add_advice(add_symptoms(snapshot_with(sick), readers(sick)), readers(sick)).node_repair == NodeRepair(nodegroups=("blue",))
    assert "eks.node_repair" not in calm.reads


def test_history_is_read_only_for_a_broken_link() -> None:
    for world, read_history in ((described(), False), (described({"annotation": None}), True)):
        policy_sources = PolicySources(incidents=fakes.FakeIncidents(world), calendar=fakes.FakeCalendar(world))
        assess(TARGET, readers(world), policy_sources, world.now, Hints())
        assert ("incidents.history" in world.reads) is read_history


# --- what cannot be read -----------------------------------------------------------------------------------------------------------------

DENIED = AccessDenied("read: 403", denial=Denial.FORBIDDEN)


@pytest.mark.parametrize(
    ("method", "part"),
    [
        ("eks.cluster", "cluster"),
        ("eks.addon", "addon"),
        ("eks.associations", "associations"),
        ("iam.role", "role"),
        ("iam.oidc_provider", "oidc_provider"),
        ("cluster.service_account", "service_account"),
        ("cluster.workload", "workload"),
        ("cluster.pods", "pods"),
    ],
)
@pytest.mark.parametrize("error", [DENIED, PermanentError("read: 400")], ids=["denied", "permanent"])
def test_a_part_that_cannot_be_read_is_unknown_and_the_rest_is_read(method: str, part: str, error: PermanentError) -> None:
    world = described()
    world.fail(method, error)
    snapshot = snapshot_with(world)
    assert getattr(snapshot, part) == Unknown(str(error), error.denial if isinstance(error, AccessDenied) else None)
    assert isinstance(snapshot.binding, type(snapshot_with(described()).binding))


@pytest.mark.parametrize("method", ["cluster.nodes", "cluster.plugin_errors"])
def test_a_symptom_that_cannot_be_read_is_unknown(method: str) -> None:
    world = described()
    world.fail(method, DENIED)
    snapshot = add_symptoms(snapshot_with(world), readers(world))
    assert Unknown("read: 403", Denial.FORBIDDEN) in (snapshot.nodes, snapshot.permission_errors)


def test_a_cluster_without_a_usable_endpoint_is_unknown() -> None:
    world, closed = described(), Unknown("log in: its certificate authority is not base64")
    world.fail("clusters.login", PermanentError(closed.reason))
    snapshot = snapshot_with(world)
    assert snapshot.service_account == snapshot.workload == snapshot.pods == closed
    world.fail("clusters.login", PermanentError(closed.reason))
    symptoms = add_symptoms(snapshot, readers(world))
    assert symptoms.nodes == symptoms.permission_errors == closed


@pytest.mark.parametrize(
    "method",
    ["parameters.load", "eks.cluster", "eks.addon", "eks.associations", "cluster.service_account", "cluster.workload", "cluster.pods"],
)
def test_a_transient_error_ends_the_check(method: str) -> None:
    world = described()
    world.fail(method, TransientError("throttled"))
    with pytest.raises(TransientError, match="throttled"):
        snapshot_with(world)
    assert snapshot_with(world).cluster


@pytest.mark.parametrize(("method", "link"), [("iam.role", Link.ROLE), ("iam.oidc_provider", Link.OIDC_PROVIDER)])
def test_unreachable_iam_is_unknown_and_not_retried(method: str, link: Link) -> None:
    world = described()
    world.fail(method, TransientError("connect time-out"), times=None)
    _, found = collect_and_diagnose(TARGET, readers(world), world.now, Hints(), symptoms=False, guards=True)
    assert found[link].state is State.UNKNOWN
    assert found.is_healthy


@pytest.mark.parametrize("error", [TransientError("slow"), DENIED, NotFound("none")], ids=["transient", "denied", "none offered"])
def test_a_failed_read_of_advice_does_not_end_the_check(error: Exception) -> None:
    world = described({"annotation": None})
    world.fail("eks.version_advice", error)
    world.fail("eks.support", error)
    advised = add_advice(snapshot_with(world), readers(world))
    assert isinstance(advised.versions, Unknown)
    assert isinstance(advised.support, Unknown)


def test_a_missing_grant_does_not_prevent_other_advice() -> None:
    world = described()
    world.advised_versions["vpc-cni", "1.28"] = VersionAdvice(default="v1.18.0-eksbuild.1", latest="v1.20.1-eksbuild.1")
    world.fail("eks.support", DENIED)
    advised = add_advice(snapshot_with(world), readers(world))
    assert advised.versions == VersionAdvice(default="v1.18.0-eksbuild.1", latest="v1.20.1-eksbuild.1")
    assert isinstance(advised.support, Unknown)


def test_advice_contains_the_end_of_support() -> None:
    world = described()
    dates = SupportDates(standard_until=world.now, extended_until=None)
    world.supported["1.28"] = dates
    assert add_advice(snapshot_with(world), readers(world)).support == dates


@pytest.mark.parametrize("symptoms", [False, True])
def test_a_healthy_check_reads_no_advice(symptoms: bool) -> None:
    world = described()
    collect_and_diagnose(TARGET, readers(world), world.now, Hints(), symptoms=symptoms, guards=True)
    assert not {"eks.version_advice", "eks.support", "eks.node_repair"} & set(world.reads)


def test_unreadable_node_auto_repair_is_unknown() -> None:
    world = described({"cluster": {"not_ready": 1}})
    world.fail("eks.node_repair", TransientError("slow"))
    assert isinstance(add_advice(add_symptoms(snapshot_with(world), readers(world)), readers(world)).node_repair, Unknown)


@pytest.mark.parametrize("status", ["CREATING", "DELETING", "FAILED"])
def test_a_cluster_that_is_being_created_gets_no_login(status: str) -> None:
    world = described({"cluster": {"status": status}})
    assert isinstance(snapshot_with(world).pods, Unknown)
    assert "clusters.login" not in world.reads


def test_a_deleted_cluster_is_missing() -> None:
    world = described()
    gone = ServiceAccountRef("gone", NAMESPACE, NAME)
    world.fail("eks.associations", AccessDenied("403", denial=Denial.FORBIDDEN))
    _, found = collect_and_diagnose(gone, readers(world), world.now, Hints(), symptoms=True, guards=True)
    assert found.verdict is Verdict.CLUSTER_GONE


# --- whose role --------------------------------------------------------------------------------------------------------------------------


def test_a_role_of_another_account_is_not_read() -> None:
    world = described({"binding": "arn:aws:iam::444455556666:role/shared"})
    snapshot = snapshot_with(world, may_simulate=True)
    assert snapshot.role == Unknown("the role belongs to account 444455556666, whose IAM we cannot read")
    assert isinstance(snapshot.simulated, Unknown)
    assert not {"iam.role", "iam.oidc_provider", "iam.simulate"} & set(world.reads)


def test_the_provider_of_a_foreign_role_is_not_read() -> None:
    world = described({"binding": "arn:aws:iam::444455556666:role/shared", "oidc_provider": None})
    _, found = collect_and_diagnose(TARGET, readers(world), world.now, Hints(), symptoms=False, guards=True)
    assert found[Link.OIDC_PROVIDER].state is State.UNKNOWN
    assert "444455556666" in found[Link.OIDC_PROVIDER].sentence


@pytest.mark.parametrize(("granted", "asked"), [(True, True), (False, False)], ids=["granted", "not granted"])
def test_permissions_are_simulated_only_where_that_is_granted(granted: bool, asked: bool) -> None:
    world = described({"simulated": {"ec2:CreateTags": "implicitDeny"}})
    snapshot = snapshot_with(world, may_simulate=granted)
    assert ("iam.simulate" in world.reads) is asked
    assert isinstance(snapshot.simulated, Unknown) is not asked


def test_without_a_binding_only_the_role_of_the_record_is_read() -> None:
    world = described({"binding": None})
    snapshot = snapshot_with(world)
    assert isinstance(snapshot.binding, Missing)
    assert snapshot.desired_role == role_arn("demo-vpc-cni")


def test_iam_is_not_called_without_a_role() -> None:
    world = described({"binding": None, "addon": {"role_arn": None}})
    assert snapshot_with(world).role is NOT_READ
    assert not {"iam.role", "iam.oidc_provider"} & set(world.reads)


def test_with_pod_identity_the_role_of_the_association_and_the_agent_are_read() -> None:
    associated = role_arn("by-association")
    world = described({"associations": [associated], "binding": None})
    snapshot = snapshot_with(world)
    assert snapshot.role == Missing(f"role {associated}")
    assert snapshot.agent == AgentFacts(addon=Missing("add-on eks-pod-identity-agent of cluster demo"), pods=(), compute_types={})
    assert snapshot.oidc_provider is NOT_READ


@pytest.mark.parametrize(("has_agent", "expected"), [(True, NOT_READ), (False, {"n1": ComputeType.AUTO})], ids=["everywhere", "not on one"])
def test_the_types_of_nodes_are_read_where_a_node_of_the_pods_has_no_agent(has_agent: bool, expected: object) -> None:
    world = described({"associations": [role_arn("demo-vpc-cni")], "cluster": {"nodes": 0}})
    here = world.clusters["demo"]
    here.addons[POD_IDENTITY_AGENT_ADDON] = AddonFacts(name=POD_IDENTITY_AGENT_ADDON, version="v1.3.4", status="ACTIVE", role_arn=None)
    here.without_agent = set() if has_agent else {"n0"}
    for name, compute_type in (("n0", ""), ("n1", "auto")):
        here.nodes[name] = replace(a_node(0, ready=True, since=NOON), name=name, compute_type=compute_type)
    here.pods = {"p": replace(next(iter(described().clusters["demo"].pods.values())))}
    here.pods["p"].facts = replace(here.pods["p"].facts, node="n0")
    found = snapshot_with(world).agent
    assert isinstance(found, AgentFacts)
    assert found.compute_types == expected


def test_an_unreadable_agent_is_unknown() -> None:
    world = described({"associations": [role_arn("by-association")], "addon": None})
    world.fail("eks.addon", NotFound("n"), times=1)  # the record
    world.fail("eks.addon", TransientError("slow"), times=1)
    found = snapshot_with(world).agent
    assert isinstance(found, AgentFacts)
    assert isinstance(found.addon, Unknown)


# --- whose workload ----------------------------------------------------------------------------------------------------------------------


def _shop(world: World, owner: tuple[str, str] | None) -> None:
    here = world.clusters["demo"]
    world.parameters[binding_path("demo", "shop", "uploader")] = Parameter(value=role_arn("demo-vpc-cni"))
    facts = next(iter(here.pods.values())).facts
    here.pods["uploader-1"] = Pod(replace(facts, name="uploader-1", owner=owner), ("shop", "uploader"))


def _deployment(world: World) -> None:
    facts = WorkloadFacts(
        kind=WorkloadKind.DEPLOYMENT, name="uploader", desired=1, updated=1, max_unavailable=1, generation=1, observed_generation=1
    )
    world.clusters["demo"].workloads["shop", WorkloadKind.DEPLOYMENT, "uploader"] = (facts, ("shop", "uploader"))
    world.clusters["demo"].replica_sets["shop", "uploader-abc"] = ("Deployment", "uploader")


@pytest.mark.parametrize("owner", [("ReplicaSet", "uploader-abc"), ("Deployment", "uploader")], ids=["by its replica set", "directly"])
def test_any_other_workload_is_found_through_its_pods(owner: tuple[str, str]) -> None:
    world = described()
    _shop(world, owner)
    _deployment(world)
    found = snapshot_with(world, SHOP).workload
    assert isinstance(found, WorkloadFacts)
    assert (found.kind, found.name) == (WorkloadKind.DEPLOYMENT, "uploader")


@pytest.mark.parametrize("owner", [None, ("Job", "once"), ("ReplicaSet", "gone")], ids=["a bare pod", "a Job", "gone"])
def test_pods_of_an_unsupported_owner_have_no_workload(owner: tuple[str, str] | None) -> None:
    world = described()
    _shop(world, owner)
    assert snapshot_with(world, SHOP).workload == Missing("workload of shop/uploader")


def test_a_service_account_without_pods_has_no_workload() -> None:
    assert snapshot_with(described(), SHOP).workload == Missing("workload of shop/uploader")


@pytest.mark.parametrize("method", ["cluster.pods", "cluster.owner"])
def test_a_workload_without_access_is_unknown(method: str) -> None:
    world = described()
    _shop(world, ("ReplicaSet", "uploader-abc"))
    world.fail(method, DENIED)
    assert snapshot_with(world, SHOP).workload == Unknown("read: 403", Denial.FORBIDDEN)


def test_hints_are_part_of_the_snapshot() -> None:
    snapshot = collect_snapshot(TARGET, readers(described()), NOON, Hints(known_good_at=NOON))
    assert (snapshot.known_good_at, snapshot.began_at, snapshot.actor) == (NOON, NOON, None)


def test_a_denied_simulation_names_the_missing_grant() -> None:
    world = described()
    world.fail(
        "iam.simulate", AccessDenied("simulate the permissions of a role: AccessDenied User is not authorized", denial=Denial.FORBIDDEN)
    )
    assert snapshot_with(world, may_simulate=True).simulated == Unknown(
        "not simulated: iam:SimulatePrincipalPolicy is not granted", Denial.FORBIDDEN
    )
