"""Pods of lost nodes in the snapshot, the plan and the verification."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.contract.settings import Severity
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.assessment.summary import Counts
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.identity_chain import diagnose
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.actions import AnnotateServiceAccount, ReplaceCanaryPod, ReplaceStalePods, RestartWorkload
from lambdas.domain.snapshot.node_reachability import (
    is_rolled_out,
    is_rollout_stalled,
    lost_nodes,
    pods_on_lost_nodes,
    reachable_desired_count,
    reachable_pods,
)
from lambdas.domain.snapshot.snapshot import NOT_READ, PodFacts, Snapshot
from lambdas.domain.verification import is_verified
from tests.unit.domain.snapshot_fixtures import diagnose_and_plan, errors, snapshot_with, summary_of, workload
from tests.unit.notifications.snapshots import NOW, ROLE, nodes, pods, service_account, with_lost_nodes


def without_role(**changes: Any) -> Snapshot:
    return snapshot_with(service_account=service_account(None), pods=pods(15, None), **changes)


def counts(snapshot: Snapshot) -> Counts:
    return summary_of(snapshot).counts


def test_a_node_is_lost_if_it_is_unknown_or_only_pods_refer_to_it() -> None:
    found = nodes(3)
    theirs: tuple[PodFacts, ...] = tuple(replace(pod, node=node.name) for pod, node in zip(pods(3, ROLE), found, strict=True))
    assert lost_nodes(theirs, found) == frozenset()
    assert lost_nodes(theirs, (replace(found[0], ready=None), *found[1:])) == {found[0].name}
    assert lost_nodes(theirs, found[1:]) == {found[0].name}
    assert lost_nodes((replace(theirs[0], node=""),), found) == frozenset()
    assert lost_nodes(theirs, ()) == frozenset()


def test_every_pod_counts_if_nodes_were_not_read() -> None:
    assert len(reachable_pods(snapshot_with(nodes=NOT_READ))) == 15
    assert pods_on_lost_nodes(snapshot_with(nodes=NOT_READ)) == ()


def test_stale_pods_on_lost_nodes_do_not_break_the_chain() -> None:
    snapshot = snapshot_with()
    assert isinstance(snapshot.pods, tuple)
    stale = with_lost_nodes(replace(snapshot, pods=(replace(snapshot.pods[0], role_arn=None), *snapshot.pods[1:])), 0)
    found = diagnose(stale)
    assert found[Link.PODS].state is State.OK
    assert found[Link.PODS].sentence == "14 of 14 were admitted with the role; 1 pod on a lost node is left out"
    assert found.verdicts == (Verdict.NODES_NOT_READY,)
    assert diagnose_and_plan(stale)[1].actions == ()


def test_errors_of_a_lost_pod_are_no_evidence_against_the_role() -> None:
    snapshot = snapshot_with()
    assert isinstance(snapshot.pods, tuple)
    lost = with_lost_nodes(replace(snapshot, permission_errors=errors(snapshot.pods[0].name)), 0)
    assert counts(lost).errors_with_role == 0
    assert diagnose(lost)[Link.PERMISSION_ERRORS].state is State.OK


def test_a_lost_node_does_not_raise_the_severity_of_a_latent_fault() -> None:
    assert diagnose(without_role()).severity is Severity.WARNING
    assert diagnose(with_lost_nodes(without_role(), 0)).severity is Severity.WARNING


def test_the_plan_contains_no_pod_of_a_lost_node() -> None:
    snapshot = with_lost_nodes(without_role(), 0)
    assert isinstance(snapshot.pods, tuple)
    oldest = replace(snapshot.pods[0], created_at=NOW - timedelta(days=99))
    _, made = diagnose_and_plan(replace(snapshot, pods=(oldest, *snapshot.pods[1:])))
    canary = next(action for action in made.actions if isinstance(action, ReplaceCanaryPod))
    assert canary.pod != oldest.name
    assert [type(action) for action in made.actions] == [AnnotateServiceAccount, ReplaceCanaryPod, RestartWorkload]


@pytest.mark.parametrize(
    ("kind", "lost", "most", "expected"),
    [
        (WorkloadKind.DAEMON_SET, 1, 2, RestartWorkload),
        (WorkloadKind.DAEMON_SET, 2, 2, ReplaceStalePods),
        (WorkloadKind.STATEFUL_SET, 1, 1, ReplaceStalePods),
        (WorkloadKind.DEPLOYMENT, 3, 1, RestartWorkload),
    ],
)
def test_lost_pods_that_use_up_max_unavailable_exclude_a_restart(kind: WorkloadKind, lost: int, most: int, expected: type[object]) -> None:
    snapshot = with_lost_nodes(without_role(workload=workload(kind=kind, max_unavailable=most)), *range(lost))
    assert is_rollout_stalled(snapshot) is (expected is ReplaceStalePods)
    _, made = diagnose_and_plan(snapshot)
    assert type(made.actions[-1]) is expected
    assert not isinstance(made.actions[-1], ReplaceStalePods) or made.actions[-1].count == 15 - lost - 1


def test_a_rollout_is_complete_if_only_lost_pods_are_missing() -> None:
    assert not is_rolled_out(snapshot_with(workload=workload(updated=13)))
    assert is_rolled_out(with_lost_nodes(snapshot_with(workload=workload(updated=14, max_unavailable=5)), 0))
    assert not is_rolled_out(with_lost_nodes(snapshot_with(workload=workload(updated=13, max_unavailable=5)), 0))
    assert is_rolled_out(with_lost_nodes(snapshot_with(workload=workload(updated=3, max_unavailable=1)), 0)), "it goes on with none of them"


def test_reachable_pods_are_verified_and_lost_pods_counted() -> None:
    now = summary_of(with_lost_nodes(snapshot_with(), 0, 1))
    assert is_verified(now)
    assert (now.counts.pods, now.counts.pods_lost, now.counts.nodes, now.counts.nodes_lost) == (13, 2, 15, 2)
    assert not is_verified(summary_of(with_lost_nodes(snapshot_with(), *range(15)))), "nothing is seen, so nothing is proven"


def test_the_desired_count_excludes_pods_of_lost_nodes() -> None:
    snapshot = with_lost_nodes(snapshot_with(), 0, 1)
    assert isinstance(snapshot.pods, tuple)
    assert isinstance(snapshot.nodes, tuple)
    leaving = (replace(snapshot.pods[0], deleting=True), *snapshot.pods[1:])
    assert reachable_desired_count(workload(), leaving, snapshot.nodes) == 13
    assert reachable_desired_count(workload(kind=WorkloadKind.DEPLOYMENT), leaving, snapshot.nodes) == 14
    gone = snapshot.nodes[1:]  # its DaemonSet wants no pod there any more, though the pod is still listed
    assert reachable_desired_count(workload(desired=14), leaving, gone) == 13
