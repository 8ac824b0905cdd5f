"""The plan for a pod identity association that is missing or differs, and what keeps it from being written."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.contract.parameters import Mechanism
from lambdas.contract.settings import AddonRecord, Mode, WhenUnverified
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.actions import CreateAssociation, ReplaceCanaryPod, UpdateAssociation
from lambdas.domain.planning.plan import BlockReason, Plan
from lambdas.domain.planning.policies import RepairHistory
from lambdas.domain.snapshot.snapshot import AgentFacts, Association, Binding, ComputeType, RoleFacts, Snapshot, Unknown
from tests.unit.domain.snapshot_fixtures import OTHER_ROLE, addon, kinds, planned, repaired, settings, snapshot_with, workload
from tests.unit.notifications.snapshots import NO_AGENT, NOW, ROLE, TRUST_OF_BOTH, agent, trust, with_pod_identity

WANTED = Binding(path="/p", role_arn=ROLE, mechanism=Mechanism.POD_IDENTITY)
FOREIGN = "arn:aws:iam::444455556666:role/shared"
OWNER = "arn:aws:eks:eu-west-1:111122223333:addon/prod-blue/vpc-cni/1"
PRESENT = Association(id="a-1", role_arn=OTHER_ROLE)
UNREAD = Unknown("no endpoint")
PAST = RepairHistory(incident_id="7f3a", round=2)


def missing(bare: int = 15, **changes: Any) -> Snapshot:
    """The binding asks for an association, which does not exist; the last pods have no credentials."""
    return replace(with_pod_identity(snapshot_with(), bare=bare), **{"associations": (), "binding": WANTED, **changes})


def differing(*, association: Association = PRESENT, **changes: Any) -> Snapshot:
    """The association gives another role; every pod uses it."""
    return replace(with_pod_identity(snapshot_with()), **{"associations": (association,), "binding": WANTED, **changes})


def reason(made: Plan) -> BlockReason:
    return next(blocked.reason for blocked in made.blocked if blocked.link is Link.MECHANISM)


def sentence(made: Plan) -> str:
    return next(blocked.sentence for blocked in made.blocked if blocked.link is Link.MECHANISM)


def test_a_missing_association_is_created_and_pods_without_credentials_are_replaced() -> None:
    made = planned(missing(), PAST)
    assert made.verdict is Verdict.ASSOCIATION_MISSING
    create, canary, _ = made.actions
    assert create == CreateAssociation(role_arn=ROLE, target_role_arn=None, session_tags=True, policy="", token="7f3a-2-association")
    assert isinstance(canary, ReplaceCanaryPod)
    assert canary.mechanism is Mechanism.POD_IDENTITY
    assert kinds(made) == ["create-association", "replace-canary-pod", "restart-workload"]


def test_pods_that_have_the_role_by_web_identity_stay() -> None:
    found = missing(0)
    assert isinstance(found.pods, tuple)
    by_irsa = tuple(replace(pod, role_arn=ROLE, container_credentials=False) for pod in found.pods)
    both = RoleFacts(arn=ROLE, trust=TRUST_OF_BOTH)
    assert kinds(planned(replace(found, pods=by_irsa, role=both))) == ["create-association"]
    # Their credentials cannot be renewed where the role trusts Pod Identity alone.
    assert kinds(planned(replace(found, pods=by_irsa))) == ["create-association", "replace-canary-pod", "restart-workload"]


def test_pods_whose_template_sets_a_role_are_not_replaced_in_vain() -> None:
    assert kinds(planned(missing(workload=workload(template_role_arn=OTHER_ROLE)))) == ["create-association"]


def test_an_association_that_differs_is_changed_and_its_pods_stay() -> None:
    (update,) = planned(differing(binding=replace(WANTED, session_tags=False)), PAST).actions
    assert update == UpdateAssociation(
        association_id="a-1",
        addon="",
        role_arn=ROLE,
        target_role_arn=None,
        session_tags=False,
        policy="",
        old_role_arn=OTHER_ROLE,
        old_target_role_arn=None,
        old_session_tags=True,
        old_policy="",
        token="7f3a-2-association",
    )


def test_no_ready_pod_is_replaced_beside_one_that_starts_and_gets_the_role_of_the_association() -> None:
    """The agent gives the new role to each pod with its credentials, also to one of an earlier rollout that is starting."""
    found = replace(with_pod_identity(snapshot_with(), bare=1), binding=WANTED, associations=(PRESENT,))
    assert isinstance(found.pods, tuple)
    *others, bare = found.pods
    assert kinds(planned(found)) == ["update-association", "replace-canary-pod"]
    starts = replace(others[0], ready=False, created_at=found.began_at - timedelta(minutes=9))
    one_may_fail = replace(found, pods=(starts, *others[1:], bare), workload=workload(max_unavailable=1))
    assert kinds(planned(one_may_fail)) == ["update-association"]
    late = replace(starts, created_at=found.began_at - timedelta(minutes=11))
    assert kinds(planned(replace(one_may_fail, pods=(late, *others[1:], bare)))) == ["update-association", "replace-canary-pod"]


def test_a_session_policy_is_set_and_replaced() -> None:
    binding = replace(WANTED, session_tags=False, policy="{}")
    for found in (missing(binding=binding), differing(binding=binding)):
        action = planned(found).actions[0]
        assert isinstance(action, CreateAssociation | UpdateAssociation)
        assert (action.session_tags, action.policy) == (False, "{}")


def test_a_target_role_that_was_not_read_is_created_but_does_not_replace_another_association() -> None:
    binding = replace(WANTED, target_role_arn=OTHER_ROLE)
    assert planned(missing(binding=replace(binding, session_tags=False)), PAST).actions[0] == CreateAssociation(
        role_arn=ROLE, target_role_arn=OTHER_ROLE, session_tags=False, policy="", token="7f3a-2-association"
    )
    made = planned(differing(binding=binding))
    assert (made.actions, reason(made)) == ((), BlockReason.PRECONDITION_UNKNOWN)


def test_a_target_role_that_trusts_the_first_one_is_written_into_an_existing_association() -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    trusting = RoleFacts(arn=OTHER_ROLE, trust={"Version": "2012-10-17", "Statement": [statement]})
    chained = {"binding": replace(WANTED, target_role_arn=OTHER_ROLE), "target_role": trusting}
    former = replace(PRESENT, target_role_arn=FOREIGN, has_session_tags=False, policy="{}")
    (update,) = planned(differing(association=former, **chained), PAST).actions
    assert update == UpdateAssociation(
        association_id="a-1",
        addon="",
        role_arn=ROLE,
        target_role_arn=OTHER_ROLE,
        session_tags=False,
        policy="{}",
        old_role_arn=OTHER_ROLE,
        old_target_role_arn=FOREIGN,
        old_session_tags=False,
        old_policy="{}",
        token="7f3a-2-association",
    )
    # what the binding does not name stays as it is
    assert (update.rollback.role_arn, update.rollback.old_role_arn) == (OTHER_ROLE, ROLE)
    made = planned(differing(**{**chained, "target_role": RoleFacts(arn=OTHER_ROLE, trust=trust())}))
    assert (made.actions, reason(made)) == ((), BlockReason.PRECONDITION_FAILED)
    assert "The trust policy of the target role" in sentence(made)


def test_a_binding_without_a_mechanism_keeps_the_association_and_corrects_its_role() -> None:
    assert kinds(planned(differing(binding=replace(WANTED, mechanism=None)))) == ["update-association"]
    assert kinds(planned(missing(binding=replace(WANTED, mechanism=None)))) != ["create-association"]


def test_the_association_of_an_addon_is_changed_through_its_record_and_eks_restarts_the_pods() -> None:
    owned = replace(PRESENT, owner=OWNER)
    found = differing(association=owned)
    assert isinstance(found.pods, tuple)
    bare = (replace(found.pods[0], container_credentials=False), *found.pods[1:])
    (update,) = planned(replace(found, pods=bare)).actions
    assert isinstance(update, UpdateAssociation)
    assert update.addon == "vpc-cni"


JOINING = timedelta(seconds=30)


def on_joining_nodes(snapshot: Snapshot) -> Snapshot:
    """The pods were created moments ago, and two of their nodes have no agent yet."""
    assert isinstance(snapshot.pods, tuple)
    return replace(snapshot, pods=tuple(replace(pod, created_at=NOW - JOINING) for pod in snapshot.pods), agent=agent(absent=2))


def on(compute_type: ComputeType) -> Snapshot:
    """One node of the pods has no agent, and is of this type."""
    found = missing()
    assert isinstance(found.pods, tuple)
    there = agent(absent=1)
    served = {pod.node for pod in there.pods} if isinstance(there.pods, tuple) else set()
    without = next(pod.node for pod in found.pods if pod.node not in served)
    return replace(found, agent=replace(there, compute_types={without: compute_type}))


BLOCKED: dict[str, tuple[Snapshot, BlockReason, str]] = {
    "no agent": (missing(agent=NO_AGENT), BlockReason.PRECONDITION_FAILED, "The Pod Identity agent is missing"),
    "an agent absent from a node": (missing(agent=agent(absent=1)), BlockReason.PRECONDITION_FAILED, "is not ready on 1 node"),
    "the agent is not read": (
        missing(agent=AgentFacts(addon=UNREAD, pods=UNREAD)),
        BlockReason.PRECONDITION_UNKNOWN,
        "whether the Pod Identity agent is ready could not be read",
    ),
    "an agent on its way to a new node": (on_joining_nodes(missing()), BlockReason.GRACE_PERIOD, "is not ready yet on ip-"),
    "Fargate": (on(ComputeType.FARGATE), BlockReason.PRECONDITION_FAILED, "EKS Pod Identity does not work on Fargate nodes"),
    "Windows": (on(ComputeType.WINDOWS), BlockReason.PRECONDITION_FAILED, "EKS Pod Identity does not work on Windows nodes"),
    "hybrid nodes without their agent": (on(ComputeType.HYBRID), BlockReason.PRECONDITION_FAILED, "is not ready on 1 node"),
    "the role trusts only the OIDC provider": (
        missing(role=RoleFacts(arn=ROLE, trust=trust())),
        BlockReason.PRECONDITION_FAILED,
        "does not let pods.eks.amazonaws.com in",
    ),
    "a role that may not be passed": (missing(bound_roles=("",)), BlockReason.ROLE_NOT_ALLOWED, "add it to bound_roles"),
    "a target role outside the bounds": (
        missing(binding=replace(WANTED, target_role_arn=FOREIGN), bound_roles=(ROLE,)),
        BlockReason.ROLE_OUTSIDE_BOUNDS,
        FOREIGN,
    ),
    "mode observe": (missing(settings=settings(mode=Mode.OBSERVE)), BlockReason.OBSERVE_MODE, "observe"),
    "ACK declares it": (
        differing(association=replace(PRESENT, declared_by="ACK")),
        BlockReason.DECLARED_ELSEWHERE,
        "ACK declares the association and would change it back",
    ),
    "the owner of the add-on is notified only": (
        differing(association=replace(PRESENT, owner=OWNER), settings=settings(addon_record=AddonRecord.NOTIFY_ONLY)),
        BlockReason.ADDON_RECORD_NOTIFY_ONLY,
        "the owner of the add-on vpc-cni has to change its association",
    ),
    "an add-on that is not known": (
        differing(association=replace(PRESENT, owner=OWNER.replace("vpc-cni", "adot"))),
        BlockReason.NEEDS_PERSON,
        "may not update this add-on",
    ),
    "a policy that a record cannot hold": (
        differing(association=replace(PRESENT, owner=OWNER), binding=replace(WANTED, session_tags=False, policy="{}")),
        BlockReason.NEEDS_PERSON,
        "its record holds a role alone",
    ),
    "an add-on that failed": (
        differing(association=replace(PRESENT, owner=OWNER), addon=addon(status="UPDATE_FAILED")),
        BlockReason.ADDON_DEGRADED,
        "UPDATE_FAILED",
    ),
    "the binding says IRSA": (differing(binding=replace(WANTED, mechanism=Mechanism.IRSA)), BlockReason.NEEDS_PERSON, "only a person"),
}


@pytest.mark.parametrize(("snapshot", "expected", "says"), BLOCKED.values(), ids=BLOCKED)
def test_an_association_is_not_written(snapshot: Snapshot, expected: BlockReason, says: str) -> None:
    made = planned(snapshot)
    assert made.actions == ()
    assert (reason(made), says in sentence(made)) == (expected, True), sentence(made)


def test_a_role_of_another_account_is_refused_with_the_way_that_eks_offers() -> None:
    unread = missing(binding=replace(WANTED, role_arn=FOREIGN), bound_roles=(FOREIGN,), role=UNREAD, simulated=UNREAD)
    made = planned(replace(unread, settings=settings(when_unverified=WhenUnverified.RESTORE)))
    assert reason(made) is BlockReason.ROLE_NOT_ALLOWED
    assert "name this one as target_role" in sentence(made)


@pytest.mark.parametrize(("snapshot", "kind"), [(missing(), "create-association"), (differing(), "update-association")])
def test_an_association_that_is_undone_again_and_again_is_not_fought_for(snapshot: Snapshot, kind: str) -> None:
    ages = (timedelta(hours=20), timedelta(hours=10), timedelta(hours=2))
    past = RepairHistory(incidents=tuple(repaired(age, kind) for age in ages))
    made = planned(snapshot, past)
    assert (made.actions, made.verdict, reason(made)) == ((), Verdict.FLAPPING, BlockReason.TUG_OF_WAR)
