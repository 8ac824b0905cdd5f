"""No message clears the role while one needed call or one link is broken or unread, in every scenario and in generated worlds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any, Final

import pytest

from lambdas.application.readers import Hints
from lambdas.application.snapshot_diagnosis import collect_and_diagnose
from lambdas.contract.call_needs import ADDON_NEEDS, FEATURE_VARIABLES, VPC_CNI, Effect, Feature
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.workloads import (
    EBS_CSI_CONTROLLER,
    EFS_CSI_CONTROLLER,
    FSX_CSI_CONTROLLER,
    LOAD_BALANCER_CONTROLLER,
    KnownWorkload,
)
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.call_needs import ReleaseNeeds
from lambdas.domain.diagnosis.finding import Finding, Link, State
from lambdas.domain.diagnosis.identity_chain import diagnose
from lambdas.domain.diagnosis.pod_credentials import uses_pod_identity
from lambdas.domain.diagnosis.role_clearance import AGENT_CREDENTIALS, CREDENTIALS
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.diagnosis.workload_needs import needs
from lambdas.domain.planning.planner import plan
from lambdas.domain.planning.policies import RepairHistory
from lambdas.domain.snapshot.node_reachability import reachable_pods
from lambdas.domain.snapshot.simulation import ALLOWED, NOT_KNOWN
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    AddonFacts,
    AgentFacts,
    Association,
    Binding,
    ClusterFacts,
    ContainerFacts,
    Missing,
    OidcProvider,
    PodFacts,
    RoleFacts,
    ServiceAccountFacts,
    Snapshot,
    Unknown,
    WorkloadFacts,
)
from lambdas.domain.verification import is_verified
from lambdas.notifications import mail
from lambdas.notifications.content import compose
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from sandbox.simulation.scenario import load, names
from tests.fakes import ENVIRONMENT
from tests.over_fakes.fake_steps import FakeSteps
from tests.over_fakes.scenario_run import ScenarioRun
from tests.over_fakes.scenario_world import CLUSTER, world_of
from tests.unit.domain.snapshot_fixtures import OTHER_ROLE, addon, cluster, workload
from tests.unit.notifications.snapshots import (
    NO_AGENT,
    POD_IDENTITY_TRUST,
    ROLE,
    healthy_snapshot,
    incident,
    nodes,
    pods,
    refusals,
    service_account,
    trust,
    with_pod_identity,
)
from tests.world.simulations import REFUSED, simulation

UNREAD: Final = Unknown("no answer")
RELEASES: Final = (
    "v1.12.6",
    "v1.15.1",
    "v1.18.4",
    "v1.19.6",
    "v1.20.5",
    "v1.21.2",
    "v1.22.0",
    "v1.22.1",
    "v1.22.2",
    "v1.23.1",
)
CONFIGURATIONS: Final = (
    (),
    (Feature.PREFIX_DELEGATION,),
    (Feature.CUSTOM_NETWORKING,),
    (Feature.NO_SUBNET_DISCOVERY,),
    (Feature.IMDS_ONLY,),
)
CLEARS: Final = (
    "is not the cause",
    "a change of the role would not",
    "every link of the",
    "is healthy",
    "no link of the identity chain explains it",
)
BLAMES: Final = frozenset(Verdict) - {
    Verdict.HEALTHY,
    Verdict.NODES_WAITING_FOR_CNI,
    Verdict.PODS_NOT_READY,
    Verdict.NODES_NOT_READY,
}
REFUTED: Final = frozenset({"refused", "reported", "differs"})
"""Words of breaks that refute a repair: with one of them, no repair of a generated world is verified."""
BREAKS: Final = 17_000
"""Fewest breaks of all worlds."""
OTHER_KINDS: Final = (NotificationKind.BLOCKED, NotificationKind.REMINDER, NotificationKind.VERIFIED, NotificationKind.RECOVERED)
"""Kinds of messages that are written once for each class of assessments. Every assessment has its `NEEDS_ACTION` message written."""


@dataclass(frozen=True)
class GeneratedWorld:
    """A world without a fault of the identity, with or without symptoms of another fault. `breaks_links` is False where only the calls
    are broken.
    """

    name: str
    snapshot: Snapshot
    breaks_links: bool = True
    is_generated: bool = True


def _symptoms(snapshot: Snapshot) -> Iterator[tuple[str, Snapshot]]:
    role = snapshot.desired_role
    crashing = pods(15, role, unready=3, waiting="CrashLoopBackOff", termination_message="Error, exit code 2")
    without_image = pods(15, role, unready=3, waiting="ImagePullBackOff", has_run=False)
    yield "well", snapshot
    yield "without image", replace(snapshot, pods=without_image, nodes=nodes(15, unready=3))
    yield "crashing", replace(snapshot, pods=crashing)
    yield "waiting", replace(snapshot, pods=crashing, nodes=nodes(15, unready=3))


def _configured(release: str, family: str, features: tuple[Feature, ...]) -> Snapshot:
    variables = {name: value for name, (value, feature) in FEATURE_VARIABLES.items() if feature in features}
    container = ContainerFacts(name="aws-node", image=f"amazon-k8s-cni:{release}", environment=variables)
    return replace(
        healthy_snapshot(),
        addon=addon(version=f"{release}-eksbuild.1"),
        cluster=cluster(ip_family=family),
        workload=workload(containers=(container,)),
        simulated=simulation(),
    )


@cache
def with_associations() -> tuple[GeneratedWorld, ...]:
    """Worlds in which an association gives the role, and everything of its chain is shown."""
    return tuple(
        GeneratedWorld(f"{release} pod identity {symptom}", with_pod_identity(snapshot))
        for release in RELEASES
        for symptom, snapshot in _symptoms(_configured(release, "ipv4", ()))
    )


OTHER_WORKLOADS: Final = {
    EBS_CSI_CONTROLLER: ("v1.48.0", "v1.59.0"),
    EFS_CSI_CONTROLLER: ("v2.1.0",),
    FSX_CSI_CONTROLLER: ("v1.9.0",),
    LOAD_BALANCER_CONTROLLER: ("v2.8.0", "v3.5.0"),
}
"""Workload -> releases. No event and no simulation shows every call of these, so that nothing ever clears their roles."""


@cache
def other_workloads() -> tuple[GeneratedWorld, ...]:
    """Worlds of the other known workloads, with an annotation and with an association, well and with all pods crashing."""
    return tuple(
        GeneratedWorld(f"{known.name} {release} {mechanism} {symptom}", change(snapshot))
        for known, releases in OTHER_WORKLOADS.items()
        for release in releases
        for symptom, snapshot in _states_of(known, release)
        for mechanism, change in (("irsa", lambda found: found), ("pod identity", with_pod_identity))
    )


def _states_of(known: KnownWorkload, release: str) -> Iterator[tuple[str, Snapshot]]:
    target = ServiceAccountRef(CLUSTER, known.namespace, known.service_account)
    container = ContainerFacts(name=known.needs.container, image=f"x:{release}", environment={})
    snapshot = replace(
        healthy_snapshot(target),
        addon_name=known.addon,
        addon=addon(name=known.addon, version=f"{release}-eksbuild.1") if known.addon else NOT_READ,
        workload=workload(kind=known.kind, name=known.name, desired=2, updated=2, max_unavailable=1, containers=(container,)),
        pods=pods(2, ROLE),
        simulated=simulation(workload=known),
        permission_errors=NOT_READ,
        nodes=NOT_READ,
    )
    yield "well", snapshot
    yield "crashing", replace(snapshot, pods=pods(2, ROLE, unready=2, waiting="CrashLoopBackOff", termination_message="Error, exit code 1"))


@cache
def generated() -> tuple[GeneratedWorld, ...]:
    by_annotation = tuple(
        GeneratedWorld(f"{release} {family} {'+'.join(features)} {symptom}", snapshot, breaks_links=not features)
        for release in RELEASES
        for family in ("ipv4", "ipv6")
        for features in CONFIGURATIONS
        for symptom, snapshot in _symptoms(_configured(release, family, features))
        if symptom in ("waiting", "without image") or not features
    )
    return by_annotation + with_associations()


@cache
def scenario_worlds() -> tuple[GeneratedWorld, ...]:
    """The snapshot of each scenario after its steps, with a role that allows every call."""
    found = []
    for name in names():
        scenario = load(name)
        run = ScenarioRun(world_of(scenario.world))
        for step in scenario.steps:
            step.run(FakeSteps(run))
        target = ServiceAccountRef(CLUSTER, *run.world.key)
        snapshot, _ = collect_and_diagnose(target, run.readers, run.world.now, Hints(), symptoms=True, guards=True)
        found.append(GeneratedWorld(name, snapshot, is_generated=False))
    return tuple(found)


Break = tuple[str, Callable[[Snapshot], Snapshot]]


def _change(**facts: Any) -> Callable[[Snapshot], Snapshot]:
    return lambda snapshot: replace(snapshot, **facts)


def _pods(**facts: Any) -> Callable[[Snapshot], Snapshot]:
    """Change one reachable pod; without one, no pod exists."""

    def change(snapshot: Snapshot) -> Snapshot:
        found = reachable_pods(snapshot)
        pods_left = snapshot.pods if isinstance(snapshot.pods, tuple) else ()
        changed = tuple(replace(pod, **facts) if pod == found[0] else pod for pod in pods_left) if found else ()
        return replace(snapshot, pods=changed)

    return change


def _part(name: str, kind: type, **facts: Any) -> Callable[[Snapshot], Snapshot]:
    def change(snapshot: Snapshot) -> Snapshot:
        part = getattr(snapshot, name)
        return replace(snapshot, **{name: replace(part, **facts)}) if isinstance(part, kind) else snapshot

    return change


def _role_trusts(policy: Any) -> Callable[[Snapshot], Snapshot]:
    return _part("role", RoleFacts, trust=policy)


def _undecided_trust() -> dict[str, Any]:
    policy = trust()
    policy["Statement"][0]["Condition"]["StringEquals"]["aws:PrincipalTag/team"] = "blue"
    return policy


def _agent_of_first_pod(changed: Callable[[PodFacts], PodFacts | None]) -> Callable[[Snapshot], Snapshot]:
    """Change or remove the agent's pod on the node of the first reachable pod."""

    def change(snapshot: Snapshot) -> Snapshot:
        assert isinstance(snapshot.agent, AgentFacts)
        assert isinstance(snapshot.agent.pods, tuple)
        node = reachable_pods(snapshot)[0].node
        found = (changed(pod) if pod.node == node else pod for pod in snapshot.agent.pods)
        return replace(snapshot, agent=replace(snapshot.agent, pods=tuple(pod for pod in found if pod)))

    return change


