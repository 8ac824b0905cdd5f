"""Generated observations: every part in any of its states, in any mixture."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.parameters import Mechanism
from lambdas.contract.settings import AddonRecord, Claim, Mode, RestartBy, WhenUnverified, Window
from lambdas.domain.errors import Denial
from lambdas.domain.planning.policies import RepairHistory
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    AgentFacts,
    Association,
    FieldWriter,
    HealthIssue,
    InvalidBinding,
    Missing,
    NodeFacts,
    NodeRepair,
    OidcProvider,
    PluginError,
    PodFacts,
    RoleFacts,
    ServiceAccountFacts,
    Snapshot,
    Unknown,
    WorkloadFacts,
)
from tests.unit.domain.snapshot_fixtures import OTHER_ROLE, addon, binding, cluster, repaired, settings, workload
from tests.unit.notifications.snapshots import (
    BALANCER,
    CNI,
    CNI_MESSAGE,
    EBS,
    NO_AGENT,
    NOW,
    POD_IDENTITY_TRUST,
    ROLE,
    SHOP,
    agent,
    healthy_snapshot,
    trust,
)
from tests.world.simulations import simulation

NODES = 4
USUAL = 20
"""How often the usual value comes for each time that another one does: with some twenty parts, one of them is odd in most snapshots."""
CLOSED = Unknown("403", Denial.FORBIDDEN)
UNREAD = Unknown("no answer")

STS_WORDS = (
    "WebIdentityErr: failed to retrieve credentials: RequestError: dial tcp: i/o timeout",
    "operation error STS: AssumeRoleWithWebIdentity, api error AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
    "operation error STS: AssumeRoleWithWebIdentity, api error InvalidIdentityToken: No OpenIDConnect provider found in your account",
)

_ages = st.sampled_from([timedelta(days=20), timedelta(days=9), timedelta(hours=1), timedelta(minutes=4), timedelta(seconds=5)])
_roles = st.sampled_from([ROLE, ROLE, ROLE, None, None, OTHER_ROLE])


def _mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The usual value in most cases, so that not every snapshot is broken everywhere."""
    return st.sampled_from((usual,) * USUAL + others)


@st.composite
def _pods(draw: st.DrawFn) -> tuple[PodFacts, ...]:
    uniform = draw(st.booleans())
    same = draw(_roles)
    return tuple(
        PodFacts(
            name=f"pod-{number}",
            uid=f"uid-{number}",
            node=f"node-{number % NODES}",
            created_at=NOW - draw(_ages),
            role_arn=same if uniform else draw(_roles),
            container_credentials=draw(_mostly(False, True)),
            ready=draw(st.booleans()) if not uniform else True,
            owner=("DaemonSet", "aws-node"),
            deleting=draw(_mostly(False, True)),
            waiting=draw(st.sampled_from(["", "", "CrashLoopBackOff", "ContainerCreating"])),
            termination_message=draw(st.sampled_from(["", "", "dial tcp: i/o timeout", *STS_WORDS])),
        )
        for number in range(draw(st.integers(0, 6)))
    )


@st.composite
def _nodes(draw: st.DrawFn) -> tuple[NodeFacts, ...]:
    return tuple(
        NodeFacts(
            name=f"node-{number}",
            ready=draw(_mostly(True, False, None)),
            reason="KubeletNotReady",
            message=draw(st.sampled_from([CNI_MESSAGE, CNI_MESSAGE, "PLEG", ""])),
            since=NOW - draw(_ages),
            created_at=NOW - timedelta(days=1),
            pressures=draw(st.sampled_from([(), (), ("DiskPressure",)])),
            nodegroup="workers",
            os=draw(_mostly("linux", "windows")),
            compute_type=draw(_mostly("", "auto", "hybrid")),
        )
        for number in range(draw(st.integers(0, NODES)))
    )


@st.composite
def _account(draw: st.DrawFn) -> ServiceAccountFacts | Missing | Unknown:
    role = draw(_roles)
    key = draw(_mostly(ROLE_ANNOTATION, "eks.amazon.com/role-arn"))
    wrote = tuple(
        FieldWriter(manager=manager, at=draw(st.sampled_from([None, NOW - draw(_ages)])), owns_annotation=draw(st.booleans()))
        for manager in ("eks", "helm")
    )
    facts = ServiceAccountFacts(
        resource_version="1", role_annotations={key: role} if role else {}, audience=draw(_mostly(None, "vault")), writers=wrote
    )
    found: ServiceAccountFacts | Missing | Unknown = draw(_mostly(facts, Missing("sa"), CLOSED))
    return found


@st.composite
def _addon(draw: st.DrawFn) -> Any:
    issues = draw(
        st.sampled_from(
            [(), (), (HealthIssue(code="AccessDenied", message="m"),), (HealthIssue(code="ConfigurationConflict", message="m"),)]
        )
    )
    status = draw(_mostly("ACTIVE", "UPDATING", "DEGRADED", "UPDATE_FAILED", "CREATING"))
    return draw(_mostly(addon(role_arn=draw(_roles), status=status, issues=issues), Missing("addon"), UNREAD, NOT_READ))


