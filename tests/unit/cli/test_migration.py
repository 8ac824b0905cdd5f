"""A migration between the mechanisms: killed at every write, it resumes or goes back, and no new pod is ever without credentials."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cli.errors import CommandError
from cli.interactive.migration import POLL_S, MigrationRun
from cli.queries.migration import StepKind, next_deletions, plan_migration, read_migration, retired_trust
from lambdas.contract.names import POD_IDENTITY_AGENT_ADDON, ROLE_ANNOTATION
from lambdas.contract.parameters import Mechanism, ServiceAccountRef, binding_path
from lambdas.domain.diagnosis.identity_chain import diagnose
from lambdas.domain.diagnosis.pod_credentials import CredentialSource, credential_source
from lambdas.domain.errors import TransientError
from lambdas.domain.snapshot.bindings import parse_binding_value
from lambdas.domain.snapshot.snapshot import AddonFacts, Association, Binding, ComputeType, PodFacts, RoleFacts, Snapshot, Unknown
from tests.unit.cli.fake_dependencies import Fakes, fake_dependencies
from tests.unit.domain.snapshot_fixtures import snapshot_with
from tests.unit.notifications.snapshots import NO_AGENT, POD_IDENTITY_TRUST, ROLE, agent, trust
from tests.world import NAME, NAMESPACE, World, described, right_trust, role_arn

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET, KEY = ServiceAccountRef("demo", NAMESPACE, NAME), (NAMESPACE, NAME)
BOUND, OTHER = role_arn("demo-vpc-cni"), role_arn("other")
PATH = binding_path("demo", NAMESPACE, NAME)
NODES = 4
WRITES = (
    "parameters.put",
    "eks.create_association",
    "eks.set_addon_role",
    "eks.set_addon_associations",
    "cluster.apply_annotation",
    "cluster.restore_annotation",
    "cluster.delete_pod",
    "migration.delete_association",
    "migration.remove_addon_role",
)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class KillingWorld(World):
    """A world that kills the process at one of its writes: before it, after its effect, or at the next call of any port.

    `problems` are moments at which a new pod would get no credentials.
    """

    kill_at: int = -1
    phase: str = "before"
    passed: int = 0
    is_armed: bool = False
    problems: list[str] = field(default_factory=list)

    def raise_fault(self, method: str, *, after: bool = False) -> None:
        super().raise_fault(method, after=after)
        self.problems += self.without_credentials(method)
        if self.is_armed:
            self.is_armed = False
            raise Killed(method)
        if method not in WRITES:
            return
        if not after:
            self.passed += 1
        if self.passed != self.kill_at:
            return
        if self.phase == "at the next call" and after:
            self.is_armed = True
        elif (self.phase == "after its effect") is after and self.phase != "at the next call":
            raise Killed(method)

    def without_credentials(self, moment: str) -> Iterator[str]:
        """Nodes on which a pod that starts now would get no credentials."""
        cluster = self.clusters["demo"]
        association = next(iter(cluster.associations.get(KEY, ())), None)
        if association is None:
            if cluster.accounts[KEY].role_annotations.get(ROLE_ANNOTATION) != BOUND or not self.providers:
                yield f"{moment}: neither an association nor the annotation"
        else:
            yield from (f"{moment}: no agent on {node}" for node in cluster.nodes if not cluster.has_agent(node))


def migrating(*, by_association: bool = False, **changes: Any) -> tuple[KillingWorld, Fakes]:
    """A cluster that uses IRSA, or Pod Identity, with all that both need."""
    made = described({"cluster": {"nodes": NODES}, **changes})
    world = KillingWorld(**vars(made))
    cluster = world.clusters["demo"]
    cluster.addons[POD_IDENTITY_AGENT_ADDON] = AddonFacts(name=POD_IDENTITY_AGENT_ADDON, version="v1.3.4", status="ACTIVE", role_arn=None)
    both = [*right_trust(cluster.facts.issuer or "")["Statement"], *POD_IDENTITY_TRUST["Statement"]]
    world.roles[BOUND] = RoleFacts(arn=BOUND, trust={"Version": "2012-10-17", "Statement": both})
    fakes = fake_dependencies(world)
    if by_association:
        run(fakes, Mechanism.POD_IDENTITY)
        world.writes.clear()
        world.passed = 0
    return world, fakes


def run(fakes: Fakes, to: Mechanism) -> MigrationRun:
    made = MigrationRun(TARGET, to, fakes.dependencies, report=lambda *_: None, renew=lambda: None)
    made.run()
    return made


def ends_with(world: World, to: Mechanism) -> None:
    """Everything is as the mechanism wants it, and nothing of the other one is left."""
    cluster = world.clusters["demo"]
    pods = [pod.facts for pod in cluster.pods.values()]
    association, is_associated = next(iter(cluster.associations.get(KEY, ())), None), to is Mechanism.POD_IDENTITY
    source = CredentialSource.ASSOCIATION if is_associated else CredentialSource.WEB_IDENTITY
    assert {credential_source(pod) for pod in pods} == {source}
    assert all(pod.ready for pod in pods)
    assert len(pods) == NODES
    assert (association is not None) is is_associated
    assert cluster.accounts[KEY].role_annotations.get(ROLE_ANNOTATION) == (None if is_associated else BOUND)
    assert cluster.addons["vpc-cni"].role_arn == (None if is_associated else BOUND)
    value = parse_binding_value(world.parameters[PATH].value)
    assert not isinstance(value, str)
    assert (value.role, value.mechanism) == (BOUND, to)


def replaced(world: World) -> int:
    return Counter(write.split()[0] for write in world.writes)["delete"] - sum(write.startswith("delete assoc") for write in world.writes)


DIRECTIONS = (Mechanism.POD_IDENTITY, Mechanism.IRSA)
PHASES = ("before", "after its effect", "at the next call")


def number_of_writes(to: Mechanism) -> int:
    world, fakes = migrating(by_association=to is Mechanism.IRSA)
    run(fakes, to)
    return world.passed


@pytest.mark.parametrize("to", DIRECTIONS)
def test_a_migration_replaces_each_pod_once_and_leaves_nothing_of_the_other_mechanism(to: Mechanism) -> None:
    world, fakes = migrating(by_association=to is Mechanism.IRSA)
    run(fakes, to)
    ends_with(world, to)
    assert replaced(world) == NODES
    assert world.problems == []
    before = list(world.writes)
    run(fakes, to)
    assert world.writes == before


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("to", DIRECTIONS)
def test_a_migration_that_is_killed_at_any_write_resumes_without_an_extra_restart(to: Mechanism, phase: str) -> None:
    for position in range(1, number_of_writes(to) + 1):
        world, fakes = migrating(by_association=to is Mechanism.IRSA)
        world.kill_at, world.phase = position, phase
        with pytest.raises(Killed):
            run(fakes, to)
        world.kill_at = -1
        run(fakes, to)
        ends_with(world, to)
        assert (replaced(world), world.problems) == (NODES, []), position


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("to", DIRECTIONS)
def test_a_migration_that_is_killed_at_any_write_goes_back(to: Mechanism, phase: str) -> None:
    """Within a minute, plus the time in which pods are replaced."""
    back = DIRECTIONS[1 - DIRECTIONS.index(to)]
    for position in range(1, number_of_writes(to) + 1):
        world, fakes = migrating(by_association=to is Mechanism.IRSA)
        world.kill_at, world.phase = position, phase
        with pytest.raises(Killed):
            run(fakes, to)
        world.kill_at = -1
        began_at, moved = world.now, replaced(world)
        run(fakes, back)
        ends_with(world, back)
        assert world.problems == [], position
        assert replaced(world) <= 2 * moved + 1
        assert world.now - began_at <= timedelta(minutes=1) + timedelta(seconds=POLL_S) * (moved + 2)


def test_a_read_without_an_answer_is_made_again_and_in_the_end_stops_the_run() -> None:
    world, fakes = migrating()
    world.fail("eks.cluster", TransientError("read the cluster: timed out"), times=3)
    run(fakes, Mechanism.POD_IDENTITY)
    ends_with(world, Mechanism.POD_IDENTITY)
    world.fail("eks.cluster", TransientError("read the cluster: timed out"), times=None)
    with pytest.raises(TransientError):
        run(fakes, Mechanism.IRSA)


def test_a_webhook_that_learns_of_the_annotation_late_misses_no_pod() -> None:
    world, fakes = migrating(by_association=True)
    world.clusters["demo"].webhook.lag = timedelta(seconds=12)
    run(fakes, Mechanism.IRSA)
    ends_with(world, Mechanism.IRSA)
    assert replaced(world) == NODES


def test_a_node_that_joins_is_waited_for_until_its_agent_is_ready() -> None:
    world, fakes = migrating()
    cluster = world.clusters["demo"]
    name, sleep = next(iter(cluster.nodes)), world.sleep
    cluster.without_agent = {name}
    young = next(item for item in cluster.pods.values() if item.facts.node == name)
    young.facts = replace(young.facts, created_at=world.now)

    def agent_comes(seconds: float) -> None:
        sleep(seconds)
        cluster.without_agent = set()

    fakes.dependencies = replace(fakes.dependencies, sleep=agent_comes)
    said: list[str] = []
    MigrationRun(TARGET, Mechanism.POD_IDENTITY, fakes.dependencies, report=lambda kind, _: said.append(kind), renew=lambda: None).run()
    ends_with(world, Mechanism.POD_IDENTITY)
    assert said[0] == "wait"
    assert world.problems == []


def test_the_association_of_an_addon_is_removed_from_its_record() -> None:
    world, fakes = migrating(by_association=True)
    cluster = world.clusters["demo"]
    owner = "arn:aws:eks:eu-west-1:111122223333:addon/demo/vpc-cni/1"
    cluster.associations[KEY] = (replace(cluster.associations[KEY][0], owner=owner),)
    run(fakes, Mechanism.IRSA)
    ends_with(world, Mechanism.IRSA)
    assert any(write.startswith("set associations of add-on demo/vpc-cni {}") for write in world.writes)


def test_a_record_that_keeps_its_role_is_named_and_ends_the_migration() -> None:
    world, fakes = migrating()
    fakes.migration.keeps_role = True
    made = run(fakes, Mechanism.POD_IDENTITY)
    assert made.notes == ["EKS kept the role of the add-on record vpc-cni, which has no effect beside the association"]
    assert world.writes.count("remove role of add-on vpc-cni") == 1


def test_a_first_pod_that_does_not_become_ready_stops_the_migration() -> None:
    world, fakes = migrating()
    world.clusters["demo"].successors_crash = True
    with pytest.raises(CommandError, match="no further pod became ready with pod-identity") as stopped:
        run(fakes, Mechanism.POD_IDENTITY)
    assert "--to irsa" in stopped.value.next_step
    assert replaced(world) == 1


def test_pods_that_the_webhook_misses_stop_the_migration_after_a_few() -> None:
    world, fakes = migrating()
    world.clusters["demo"].webhook.misses, world.clusters["demo"].falls_back = 99, True
    with pytest.raises(CommandError, match="3 pods started without pod-identity"):
        run(fakes, Mechanism.POD_IDENTITY)
    assert replaced(world) == 3


def test_an_association_that_someone_changes_before_its_deletion_stays() -> None:
    world, fakes = migrating(by_association=True)
    cluster = world.clusters["demo"]
    sleep = world.sleep

    def change(seconds: float) -> None:
        sleep(seconds)
        if cluster.annotations:
            cluster.associations[KEY] = (replace(cluster.associations[KEY][0], role_arn=OTHER),)

    fakes.dependencies = replace(fakes.dependencies, sleep=change)
    with pytest.raises(Exception, match="was changed meanwhile"):
        run(fakes, Mechanism.IRSA)
    assert cluster.associations[KEY][0].role_arn == OTHER


def test_the_trust_policy_is_changed_only_as_it_was_shown() -> None:
    world, fakes = migrating()
    world.roles[BOUND] = RoleFacts(arn=BOUND, trust=right_trust(world.clusters["demo"].facts.issuer or ""))
    planned = read_migration(TARGET, Mechanism.POD_IDENTITY, fakes.dependencies)
    assert planned.trust
    made = MigrationRun(TARGET, Mechanism.POD_IDENTITY, fakes.dependencies, report=lambda *_: None, renew=lambda: None)
    with pytest.raises(CommandError, match="trust policy: "):
        made.run()
    assert world.writes == []
    made.apply_trust(planned)
    made.run()
    ends_with(world, Mechanism.POD_IDENTITY)
    with pytest.raises(Exception, match="was changed since it was shown"):
        made.apply_trust(planned)


def test_the_trust_of_the_oidc_provider_goes_last_and_only_on_request() -> None:
    world, fakes = migrating()
    made = run(fakes, Mechanism.POD_IDENTITY)
    assert len(world.roles[BOUND].trust["Statement"]) == 2
    made.retire_trust()
    assert world.roles[BOUND].trust["Statement"] == POD_IDENTITY_TRUST["Statement"]
    made.retire_trust()
    assert made.notes == [
        f"the trust policy of {BOUND} was not changed: no statement admits by irsa only kube-system/aws-node of this cluster"
    ]
    back = read_migration(TARGET, Mechanism.IRSA, fakes.dependencies)
    assert back.trust
    assert json.dumps(back.trust.after).count(f"system:serviceaccount:{NAMESPACE}:{NAME}") == 1


def test_the_trust_of_pod_identity_goes_last_and_only_on_request() -> None:
    """The statement that the migration adds admits this ServiceAccount of this cluster alone."""
    world, fakes = migrating()
    irsa = right_trust(world.clusters["demo"].facts.issuer or "")
    world.roles[BOUND] = RoleFacts(arn=BOUND, trust=irsa)
    made = MigrationRun(TARGET, Mechanism.POD_IDENTITY, fakes.dependencies, report=lambda *_: None, renew=lambda: None)
    made.apply_trust(read_migration(TARGET, Mechanism.POD_IDENTITY, fakes.dependencies))
    made.run()
    back = MigrationRun(TARGET, Mechanism.IRSA, fakes.dependencies, report=lambda *_: None, renew=lambda: None)
    back.retire_trust()
    assert back.notes == ["the trust policy was not changed: the migration has not ended"]
    back.run()
    assert len(world.roles[BOUND].trust["Statement"]) == 2
    back.retire_trust()
    assert world.roles[BOUND].trust["Statement"] == irsa["Statement"]
    assert world.problems == []


SUBJECT_KEY = "oidc.eks.eu-west-1.amazonaws.com/id/77D0:sub"
TAGS = {
    "aws:RequestTag/eks-cluster-arn": "arn:aws:eks:eu-west-1:111122223333:cluster/demo",
    "aws:RequestTag/kubernetes-namespace": NAMESPACE,
    "aws:RequestTag/kubernetes-service-account": NAME,
}


@pytest.mark.parametrize(
    ("former", "condition", "is_retired"),
    [
        (Mechanism.IRSA, {SUBJECT_KEY: TARGET.subject}, True),
        (Mechanism.IRSA, {SUBJECT_KEY: [TARGET.subject]}, True),
        (Mechanism.IRSA, {SUBJECT_KEY: "system:serviceaccount:kube-system:*"}, False),
        (Mechanism.IRSA, {SUBJECT_KEY: ["system:serviceaccount:a:b", TARGET.subject]}, False),
        (Mechanism.POD_IDENTITY, TAGS, True),
        (Mechanism.POD_IDENTITY, {}, False),
        (Mechanism.POD_IDENTITY, {**TAGS, "aws:RequestTag/eks-cluster-arn": "arn:aws:eks:eu-west-1:111122223333:cluster/other"}, False),
        (Mechanism.POD_IDENTITY, {key: value for key, value in TAGS.items() if "cluster" not in key}, False),
        (Mechanism.POD_IDENTITY, {SUBJECT_KEY: TARGET.subject}, False),
    ],
)
def test_only_a_statement_that_admits_nothing_else_is_retired(former: Mechanism, condition: dict[str, Any], is_retired: bool) -> None:
    facts = described().clusters["demo"].facts
    principal = {"Federated": facts.provider_arn} if former is Mechanism.IRSA else {"Service": "pods.eks.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Condition": {"StringEquals": condition}}
    other = {"Effect": "Allow"}
    found = retired_trust({"Statement": [statement, other]}, former, facts, TARGET)
    assert found == ({"Statement": [other]} if is_retired else None)
    assert retired_trust({"Statement": statement}, former, facts, TARGET) is None, "the last statement stays"


# --- what prevents a migration -----------------------------------------------------------------------------------------------------------

IRSA = Binding(path="/p", role_arn=ROLE)
FOREIGN = "arn:aws:iam::444455556666:role/shared"
BOTH = RoleFacts(arn=ROLE, trust={"Version": "2012-10-17", "Statement": [*trust()["Statement"], *POD_IDENTITY_TRUST["Statement"]]})


def ready(**changes: Any) -> Snapshot:
    """A healthy cluster on IRSA whose role trusts both mechanisms, with an agent on every node."""
    return snapshot_with(**{"binding": IRSA, "agent": agent(), "role": BOTH, **changes})


def on(compute_type: ComputeType) -> Snapshot:
    found, there = ready(), agent(absent=1)
    assert isinstance(found.pods, tuple)
    served = {pod.node for pod in there.pods} if isinstance(there.pods, tuple) else set()
    without = next(pod.node for pod in found.pods if pod.node not in served)
    return ready(agent=replace(there, compute_types={without: compute_type}))


def changed_pods(**changes: Any) -> tuple[PodFacts, ...]:
    pods = ready().pods
    assert isinstance(pods, tuple)
    return (replace(pods[0], **changes), *pods[1:])


def obstacles(snapshot: Snapshot, to: Mechanism = Mechanism.POD_IDENTITY, associable: Any = frozenset({"aws-node"})) -> tuple[str, ...]:
    return plan_migration(snapshot, diagnose(snapshot), to, associable).obstacles


def test_nothing_prevents_the_migration_of_a_prepared_cluster() -> None:
    assert obstacles(ready()) == ()
    assert [step.kind for step in plan_migration(ready(), diagnose(ready()), Mechanism.POD_IDENTITY, None).remaining] == [
        StepKind.BINDING,
        StepKind.ASSOCIATION,
        StepKind.PODS,
        StepKind.ANNOTATION,
        StepKind.RECORD,
    ]


BAD: dict[str, tuple[Snapshot, str]] = {
    "a role of another account": (
        ready(binding=replace(IRSA, role_arn=FOREIGN), bound_roles=(FOREIGN,)),
        "EKS takes only a role of the cluster's account",
    ),
    "a role outside the bounds": (ready(bound_roles=("arn:aws:iam::111122223333:role/x",)), "is outside bound_roles"),
    "a role that trusts neither mechanism": (
        ready(role=RoleFacts(arn=ROLE, trust={"Version": "2012-10-17", "Statement": []})),
        "trust policy: ",
    ),
    "a cluster without the agent": (ready(agent=NO_AGENT), "The Pod Identity agent is missing"),
    "a node without the agent": (ready(agent=agent(absent=1)), "is not ready on 1 node"),
    "Fargate": (on(ComputeType.FARGATE), "does not work on Fargate nodes"),
    "Windows": (on(ComputeType.WINDOWS), "does not work on Windows nodes"),
    "a hybrid node without its agent": (on(ComputeType.HYBRID), "is not ready on 1 node"),
    "an association with another role": (ready(associations=(Association(id="a-1", role_arn=OTHER),)), "correct it, or the binding, first"),
    "a pod that is not ready": (ready(pods=changed_pods(ready=False)), "1 pod is not ready"),
    "access keys in the template": (ready(pods=changed_pods(has_static_keys=True)), "the pod template sets access keys"),
    "pods that were not read": (ready(pods=Unknown("no answer")), "no answer"),
}


@pytest.mark.parametrize(("snapshot", "says"), BAD.values(), ids=BAD)
def test_a_migration_to_pod_identity_is_refused_before_anything_is_written(snapshot: Snapshot, says: str) -> None:
    found = obstacles(snapshot)
    assert any(says in text for text in found), found


def test_auto_mode_needs_no_pod_of_the_agent() -> None:
    assert obstacles(on(ComputeType.AUTO)) == ()


@pytest.mark.parametrize(
    ("associable", "says"),
    [
        (frozenset(), "takes no association for aws-node: update the add-on first"),
        (Unknown("refused"), "whether the add-on takes associations was not read: refused"),
    ],
)
def test_an_addon_version_that_takes_no_association_is_refused(associable: Any, says: str) -> None:
    (found,) = obstacles(ready(), associable=associable)
    assert says in found


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"oidc_provider": Unknown("refused")}, "OIDC provider: "),
        ({"associations": (Association(id="a-1", role_arn=ROLE, declared_by="ACK"),)}, "ACK declares the association a-1"),
        ({"binding": replace(IRSA, target_role_arn=OTHER)}, "IRSA has no target role"),
        ({"binding": replace(IRSA, session_tags=False, policy="{}")}, "IRSA has none"),
        ({"role": RoleFacts(arn=ROLE, trust=POD_IDENTITY_TRUST)}, "trust policy: "),
    ],
)
def test_a_migration_to_irsa_is_refused_before_anything_is_written(changes: dict[str, Any], says: str) -> None:
    found = obstacles(ready(**{"associations": (Association(id="a-1", role_arn=ROLE),), **changes}), Mechanism.IRSA)
    assert any(says in text for text in found), found


def pod(name: str, *, moved: bool = False, ready: bool = True, deleting: bool = False) -> PodFacts:
    base = changed_pods()[0]
    return replace(base, name=name, role_arn=None if moved else ROLE, container_credentials=moved, ready=ready, deleting=deleting)


@pytest.mark.parametrize(
    ("pods", "chosen"),
    [
        ([pod("a"), pod("b"), pod("c")], ["a"]),
        ([pod("a", deleting=True), pod("b"), pod("c")], []),
        ([pod("a", moved=True, ready=False), pod("b"), pod("c")], []),
        ([pod("a", moved=True), pod("b"), pod("c")], ["b"]),
        ([pod("a", moved=True), pod("b", ready=False), pod("c")], ["b"]),
        ([pod("a", moved=True), pod("b", deleting=True), pod("c")], []),
        ([pod("a", moved=True), pod("b", moved=True), pod("c", moved=True)], []),
    ],
    ids=[
        "the first alone",
        "its successor is missing",
        "its successor starts",
        "the next",
        "one that is not ready",
        "one is missing already",
        "none is left",
    ],
)
def test_one_pod_is_replaced_first_and_then_as_many_as_the_workload_allows(pods: list[PodFacts], chosen: list[str]) -> None:
    found = next_deletions(pods, to=Mechanism.POD_IDENTITY, role_arn=ROLE, desired=3, at_a_time=1)
    assert [item.name for item in found] == chosen