def _pod_identity_trust(condition: dict[str, Any]) -> dict[str, Any]:
    return {**POD_IDENTITY_TRUST, "Statement": [{**POD_IDENTITY_TRUST["Statement"][0], "Condition": condition}]}


LINKS_OF_ANY: Final[tuple[Break, ...]] = (
    ("role unread", _change(role=UNREAD)),
    ("associations unread", _change(associations=UNREAD)),
    ("simulation unread", _change(simulated=UNREAD)),
    ("simulation not read", _change(simulated=NOT_READ)),
    ("events unread", _change(permission_errors=UNREAD)),
    ("events not read", _change(permission_errors=NOT_READ)),
    ("pods unread", _change(pods=UNREAD)),
    ("no pod exists", _change(pods=())),
    ("workload unread", _change(workload=UNREAD)),
    ("another ServiceAccount", _part("workload", WorkloadFacts, service_account="aws-vpc-cni")),
    ("cluster unread", _change(cluster=UNREAD)),
)
LINKS_OF_IRSA: Final[tuple[Break, ...]] = (
    ("role missing", _change(role=Missing("role"))),
    ("provider unread", _change(oidc_provider=UNREAD)),
    ("provider missing", _change(oidc_provider=Missing("provider"))),
    ("provider without client ID", _part("oidc_provider", OidcProvider, client_ids=())),
    ("trust of another cluster", _role_trusts(trust(issuer="oidc.eks.eu-west-1.amazonaws.com/id/OTHER"))),
    ("trust of another subject", _role_trusts(trust(subject="system:serviceaccount:a:b"))),
    ("trust of Pod Identity", _role_trusts(POD_IDENTITY_TRUST)),
    ("trust undecided", _role_trusts(_undecided_trust())),
    ("annotation missing", _part("service_account", ServiceAccountFacts, role_annotations={})),
    ("annotation differs", _change(service_account=service_account(OTHER_ROLE))),
    ("annotation unread", _change(service_account=UNREAD)),
    ("ServiceAccount missing", _change(service_account=Missing("serviceaccount"))),
    ("a pod without the role", _pods(role_arn=None)),
    ("a pod with another role", _pods(role_arn=OTHER_ROLE)),
    ("role under a path", _change(role=Missing("role", other="arn:aws:iam::111122223333:role/team/prod-blue-vpc-cni"))),
    ("binding missing and unread", _change(binding=Missing("binding"), service_account=UNREAD)),
)
_OTHER_NAMESPACE: Final = {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "shop"}}
LINKS_OF_POD_IDENTITY: Final[tuple[Break, ...]] = (
    ("role missing", _change(role=Missing("role"))),
    ("association differs", _change(associations=(Association(id="a-1", role_arn=OTHER_ROLE),))),
    ("association chained differs", _change(associations=(Association(id="a-1", role_arn=ROLE, target_role_arn=OTHER_ROLE),))),
    ("session policy", _change(associations=(Association(id="a-1", role_arn=ROLE, policy="{}"),))),
    ("agent not read", _change(agent=NOT_READ)),
    ("agent unread", _change(agent=AgentFacts(addon=UNREAD, pods=UNREAD))),
    ("agent missing", _change(agent=NO_AGENT)),
    ("agent absent from a node", _agent_of_first_pod(lambda _: None)),
    ("agent not ready on a node", _agent_of_first_pod(lambda pod: replace(pod, ready=False))),
    ("agent absent from a new node", lambda snapshot: _agent_of_first_pod(lambda _: None)(_pods(created_at=snapshot.began_at)(snapshot))),
    ("trust of IRSA", _role_trusts(trust())),
    ("trust of another namespace", _role_trusts(_pod_identity_trust(_OTHER_NAMESPACE))),
    ("trust undecided", _role_trusts(_pod_identity_trust({"StringEquals": {"aws:PrincipalTag/team": "blue"}}))),
    ("a pod without credentials", _pods(container_credentials=False)),
    ("a pod with another role", _pods(role_arn=OTHER_ROLE)),
    ("a pod with access keys", _pods(has_static_keys=True)),
)
NEEDS_UNKNOWN: Final[tuple[Break, ...]] = (
    ("IP family unknown", _part("cluster", ClusterFacts, ip_family="")),
    ("release newer than the records", _part("addon", AddonFacts, version="v1.99.0-eksbuild.1")),
    (
        "version unreadable",
        lambda snapshot: _part("workload", WorkloadFacts, containers=())(_part("addon", AddonFacts, version="latest")(snapshot)),
    ),
)


