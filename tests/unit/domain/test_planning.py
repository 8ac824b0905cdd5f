"""The actions for each broken link, their order, and the reasons for links without an action."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lambdas.application.codec import decode, encode
from lambdas.contract.parameters import Mechanism
from lambdas.contract.settings import AddonRecord, Mode, RestartBy, Severity, WhenUnverified
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.identity_chain import diagnose
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.actions import (
    AnnotateServiceAccount,
    ReplaceCanaryPod,
    ReplaceStalePods,
    RestartWorkload,
    RestoreAnnotation,
    UpdateAddonRole,
    to_json,
    without_restart,
)
from lambdas.domain.planning.plan import BlockReason, Plan
from lambdas.domain.planning.policies import RepairHistory
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    AgentFacts,
    Binding,
    HealthIssue,
    Missing,
    NotRead,
    RoleFacts,
    Snapshot,
    Unknown,
)
from tests.unit.domain.snapshot_fixtures import (
    BORN,
    OTHER_ROLE,
    addon,
    cluster,
    errors,
    kinds,
    planned,
    settings,
    snapshot_with,
    some_pods,
    workload,
)
from tests.unit.domain.test_links import CASES
from tests.unit.notifications.snapshots import NOW, ROLE, agent, nodes, pods, service_account, trust, with_pod_identity
from tests.unit.notifications.test_golden import assert_golden
from tests.world.simulations import simulation

UNREAD = Unknown("no endpoint")
MINE = "arn:aws:iam::111122223333:role/prod-blue-vpc-cni"


def reasons(made: Plan) -> dict[Link, BlockReason]:
    return {blocked.link: blocked.reason for blocked in made.blocked}


def everything(**changes: Any) -> Snapshot:
    """The known case: record, annotation and pods have lost the role."""
    return snapshot_with(
        **{"addon": addon(role_arn=None), "service_account": service_account(None), "pods": some_pods(None, None, None), **changes}
    )


def lacking(bare: int = 3, **changes: Any) -> Snapshot:
    """An association gives the role, and the last pods were admitted without its credentials."""
    return replace(with_pod_identity(snapshot_with(), bare=bare), **changes)


def test_only_pods_without_the_credentials_of_the_association_are_replaced() -> None:
    made = planned(lacking())
    assert made.verdict is Verdict.PODS_WITHOUT_CREDENTIALS
    canary, others = made.actions
    assert isinstance(canary, ReplaceCanaryPod)
    assert isinstance(others, ReplaceStalePods)
    assert (canary.pod, canary.role_arn, canary.mechanism) == ("aws-node-12", ROLE, Mechanism.POD_IDENTITY)
    assert (others.count, others.role_arn, others.mechanism) == (2, ROLE, Mechanism.POD_IDENTITY)
    assert kinds(planned(lacking(1))) == ["replace-canary-pod"]
    assert kinds(planned(lacking(15))) == ["replace-canary-pod", "restart-workload"]


def test_a_refused_call_of_a_pod_without_credentials_is_no_evidence_against_the_role() -> None:
    made = planned(lacking(permission_errors=errors("aws-node-13")))
    assert kinds(made) == ["replace-canary-pod", "replace-stale-pods"]
    assert reasons(made) == {Link.PERMISSION_ERRORS: BlockReason.CONSEQUENCE}


def test_a_refused_call_of_a_pod_with_the_credentials_stops_the_replacement() -> None:
    assert planned(lacking(permission_errors=errors("aws-node-01", "aws-node-13"))).actions == ()


NO_REPLACEMENT = {
    "no binding": (lacking(binding=Missing("/p")), BlockReason.NO_BINDING),
    "the binding says IRSA": (
        lacking(binding=Binding(path="/p", role_arn=ROLE, mechanism=Mechanism.IRSA)),
        BlockReason.PRECONDITION_FAILED,
    ),
    "the agent is missing on a node": (lacking(agent=agent(absent=1)), BlockReason.PRECONDITION_FAILED),
    "the agent was not read": (lacking(agent=AgentFacts(addon=UNREAD, pods=UNREAD)), BlockReason.PRECONDITION_UNKNOWN),
    "the role does not trust Pod Identity": (lacking(role=RoleFacts(arn=ROLE, trust=trust())), BlockReason.PRECONDITION_FAILED),
    "the role is outside the bounds": (lacking(bound_roles=("arn:aws:iam::111122223333:role/x/*",)), BlockReason.ROLE_OUTSIDE_BOUNDS),
    "mode observe": (lacking(settings=settings(mode=Mode.OBSERVE)), BlockReason.OBSERVE_MODE),
    "the add-on is being updated": (lacking(addon=addon(status="UPDATING")), BlockReason.UPDATE_IN_PROGRESS),
}


@pytest.mark.parametrize(("snapshot", "reason"), NO_REPLACEMENT.values(), ids=NO_REPLACEMENT)
def test_no_pod_is_replaced_where_a_new_pod_might_not_get_the_role(snapshot: Snapshot, reason: BlockReason) -> None:
    made = planned(snapshot)
    assert made.actions == ()
    assert reasons(made)[Link.PODS] is reason


def test_without_an_identity_webhook_no_pod_is_replaced_and_the_record_is_still_repaired() -> None:
    made = planned(everything(service_account=service_account(), has_identity_webhook=False))
    assert kinds(made) == ["update-addon-role"]
    assert reasons(made)[Link.PODS] is BlockReason.PRECONDITION_FAILED
    for registered in (True, UNREAD, NOT_READ):
        made = planned(everything(service_account=service_account(), has_identity_webhook=registered))
        assert "replace-canary-pod" in kinds(made), "only an absent webhook is shown to admit no pod with the role"


def test_the_annotation_is_first_and_the_record_last() -> None:
    made = planned(everything(), RepairHistory(incident_id="7f3a", round=2))
    assert made.actions == (
        AnnotateServiceAccount(role_arn=ROLE, old_value=None, resource_version="4711"),
        ReplaceCanaryPod(
            pod="aws-node-00",
            uid="uid-0",
            node="ip-10-0-0-0.eu-west-1.compute.internal",
            newest=(BORN + timedelta(minutes=2)).isoformat(),
            role_arn=ROLE,
        ),
        RestartWorkload(
            workload=WorkloadKind.DAEMON_SET,
            name="aws-node",
            restarted_at="2026-11-02T02:14:41.000000Z",
            at_a_time=2,
            role_arn=ROLE,
            count=2,
        ),
        UpdateAddonRole(addon="vpc-cni", role_arn=ROLE, old_role_arn=None, token="7f3a-2"),
    )
    assert made.answers == ((Link.ANNOTATION, (0,)), (Link.PODS, (1, 2)), (Link.ADDON_RECORD, (3,)))
    assert made.blocked == ()


def test_observe_mode_proposes_the_plan_of_enforce_mode() -> None:
    made = planned(everything(settings=settings(mode=Mode.OBSERVE)))
    assert made.actions == ()
    assert made.proposed == planned(everything()).actions


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"role": Missing("r")}, id="a role that would not work"),
        pytest.param({"addon": addon(status="UPDATING")}, id="an update that runs"),
    ],
)
def test_observe_mode_proposes_no_other_action_than_enforce_mode(changes: dict[str, Any]) -> None:
    assert planned(everything(**changes, settings=settings(mode=Mode.OBSERVE))).proposed == ()


def test_the_token_of_an_update_is_stable_within_a_round() -> None:
    tokens = [planned(everything(), RepairHistory(incident_id="7f3a", round=n)).actions[-1] for n in (1, 1, 2)]
    assert tokens[0] == tokens[1] != tokens[2]


@pytest.mark.parametrize(
    ("roles", "workload_changes", "expected"),
    [
        pytest.param((ROLE, ROLE), {}, [], id="none stale"),
        pytest.param((None,), {}, ["replace-canary-pod"], id="the only one"),
        pytest.param((None, ROLE), {}, ["replace-canary-pod"], id="one of two"),
        pytest.param((None, None, ROLE), {}, ["replace-canary-pod", "replace-stale-pods"], id="two of three: waves"),
        pytest.param((None, None, OTHER_ROLE), {}, ["replace-canary-pod", "restart-workload"], id="all: restart"),
        pytest.param(
            (None, None), {"on_delete": True}, ["replace-canary-pod", "replace-stale-pods"], id="all, and OnDelete: a stamp restarts none"
        ),
    ],
)
def test_one_canary_pod_is_replaced_before_the_others(
    roles: tuple[str | None, ...], workload_changes: dict[str, Any], expected: list[str]
) -> None:
    assert kinds(planned(snapshot_with(pods=some_pods(*roles), workload=workload(**workload_changes)))) == expected


def test_all_pods_are_replaced_in_batches_if_restarts_are_off() -> None:
    made = planned(snapshot_with(pods=some_pods(None, None, OTHER_ROLE), settings=settings(restart_by=RestartBy.DELETION)))
    assert kinds(made) == ["replace-canary-pod", "replace-stale-pods"]


def test_a_restart_has_a_replacement_for_a_refusal() -> None:
    restart = planned(snapshot_with(pods=some_pods(None, None, None), workload=workload(max_unavailable=2))).actions[1]
    assert isinstance(restart, RestartWorkload)
    assert without_restart(restart) == ReplaceStalePods(at_a_time=2, count=2, role_arn=ROLE)
    strict = replace(restart, mechanism=Mechanism.POD_IDENTITY, refuses_irsa=True)
    assert without_restart(strict) == ReplaceStalePods(
        at_a_time=2, count=2, role_arn=ROLE, mechanism=Mechanism.POD_IDENTITY, refuses_irsa=True
    )


def test_a_restart_stored_by_an_older_version_has_no_replacement() -> None:
    stored = {
        "kind": "restart-workload",
        "workload": "DaemonSet",
        "name": "aws-node",
        "restarted_at": "2026-11-02T02:14:41Z",
        "at_a_time": 2,
    }
    restart = decode(RestartWorkload, stored)
    assert without_restart(restart) is None


def test_batches_exclude_the_canary_and_respect_max_unavailable() -> None:
    made = planned(snapshot_with(pods=some_pods(None, None, None, ROLE), workload=workload(max_unavailable=2)))
    assert made.actions[1] == ReplaceStalePods(at_a_time=2, count=2, role_arn=ROLE)


def test_terminating_pods_are_neither_counted_nor_canaries() -> None:
    going = some_pods(None, deleting=True)
    made = planned(snapshot_with(pods=(*going, *some_pods(ROLE, None, None)[1:])))
    assert kinds(made) == ["replace-canary-pod", "restart-workload"]
    assert isinstance(made.actions[0], ReplaceCanaryPod)
    assert made.actions[0].pod == "aws-node-01"


def test_the_canary_is_not_on_a_node_with_another_fault() -> None:
    """A successor there may not become ready with the right role either, and would stop the repair of the others."""
    some = everything(pods=pods(3, None), workload=workload(desired=3), nodes=nodes(3))
    assert isinstance(some.nodes, tuple)
    full = replace(some.nodes[0], ready=False, reason="KubeletNotReady", message="kubelet has disk pressure", pressures=("DiskPressure",))
    canary = planned(replace(some, nodes=(full, *some.nodes[1:]))).actions[1]
    assert isinstance(canary, ReplaceCanaryPod)
    assert canary.node == some.nodes[1].name


def test_the_canary_is_a_pod_on_a_node_that_is_not_ready() -> None:
    snapshot = everything(pods=some_pods(*[None] * 15), nodes=nodes(15, unready=2))
    canary = planned(snapshot).actions[1]
    assert isinstance(canary, ReplaceCanaryPod)
    assert canary.node == "ip-10-0-0-13.eu-west-1.compute.internal"


def test_the_canary_is_the_oldest_pod_if_every_node_is_ready() -> None:
    for listed in (some_pods(None, None, None), some_pods(None, None, None)[::-1]):
        canary = planned(everything(pods=listed)).actions[1]
        assert isinstance(canary, ReplaceCanaryPod)
        assert canary.pod == "aws-node-00"


def test_the_successor_of_a_deployments_pod_is_identified_by_its_age() -> None:
    canary = planned(everything(workload=workload(kind=WorkloadKind.DEPLOYMENT))).actions[1]
    assert isinstance(canary, ReplaceCanaryPod)
    assert (canary.node, canary.newest) == ("", (BORN + timedelta(minutes=2)).isoformat())
    assert canary.as_new == ("uid-2",)


@pytest.mark.parametrize(("count", "remembered", "later"), [(50, 50, timedelta()), (51, 0, timedelta(seconds=1))])
def test_the_pods_of_one_second_fit_into_a_checkpoint(count: int, remembered: int, later: timedelta) -> None:
    canary = planned(everything(workload=workload(kind=WorkloadKind.DEPLOYMENT), pods=pods(count, None, created_at=BORN))).actions[1]
    assert isinstance(canary, ReplaceCanaryPod)
    assert len(canary.as_new) == remembered
    assert canary.newest == (BORN + later).isoformat()


def test_pods_with_the_role_are_not_restarted() -> None:
    assert kinds(planned(snapshot_with(service_account=service_account(None)))) == ["annotate-service-account"]


def test_the_old_value_is_kept_for_history() -> None:
    made = planned(snapshot_with(service_account=service_account(OTHER_ROLE)))
    assert made.actions == (AnnotateServiceAccount(role_arn=ROLE, old_value=OTHER_ROLE, resource_version="4711"),)


def test_a_value_longer_than_any_role_is_not_kept() -> None:
    for length, kept in ((2048, True), (2049, False)):
        action = planned(snapshot_with(service_account=service_account("x" * length))).actions[0]
        assert isinstance(action, AnnotateServiceAccount)
        assert (action.old_value is not None) is kept


# --- a roll-out under way ----------------------------------------------------------------------------------------------------------------


def test_a_running_rollout_that_replaces_the_stale_pods_is_awaited() -> None:
    made = planned(snapshot_with(pods=some_pods(None, ROLE), workload=workload(updated=1, desired=2)))
    assert made.actions == ()
    assert made.wait == "a rollout of aws-node is in progress (1 of 2)"
    assert reasons(made) == {Link.PODS: BlockReason.CONSEQUENCE}
    assert [blocked.sentence for blocked in made.blocked] == [made.wait]


def test_pods_that_the_webhook_missed_in_a_rollout_are_replaced() -> None:
    snapshot = snapshot_with(
        pods=some_pods(None, None), service_account=service_account(at=BORN + timedelta(seconds=30)), workload=workload(updated=1)
    )
    made = planned(snapshot)
    assert [action.pod for action in made.actions if isinstance(action, ReplaceCanaryPod)] == ["aws-node-01"]


def test_a_rollout_without_an_identity_webhook_is_not_awaited() -> None:
    made = planned(snapshot_with(pods=some_pods(None, ROLE), workload=workload(updated=1, desired=2), has_identity_webhook=False))
    assert (made.actions, made.wait) == ((), None)
    assert reasons(made) == {Link.PODS: BlockReason.PRECONDITION_FAILED}


def _with_a_pod_that_starts(age: timedelta) -> Snapshot:
    """Two stale pods that work, and one with the role that has not become ready since this time."""
    stale, other, new = some_pods(None, None, ROLE)
    began_at = snapshot_with().began_at
    pods = (stale, other, replace(new, ready=False, created_at=began_at - age))
    return snapshot_with(pods=pods, workload=workload(updated=3, desired=3, max_unavailable=1))


def test_no_ready_pod_is_replaced_while_pods_with_the_role_start() -> None:
    made = planned(_with_a_pod_that_starts(timedelta(minutes=9)))
    assert made.actions == ()
    assert made.wait == "1 pod of aws-node with the role is starting"
    assert reasons(made) == {Link.PODS: BlockReason.CONSEQUENCE}
    assert [blocked.sentence for blocked in made.blocked] == [made.wait]


def test_pods_that_start_are_counted() -> None:
    snapshot = _with_a_pod_that_starts(timedelta(minutes=9))
    assert isinstance(snapshot.pods, tuple)
    (*stale, new) = snapshot.pods
    both = (*stale, new, replace(new, name="aws-node-09", uid="uid-9"))
    found = replace(snapshot, pods=both, workload=workload(updated=4, desired=4, max_unavailable=2))
    assert planned(found).wait == "2 pods of aws-node with the role are starting"


def test_pods_that_do_not_start_are_not_awaited_for_longer_than_ten_minutes() -> None:
    made = planned(_with_a_pod_that_starts(timedelta(minutes=11)))
    assert made.wait is None
    assert "replace-canary-pod" in kinds(made)


def test_the_canary_is_a_stale_pod_that_fails_where_no_other_may_be_unavailable() -> None:
    first, second, third = some_pods(None, None, ROLE)
    for is_ready, canary in ((False, "aws-node-01"), (True, "aws-node-00")):
        pods = (first, replace(second, ready=is_ready), third)
        made = planned(snapshot_with(pods=pods, workload=workload(updated=3, desired=3, max_unavailable=1)))
        assert [action.pod for action in made.actions if isinstance(action, ReplaceCanaryPod)] == [canary]


def test_a_rollout_that_its_own_pods_block_is_not_awaited() -> None:
    """It began between assessment and annotation: its pods lack the role, are not ready, and use up max_unavailable."""
    pods = (*some_pods(ROLE, ROLE), *(replace(pod, ready=False) for pod in some_pods(ROLE, ROLE, None, None)[2:]))
    snapshot = snapshot_with(
        pods=pods, service_account=service_account(at=BORN + timedelta(hours=1)), workload=workload(updated=2, desired=4)
    )
    made = planned(snapshot)
    assert kinds(made) == ["replace-canary-pod", "replace-stale-pods"]
    assert [action.pod for action in made.actions if isinstance(action, ReplaceCanaryPod)] == ["aws-node-02"]
    assert made.wait is None


def test_pods_of_a_rollout_are_replaced_where_the_rollout_made_every_pod() -> None:
    pods = some_pods(None, None)
    snapshot = snapshot_with(
        pods=pods, service_account=service_account(at=BORN + timedelta(hours=1)), workload=workload(updated=2, desired=4)
    )
    assert [action.pod for action in planned(snapshot).actions if isinstance(action, ReplaceCanaryPod)] == ["aws-node-00"]


def test_a_pod_as_old_as_the_annotation_is_left_to_the_rollout() -> None:
    pods = some_pods(None, ROLE)
    snapshot = snapshot_with(pods=pods, service_account=service_account(at=pods[0].created_at), workload=workload(updated=1, desired=2))
    assert planned(snapshot).actions == ()


@pytest.mark.parametrize("status", [{"updated": 0}, {"updated": 4, "generation": 8}], ids=["before its first pod", "before its status"])
def test_the_pods_of_a_rollout_are_not_guessed(status: dict[str, int]) -> None:
    pods = some_pods(None, None, None, None)
    made = planned(
        snapshot_with(pods=pods, service_account=service_account(at=BORN + timedelta(hours=1)), workload=workload(desired=4, **status))
    )
    assert (made.actions, made.wait is None) == ((), False)


def test_no_rollout_is_awaited_with_on_delete() -> None:
    made = planned(snapshot_with(pods=some_pods(None, ROLE), workload=workload(updated=1, desired=2, on_delete=True)))
    assert kinds(made) == ["replace-canary-pod"]


def test_a_rollout_without_the_annotation_is_not_awaited() -> None:
    made = planned(everything(workload=workload(updated=1)))
    assert kinds(made)[:2] == ["annotate-service-account", "replace-canary-pod"]
    assert made.wait is None


# --- waiting -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "snapshot",
    [everything(addon=addon(status="UPDATING", role_arn=None)), everything(cluster=cluster(status="UPDATING"))],
    ids=["add-on", "cluster"],
)
def test_nothing_is_written_while_an_update_runs(snapshot: Snapshot) -> None:
    made = planned(snapshot)
    assert made.actions == ()
    assert made.wait
    assert set(reasons(made).values()) == {BlockReason.UPDATE_IN_PROGRESS}


def test_a_blocker_is_reported_even_while_an_update_runs() -> None:
    made = planned(everything(addon=addon(status="UPDATING"), settings=settings(mode=Mode.OBSERVE)))
    assert made.wait is None
    assert reasons(made)[Link.ANNOTATION] is BlockReason.OBSERVE_MODE


# --- guards ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unread", [{"role": UNREAD}, {"oidc_provider": UNREAD}], ids=["role", "provider"])
def test_a_missing_value_is_restored_if_a_precondition_is_unread(unread: dict[str, Any]) -> None:
    assert kinds(planned(everything(**unread))) == [
        "annotate-service-account",
        "replace-canary-pod",
        "restart-workload",
        "update-addon-role",
    ]


@pytest.mark.parametrize(
    ("changes", "link"),
    [
        pytest.param({"service_account": service_account(OTHER_ROLE), "pods": pods(3, ROLE)}, Link.ANNOTATION, id="annotation"),
        pytest.param({"service_account": service_account(), "pods": some_pods(OTHER_ROLE, None)}, Link.PODS, id="pods"),
        pytest.param({"addon": addon(role_arn=OTHER_ROLE), "pods": pods(3, ROLE)}, Link.ADDON_RECORD, id="record"),
    ],
)
def test_an_existing_value_is_not_replaced_if_a_precondition_is_unread(changes: dict[str, Any], link: Link) -> None:
    made = planned(everything(role=UNREAD, **changes))
    assert reasons(made)[link] is BlockReason.PRECONDITION_UNKNOWN
    assert link not in dict(made.answers)


def test_pods_are_not_replaced_before_the_annotation() -> None:
    made = planned(everything(role=UNREAD, service_account=service_account(OTHER_ROLE), addon=addon()))
    assert made.actions == ()
    assert reasons(made) == {Link.ANNOTATION: BlockReason.PRECONDITION_UNKNOWN, Link.PODS: BlockReason.CONSEQUENCE}


def test_when_unverified_refuse_blocks_writes_if_a_precondition_is_unread() -> None:
    made = planned(everything(oidc_provider=UNREAD, settings=settings(when_unverified=WhenUnverified.REFUSE)))
    assert made.actions == ()
    assert set(reasons(made).values()) == {BlockReason.PRECONDITION_UNKNOWN}


def test_a_broken_precondition_blocks_every_write() -> None:
    made = planned(everything(role=Missing("role")))
    assert made.actions == ()
    assert reasons(made)[Link.ROLE] is BlockReason.NEEDS_PERSON
    assert reasons(made)[Link.ANNOTATION] is BlockReason.PRECONDITION_FAILED


# --- the add-on record -------------------------------------------------------------------------------------------------------------------


def test_a_record_of_another_owner_is_reported_and_the_rest_repaired() -> None:
    made = planned(everything(addon=addon(role_arn=OTHER_ROLE), settings=settings(addon_record=AddonRecord.NOTIFY_ONLY)))
    assert "update-addon-role" not in kinds(made)
    assert reasons(made) == {Link.ADDON_RECORD: BlockReason.ADDON_RECORD_NOTIFY_ONLY}


@pytest.mark.parametrize(
    ("status", "acts"), [("ACTIVE", True), ("DEGRADED", True), ("UPDATE_FAILED", False), ("CREATE_FAILED", False)], ids=str
)
def test_a_record_is_written_only_if_an_update_can_succeed(status: str, acts: bool) -> None:
    issues = (HealthIssue(code="InsufficientNumberOfReplicas", message="m"),)
    made = planned(snapshot_with(addon=addon(status=status, role_arn=None, issues=issues)))
    assert (kinds(made) == ["update-addon-role"]) is acts
    assert (Link.ADDON_RECORD in reasons(made)) is not acts


def test_an_access_error_of_eks_itself_is_no_evidence_against_the_role() -> None:
    words = 'daemonsets.apps "aws-node" is forbidden: User "eks:addon-manager" cannot patch resource "daemonsets"'
    refused = addon(status="DEGRADED", issues=(HealthIssue(code="AccessDenied", message=words),))
    found = diagnose(snapshot_with(addon=refused, permission_errors=()))
    assert found.verdict is Verdict.ADDON_DEGRADED
    assert Verdict.PERMISSIONS_MISSING not in found.verdicts


def test_another_degradation_needs_a_person_and_the_rest_is_repaired() -> None:
    conflict = addon(status="UPDATE_FAILED", issues=(HealthIssue(code="ConfigurationConflict", message="m"),))
    made = planned(everything(addon=conflict))
    assert kinds(made) == ["annotate-service-account", "replace-canary-pod", "restart-workload"]
    assert reasons(made) == {Link.ADDON_RECORD: BlockReason.NEEDS_PERSON}


# --- what is not ours --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("snapshot", "link", "reason"),
    [
        pytest.param(snapshot_with(cluster=Missing("c")), Link.CLUSTER, BlockReason.NEEDS_PERSON, id="cluster gone"),
        pytest.param(
            snapshot_with(cluster=Missing("c"), binding=Missing("/p")), Link.CLUSTER, BlockReason.NO_BINDING, id="cluster and binding gone"
        ),
        pytest.param(snapshot_with(pods=Unknown("403")), Link.CLUSTER, BlockReason.NEEDS_PERSON, id="no access"),
        pytest.param(
            snapshot_with(service_account=Missing("sa")), Link.ANNOTATION, BlockReason.NEEDS_PERSON, id="no ServiceAccount to write to"
        ),
        pytest.param(
            snapshot_with(addon=Unknown("404"), cluster=cluster(created_at=NOW)), Link.ADDON_RECORD, BlockReason.GRACE_PERIOD, id="young"
        ),
        pytest.param(
            snapshot_with(nodes=nodes(15, unready=1, pressures=("DiskPressure",), message="")),
            Link.NODES,
            BlockReason.NEEDS_PERSON,
            id="disk",
        ),
        pytest.param(
            snapshot_with(nodes=nodes(15, unready=1)), Link.NODES, BlockReason.NEEDS_PERSON, id="nodes wait though the identity is right"
        ),
        pytest.param(
            snapshot_with(permission_errors=errors("aws-node-01")),
            Link.PERMISSION_ERRORS,
            BlockReason.NEEDS_PERSON,
            id="the role does not suffice",
        ),
    ],
)
def test_a_fault_without_an_action_has_a_reason(snapshot: Snapshot, link: Link, reason: BlockReason) -> None:
    made = planned(snapshot)
    assert made.actions == ()
    assert reasons(made) == {link: reason}


def test_symptoms_end_with_their_cause() -> None:
    made = planned(everything(pods=some_pods(*[None] * 15), nodes=nodes(15, unready=2), permission_errors=errors("aws-node-01")))
    assert reasons(made) == {Link.PERMISSION_ERRORS: BlockReason.CONSEQUENCE, Link.NODES: BlockReason.CONSEQUENCE}


def test_a_node_with_another_fault_needs_a_person_during_a_repair() -> None:
    made = planned(everything(nodes=nodes(15, unready=1, pressures=("DiskPressure",), message="")))
    assert made.actions
    assert reasons(made) == {Link.NODES: BlockReason.NEEDS_PERSON}


@pytest.mark.parametrize(("errors_read", "verdict"), [((), Verdict.HEALTHY), (NOT_READ, Verdict.NO_FAULT_FOUND)])
def test_a_chain_without_a_fault_has_an_empty_plan(errors_read: tuple[()] | NotRead, verdict: Verdict) -> None:
    found = snapshot_with(permission_errors=errors_read, simulated=simulation())
    assert planned(found) == Plan(verdict=verdict, severity=Severity.INFO)


# --- modes -------------------------------------------------------------------------------------------------------------------------------


def test_approval_is_requested_only_for_actions() -> None:
    approve = settings(mode=Mode.APPROVE)
    assert planned(everything(settings=approve)).needs_approval
    assert not planned(
        snapshot_with(addon=addon(role_arn=OTHER_ROLE), settings=settings(mode=Mode.APPROVE, addon_record=AddonRecord.NOTIFY_ONLY))
    ).needs_approval
    assert not planned(everything()).needs_approval


# --- actions as data ---------------------------------------------------------------------------------------------------------------------

ACTIONS = (
    *planned(everything(workload=workload(kind=WorkloadKind.DEPLOYMENT))).actions,
    ReplaceStalePods(at_a_time=1, count=1, role_arn=ROLE),
    RestoreAnnotation(value=None, ours=MINE),
)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda item: type(item).__name__)
def test_an_action_survives_a_checkpoint(action: Any) -> None:
    assert decode(type(action), json.loads(json.dumps(encode(action)))) == action
    assert action.sentence


@pytest.mark.parametrize(("count", "words"), [(1, "replace 1 stale pod (1 at a time)"), (2, "replace 2 stale pods (1 at a time)")])
def test_stale_pods_are_counted_in_words(count: int, words: str) -> None:
    assert ReplaceStalePods(at_a_time=1, count=count, role_arn=ROLE).sentence == words


def test_each_plan_is_as_reviewed() -> None:
    """The plans for the cases of each link: actions, and what blocks the others. After a wanted change: `UPDATE_GOLDEN=1`."""
    names: dict[str, list[str]] = {}
    for name, (snapshot, *_) in CASES.items():
        names.setdefault("\n".join(_plan_lines(planned(snapshot))), []).append(name)
    text = "\n".join("\n".join((*(f"######## {name}" for name in found), f"{plan}\n")) for plan, found in names.items())
    assert_golden(Path(__file__).parent / "golden" / "plans.txt", text)


def _plan_lines(made: Plan) -> Iterator[str]:
    for action in made.actions:
        yield f"> {json.dumps({name: value for name, value in to_json(action).items() if value}, default=str)}"
    yield from (f"proposed: {action.kind}" for action in made.proposed)
    for blocked in made.blocked:
        until = f" (until {blocked.until.isoformat()})" if blocked.until else ""
        yield f"- {blocked.link.title}: {blocked.reason}: {blocked.sentence}{until}"
    yield made.wait or ("needs approval" if made.needs_approval else "applied at once" if made.actions else "nothing to do")
