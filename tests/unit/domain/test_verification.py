"""Each state of a verification, from two snapshots and the time that is left."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.assessment.summary import AssessmentSummary, Counts
from lambdas.domain.planning.actions import Action, ReplaceCanaryPod, ReplaceStalePods, RestartWorkload
from lambdas.domain.snapshot.snapshot import Unknown
from lambdas.domain.verification import (
    LOST_NODE_PATIENCE,
    PATIENCE,
    VerificationState,
    is_verified,
    missing_parts,
    progress,
    remaining_time,
    verify,
)
from tests.unit.domain.snapshot_fixtures import addon, cluster, snapshot_with, summary_of
from tests.unit.notifications.snapshots import EBS, ROLE, healthy_snapshot, service_account

WELL = summary_of(snapshot_with())
SECONDS = int(PATIENCE.total_seconds())
BEFORE = replace(
    summary_of(snapshot_with(service_account=service_account(None))),
    counts=Counts(pods=15, pods_right=0, pods_ready=12, nodes=15, nodes_ready=12, nodes_waiting=3),
)


def now(verdicts: tuple[str, ...] = (), **counts: Any) -> AssessmentSummary:
    return replace(WELL, verdicts=verdicts, counts=replace(WELL.counts, **counts))


@pytest.mark.parametrize(
    ("present", "idle_s", "state"),
    [
        pytest.param(now(), 0, VerificationState.VERIFIED, id="all is well"),
        pytest.param(now(("nodes-not-ready",), nodes_ready=14), 0, VerificationState.VERIFIED, id="a node is unwell for another cause"),
        pytest.param(now(("addon-degraded",)), 0, VerificationState.VERIFIED, id="the add-on is unwell for another cause"),
        pytest.param(now(("addon-degraded", "pods-stale")), 0, VerificationState.WAITING, id="and something of ours too"),
        pytest.param(now(("pods-stale",), pods_right=14), 0, VerificationState.WAITING, id="one pod is stale"),
        pytest.param(now(pods_ready=14), 0, VerificationState.WAITING, id="one pod is not ready"),
        pytest.param(now(pods=14, pods_right=14, pods_ready=14), 0, VerificationState.WAITING, id="a wanted pod does not exist"),
        pytest.param(
            now(pods=14, pods_right=14, pods_ready=14, pods_lost=1), 0, VerificationState.VERIFIED, id="the missing pod is on a lost node"
        ),
        pytest.param(now(rolled_out=False), 0, VerificationState.WAITING, id="the roll-out goes on"),
        pytest.param(now(nodes_waiting=1), 0, VerificationState.WAITING, id="a node waits"),
        pytest.param(now(("update-in-progress",)), 0, VerificationState.WAITING, id="our update of the record runs"),
        pytest.param(
            now(("permissions-missing",), errors_with_role=1), 0, VerificationState.WORSE, id="refused with the role, as nobody was before"
        ),
        pytest.param(
            now(("pods-stale",), pods_ready=14, pods_not_starting=1), SECONDS - 1, VerificationState.WAITING, id="slow, one second early"
        ),
        pytest.param(now(("pods-stale",), pods_ready=14, pods_not_starting=1), SECONDS, VerificationState.STALLED, id="hanging"),
        pytest.param(now(("pods-stale",), pods_ready=14), SECONDS * 9, VerificationState.WAITING, id="idle, and nothing hangs: slow"),
        pytest.param(now(pods_not_starting=1), SECONDS, VerificationState.VERIFIED, id="proven weighs more than a pod that restarts"),
    ],
)
def test_the_current_snapshot_is_verified(present: AssessmentSummary, idle_s: int, state: VerificationState) -> None:
    assert verify(BEFORE, present, idle=timedelta(seconds=idle_s)).state is state


@pytest.mark.parametrize("before", [{"errors_without_role": 3}, {"errors_with_role": 1}])
def test_errors_from_before_the_repair_are_no_deterioration(before: dict[str, Any]) -> None:
    failing = replace(BEFORE, counts=replace(BEFORE.counts, **before))
    assert verify(failing, now(("permissions-missing",), errors_with_role=1)).state is VerificationState.ROLE_INSUFFICIENT


def test_pods_that_were_stuck_before_the_repair_are_not_counted() -> None:
    hung = replace(BEFORE, counts=replace(BEFORE.counts, pods_not_starting=2))
    assert verify(hung, now(("pods-stale",), pods_ready=13, pods_not_starting=2), idle=2 * PATIENCE).state is VerificationState.WAITING
    assert verify(hung, now(("pods-stale",), pods_ready=12, pods_not_starting=3), idle=2 * PATIENCE).state is VerificationState.STALLED


CANARY = ReplaceCanaryPod(pod="aws-node-01", uid="1", node="n1", newest="2026-01-01T12:00:00Z", role_arn=ROLE)
RESTART = RestartWorkload(
    workload=WorkloadKind.DAEMON_SET, name="aws-node", restarted_at="2026-01-01T12:00:00Z", at_a_time=2, role_arn=ROLE
)
WAVES = ReplaceStalePods(at_a_time=2, count=11, role_arn=ROLE)


@pytest.mark.parametrize(
    ("planned", "state"),
    [
        pytest.param((), VerificationState.MORE_STALE_PODS, id="none was stale"),
        pytest.param((CANARY,), VerificationState.MORE_STALE_PODS, id="one was"),
        pytest.param((CANARY, RESTART), VerificationState.WAITING, id="restarted"),
        pytest.param((CANARY, WAVES), VerificationState.WAITING, id="in waves"),
    ],
)
def test_new_stale_pods_are_awaited_only_if_the_plan_replaces_all(planned: tuple[Action, ...], state: VerificationState) -> None:
    before = replace(BEFORE, actions=(*BEFORE.actions, *planned))
    stale = now(("pods-stale",), pods_right=3)
    assert verify(before, stale).state is VerificationState.WAITING, "a roll-out replaces them"
    proof = verify(before, replace(stale, actions=(CANARY, WAVES)))
    assert proof.state is state
    assert proof.sentence.endswith("12 pods started without it before the annotation was restored") is (
        state is VerificationState.MORE_STALE_PODS
    )


@pytest.mark.parametrize(
    ("idle", "actions", "state"),
    [
        pytest.param(LOST_NODE_PATIENCE, (WAVES,), VerificationState.PARTIAL, id="pods are left, and nothing moves"),
        pytest.param(LOST_NODE_PATIENCE - timedelta(seconds=1), (WAVES,), VerificationState.WAITING, id="one second early"),
        pytest.param(LOST_NODE_PATIENCE, (), VerificationState.WAITING, id="nothing is left to do"),
    ],
)
def test_a_node_that_was_lost_during_the_repair_ends_the_roll_out(
    idle: timedelta, actions: tuple[Action, ...], state: VerificationState
) -> None:
    before = replace(BEFORE, actions=(*BEFORE.actions, RESTART))
    stuck = replace(now(("pods-stale",), pods=14, pods_right=9, pods_ready=14, pods_lost=1), actions=actions)
    proof = verify(before, stuck, idle=idle)
    assert proof.state is state
    assert proof.sentence.startswith("9 of 14 pods carry the role, 14 ready, 15 of 15 nodes Ready (1 pod is on a lost node, left out)")
    assert proof.sentence.endswith("; a lost node blocks the rest") is (state is VerificationState.PARTIAL)
    lost_before = replace(before, counts=replace(before.counts, pods_lost=1))
    assert verify(lost_before, stuck, idle=idle).state is VerificationState.WAITING


@pytest.mark.parametrize(("pods", "words"), [(1, "1 pod does not start"), (2, "2 pods do not start")])
def test_the_sentence_of_a_stalled_repair_names_the_pods_and_the_counts(pods: int, words: str) -> None:
    hanging = now(("pods-stale",), pods_ready=13, pods_not_starting=pods)
    sentence = verify(BEFORE, hanging, idle=PATIENCE).sentence
    assert sentence.startswith(f"{words} for another reason; 15 of 15 pods carry the role, 13 ready")


def test_new_refusals_are_told_with_what_was_refused() -> None:
    worse = replace(now(("permissions-missing",), errors_with_role=1), sentence="The role may not call ec2:CreateTags.")
    assert verify(BEFORE, worse).sentence == (
        "AWS refuses calls of pods with the role and did not refuse calls before: The role may not call ec2:CreateTags."
    )


def test_nothing_is_verified_without_a_desired_role() -> None:
    assert not is_verified(now(("annotation-missing",), pods_right=0))
    assert not is_verified(now(pods_right=0))


def test_progress_counts_what_a_repair_changes() -> None:
    still = progress(WELL.counts)
    for moved in ({"pods_right": 1}, {"pods_ready": 1}, {"nodes_ready": 1}, {"rolled_out": False}):
        assert progress(replace(WELL.counts, **moved)) != still
    assert progress(replace(WELL.counts, errors_with_role=9)) == still


def test_no_pod_is_no_share_of_pods() -> None:
    sentence = verify(BEFORE, now(pods=0, pods_right=0, pods_ready=0)).sentence
    assert sentence.startswith("none of 15 wanted pods exists, 15 of 15 nodes Ready")


def test_the_sentence_shows_the_counts() -> None:
    assert verify(BEFORE, now()).sentence.startswith("15 of 15 pods carry the role, 15 ready, 15 of 15 nodes Ready")
    single = now(pods=1, pods_right=1, pods_ready=1, nodes=1, nodes_ready=1)
    assert verify(BEFORE, single).sentence.startswith("1 of 1 pod carries the role, 1 ready, 1 of 1 node Ready")


def test_nodes_are_not_shown_for_a_workload_that_does_not_make_them_ready() -> None:
    driver = summary_of(snapshot_with(healthy_snapshot(EBS), addon_name="aws-ebs-csi-driver"))
    assert "node" not in verify(driver, driver).sentence


@pytest.mark.parametrize(
    ("release", "limits"),
    [
        ("v1.20.1-eksbuild.1", "refusals of STS and of ec2:DetachNetworkInterface send none"),
        ("v1.22.1-eksbuild.1", "refusals of STS and of ec2:DescribeSecurityGroups, ec2:DetachNetworkInterface send none"),
        ("unreadable", "refusals of STS and of other calls that are not known send none"),
    ],
)
def test_a_verification_names_the_calls_whose_refusal_sends_no_event(release: str, limits: str) -> None:
    result = verify(BEFORE, summary_of(snapshot_with(addon=addon(version=release), cluster=cluster(ip_family="ipv4"))))
    assert result.state is VerificationState.VERIFIED
    assert f"no MissingIAMPermissions event since the pods were created; {limits}" in result.sentence


def test_a_verification_says_where_events_could_not_be_read() -> None:
    result = verify(BEFORE, summary_of(snapshot_with(permission_errors=Unknown("403"))))
    assert "events of refused calls could not be read" in result.sentence
    assert "no MissingIAMPermissions event" not in result.sentence


@pytest.mark.parametrize(
    ("former", "counts", "remaining_s"),
    [
        pytest.param({"pods_right": 100, "pods_ready": 100}, {"pods_right": 400, "pods_ready": 400}, 20, id="600 pods at 30 a second"),
        pytest.param({"pods_right": 100, "pods_ready": 1000}, {"pods_right": 600, "pods_ready": 900}, 8, id="the role is what is missing"),
        pytest.param({"pods_right": 1000, "pods_ready": 500}, {"pods_right": 1000, "pods_ready": 750}, 10, id="readiness is missing"),
        pytest.param({"nodes_waiting": 400}, {"nodes_waiting": 300}, 30, id="nodes still wait"),
        pytest.param({"pods": 900, "pods_wanted": 1000}, {"pods": 980, "pods_wanted": 1000}, 2.5, id="wanted pods do not exist yet"),
        pytest.param(
            {"pods": 900, "pods_wanted": 1000, "pods_lost": 80},
            {"pods": 910, "pods_wanted": 1000, "pods_lost": 80},
            10,
            id="but not lost ones",
        ),
        pytest.param({"pods_ready": 990}, {"rolled_out": False}, 0, id="nothing is missing any more"),
        pytest.param({"pods_ready": 990}, {"pods_ready": 990}, None, id="no progress"),
        pytest.param({"pods_ready": 990}, {"pods_ready": 900}, None, id="a step back"),
        pytest.param({"rolled_out": False}, {"rolled_out": False}, None, id="nothing was missing before"),
    ],
)
def test_the_rest_takes_as_long_as_the_progress_since_the_former_look_says(
    former: dict[str, int], counts: dict[str, int], remaining_s: float | None
) -> None:
    """Two looks with ten seconds between them at a cluster of 1,000 pods."""

    def thousand(changed: dict[str, int]) -> Counts:
        pods = changed.get("pods", 1000)
        return Counts(**{"pods": pods, "pods_right": pods, "pods_ready": pods, **changed})

    expected = None if remaining_s is None else timedelta(seconds=remaining_s)
    assert remaining_time(missing_parts(thousand(former)), missing_parts(thousand(counts)), timedelta(seconds=10)) == expected