def _broken_calls(world: GeneratedWorld) -> Iterator[Break]:
    """Each call that the release needs: refused, not decided, not simulated, and refused by an event."""
    snapshot = world.snapshot
    found = needs(snapshot)
    if not isinstance(found, ReleaseNeeds):
        return
    allowed = dict.fromkeys((need.call for need in found.calls), ALLOWED)
    reporting = next((pod.name for pod in reachable_pods(snapshot)), None)
    for need in found.calls:
        if need.effect is Effect.SURVIVED:
            continue
        yield f"{need.call} refused", _change(simulated=allowed | {need.call: REFUSED})
        yield f"{need.call} undecided", _change(simulated=allowed | {need.call: NOT_KNOWN})
        if not (world.breaks_links and world.is_generated):
            continue
        yield f"{need.call} not simulated", _change(simulated={call: state for call, state in allowed.items() if call != need.call})
        if reporting:
            yield f"{need.call} reported", _change(permission_errors=refusals(reporting, call=need.call))


def breaks(world: GeneratedWorld) -> Iterator[Break]:
    """Every break of the links, which do not depend on the configuration of the add-on, and every break of a call."""
    snapshot = world.snapshot
    if world.breaks_links:
        yield from LINKS_OF_ANY
    if world.breaks_links:
        yield from LINKS_OF_POD_IDENTITY if uses_pod_identity(snapshot) else LINKS_OF_IRSA
    if isinstance(snapshot.binding, Binding) and (snapshot.addon_name == VPC_CNI.addon or world.is_generated):
        yield from NEEDS_UNKNOWN
        yield from _broken_calls(world)