@st.composite
def _errors(draw: st.DrawFn, pods: Any) -> tuple[PluginError, ...]:
    names = [pod.name for pod in pods] if isinstance(pods, tuple) else []
    chosen = draw(st.lists(st.sampled_from([*names, "pod-gone"]), max_size=3))
    return tuple(
        PluginError(call=draw(st.sampled_from(["ec2:CreateTags", "ec2:AttachNetworkInterface"])), pod=name, at=NOW - draw(_ages))
        for name in chosen
    )


def _admits_any_service_account() -> dict[str, Any]:
    policy = trust()
    del policy["Statement"][0]["Condition"]
    return policy


@st.composite
def observations(draw: st.DrawFn) -> Snapshot:
    """Any snapshot of one ServiceAccount."""
    target = draw(_mostly(CNI, EBS, BALANCER, SHOP))
    pods = draw(st.one_of(_pods(), _pods(), st.just(CLOSED)))
    nodes: Any = draw(st.one_of(_nodes(), _nodes(), st.sampled_from([NOT_READ, CLOSED])))
    errors: Any = draw(st.one_of(st.just(()), _errors(pods), st.sampled_from([NOT_READ, UNREAD])))
    right = RoleFacts(arn=ROLE, trust=trust(subject=target.subject))
    wrong = RoleFacts(arn=ROLE, trust=trust(subject="system:serviceaccount:a:b"))
    broad = RoleFacts(arn=ROLE, trust=_admits_any_service_account())
    foreign = binding(role_arn="arn:aws:iam::666666666666:role/evil")
    provider = OidcProvider(arn="provider", client_ids=("sts.amazonaws.com",))
    late = Window(days=(3,), start=timedelta(hours=1), length=timedelta(hours=1))
    rolling: WorkloadFacts = workload(updated=draw(_mostly(15, 3)), on_delete=draw(_mostly(False, True)), desired=draw(_mostly(15, 0)))
    return replace(
        healthy_snapshot(target),
        binding=draw(
            _mostly(
                binding(changed_at=draw(st.sampled_from([None, NOW])), mechanism=draw(_mostly(None, *Mechanism))),
                foreign,
                InvalidBinding(path="/p", reason="no"),
                Missing("/p"),
            )
        ),
        settings=settings(
            mode=draw(_mostly(*Mode)),
            addon_record=draw(_mostly(*AddonRecord)),
            when_unverified=draw(_mostly(*WhenUnverified)),
            restart_by=draw(_mostly(*RestartBy)),
            claim=draw(_mostly(*Claim)),
            maintenance_window=draw(_mostly(None, late)),
        ),
        cluster=draw(
            _mostly(cluster(), cluster(status="UPDATING"), cluster(status="CREATING"), cluster(created_at=NOW), Missing("c"), UNREAD)
        ),
        addon_name={CNI: "vpc-cni", EBS: "aws-ebs-csi-driver"}.get(target),
        bound_roles=draw(_mostly(("*",), ("",), (ROLE,), ("arn:aws:iam::111122223333:role/eks/*",), ("arn:aws:iam::666666666666:role/*",))),
        addon=draw(_addon()),
        associations=draw(
            _mostly(
                (),
                (Association(id="a", role_arn=ROLE),),
                (Association(id="a", role_arn=ROLE, target_role_arn=OTHER_ROLE),),
                (Association(id="a", role_arn=OTHER_ROLE, owner="arn:aws:eks:eu-west-1:111122223333:addon/c/vpc-cni/1"),),
                (Association(id="a", role_arn=OTHER_ROLE, declared_by="ACK"),),
                UNREAD,
            )
        ),
        agent=draw(_mostly(NOT_READ, agent(), agent(absent=1), agent(unready=2), NO_AGENT, AgentFacts(addon=UNREAD, pods=UNREAD))),
        role=draw(_mostly(right, wrong, broad, RoleFacts(arn=ROLE, trust=POD_IDENTITY_TRUST), Missing("r"), UNREAD, NOT_READ)),
        oidc_provider=draw(_mostly(provider, OidcProvider(arn="p", client_ids=()), Missing("p"), UNREAD)),
        simulated=draw(_mostly(UNREAD, {}, simulation(), simulation("ec2:CreateTags"), NOT_READ)),
        service_account=draw(_account()),
        workload=draw(_mostly(rolling, Missing("d"), CLOSED)),
        pods=pods,
        nodes=nodes,
        permission_errors=errors,
        node_repair=draw(_mostly(NOT_READ, NodeRepair(nodegroups=("workers",)), UNREAD)),
        known_good_at=draw(st.sampled_from([None, NOW - timedelta(hours=1)])),
    )


@st.composite
def pasts(draw: st.DrawFn) -> RepairHistory:
    """Any history."""
    ages = draw(
        st.lists(st.sampled_from([timedelta(seconds=9), timedelta(minutes=6), timedelta(hours=2), timedelta(hours=25)]), max_size=4)
    )
    incidents = tuple(repaired(age) for age in ages)
    return RepairHistory(incidents=incidents, affected_clusters=draw(st.sampled_from([(), ("a", "b", "c", "d")])))