def assess(snapshot: Snapshot) -> AssessmentSummary:
    diagnosis = diagnose(snapshot)
    return summarize(snapshot, diagnosis, plan(snapshot, diagnosis, RepairHistory()))


def message(summary: AssessmentSummary, kind: NotificationKind = NotificationKind.NEEDS_ACTION) -> str:
    """The text of a message. The chat form has the same paragraphs and takes twice as long to write."""
    context = MessageContext(kind=kind, incident=incident(), current=summary, first=summary)
    return mail.text(compose(context, ENVIRONMENT))


def class_of(summary: AssessmentSummary) -> tuple[object, ...]:
    """Assessments of one class have messages of the same sentences, but for names."""
    return summary.verdicts, tuple(link.state for link in summary.links), summary.unproven


def clearances(summary: AssessmentSummary, *others: NotificationKind) -> list[str]:
    """What the assessment and its messages say in favor of the role."""
    text = "\n".join((summary.sentence, *(message(summary, kind) for kind in (NotificationKind.NEEDS_ACTION, *others))))
    said = [words for words in CLEARS if words in text.lower()]
    return said + (["is_role_cleared"] if summary.is_role_cleared else [])


@pytest.mark.exhaustive
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.long)])
def test_nothing_clears_a_role_while_one_call_or_one_link_is_broken_or_unread(every: int) -> None:
    """Plays every third break of each world, another third in the next world, so that each break is played in a third of the worlds."""
    count = 0
    wrong = []
    classes: set[tuple[object, ...]] = set()
    for number, world in enumerate((*generated(), *other_workloads(), *scenario_worlds())):
        for name, change in islice(breaks(world), number % every, None, every):
            summary = assess(change(world.snapshot))
            others = () if class_of(summary) in classes else OTHER_KINDS
            classes.add(class_of(summary))
            count += 1
            if said := clearances(summary, *others):
                wrong.append(f"{world.name}, {name}: {said}")
            if world.is_generated and REFUTED & set(name.split()) and is_verified(summary):
                wrong.append(f"{world.name}, {name}: verified")
    assert wrong == [], f"{len(wrong)} of {count} worlds"
    print(f"{count} broken worlds in {len(classes)} classes")
    assert count >= BREAKS // every, "the breaks were applied to fewer worlds than before"


def test_a_role_of_which_everything_is_shown_is_not_blamed_and_is_cleared() -> None:
    for world in generated():
        summary = assess(world.snapshot)
        assert not BLAMES & {Verdict(verdict) for verdict in summary.verdicts}, world.name
        if world.name.endswith(("well", "without image")):
            assert "may be the cause" not in message(summary), world.name
            assert summary.is_role_cleared, world.name


def test_the_role_of_another_workload_is_neither_blamed_nor_cleared_where_nothing_is_broken() -> None:
    for world in other_workloads():
        summary = assess(world.snapshot)
        assert not BLAMES & {Verdict(verdict) for verdict in summary.verdicts}, world.name
        assert (Verdict.PODS_NOT_READY in summary.verdicts) is world.name.endswith("crashing"), world.name
        assert clearances(summary) == [], world.name


def test_a_pod_that_runs_and_does_not_become_ready_clears_nothing() -> None:
    """Where STS does not answer, every link that can be read is correct: the error is in a file on the node."""
    for world in generated():
        if world.name.endswith(("crashing", "waiting")):
            summary = assess(world.snapshot)
            missing = AGENT_CREDENTIALS if uses_pod_identity(world.snapshot) else CREDENTIALS
            assert summary.unproven == (missing,), world.name
            assert [said for said in CLEARS if said in message(summary)] == [], world.name


def test_the_worlds_cover_every_call_of_the_cni() -> None:
    """Every record of the CNI that stops or degrades it is broken in at least one world."""
    reached = set()
    for world in generated():
        found = needs(world.snapshot)
        assert isinstance(found, ReleaseNeeds)
        reached |= {(need.call, need.since, need.requires) for need in found.calls}
    wanted = {(need.call, need.since, need.requires) for need in ADDON_NEEDS["vpc-cni"].calls if need.effect is not Effect.SURVIVED}
    assert wanted <= reached


def test_the_chain_of_pod_identity_is_broken_in_every_link() -> None:
    links = {finding.link for _, change in LINKS_OF_POD_IDENTITY for finding in _changed_findings(change(with_associations()[0].snapshot))}
    assert links == {Link.MECHANISM, Link.ROLE, Link.TRUST, Link.PERMISSIONS, Link.PODS}


def _changed_findings(snapshot: Snapshot) -> list[Finding]:
    return [finding for finding in diagnose(snapshot).findings if finding.state in (State.BROKEN, State.UNKNOWN)]


@pytest.mark.parametrize("status", ["DEGRADED", "UPDATE_FAILED"])
def test_a_degraded_addon_clears_nothing_while_a_link_or_a_call_is_broken_or_unread(status: str) -> None:
    world = next(world for world in generated() if assess(world.snapshot).is_role_cleared)
    assert isinstance(world.snapshot.addon, AddonFacts)
    degraded = replace(world, snapshot=replace(world.snapshot, addon=replace(world.snapshot.addon, status=status)))
    assert "no link of the identity chain explains it" in assess(degraded.snapshot).sentence, "every link was read and is correct"
    unread = [(name, assess(change(degraded.snapshot))) for name, change in breaks(degraded)]
    assert any("was not checked completely" in summary.sentence for _, summary in unread)
    assert [(name, said) for name, summary in unread if (said := clearances(summary))] == []
