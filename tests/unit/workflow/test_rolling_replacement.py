"""Rolling replacement: many batches within one step, and stuck after minutes without progress, however many checks these took."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.application.remediation.results import ReplacementResult, ReplacementState
from lambdas.application.remediation.steps.remediation_steps import STEP_TIME
from lambdas.application.remediation.steps.rolling_replacement import MAX_IDLE, Reach, next_batch
from lambdas.contract.parameters import Mechanism
from lambdas.domain.planning.actions import ReplaceStalePods
from tests.unit.notifications.snapshots import ROLE, pods
from tests.unit.workflow.workflow_run import run_workflow
from tests.world import NOON

if TYPE_CHECKING:
    from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
    from lambdas.domain.incidents.incident import Incident
    from lambdas.domain.planning.planned_binding import PlannedBinding
    from lambdas.domain.snapshot.snapshot import PodFacts
    from tests.over_fakes.scenario_run import ScenarioRun
    from tests.unit.workflow.workflow_run import InterruptedSteps

ACTION = ReplaceStalePods(role_arn=ROLE, at_a_time=1, count=4)


@pytest.mark.parametrize(
    ("idle", "state"),
    [
        (timedelta(0), ReplacementState.WAITING),
        (MAX_IDLE - timedelta(seconds=1), ReplacementState.WAITING),
        (MAX_IDLE, ReplacementState.STUCK),
    ],
)
def test_a_replacement_is_stuck_after_minutes_without_progress(idle: timedelta, state: ReplacementState) -> None:
    former = ReplacementResult(goal=5, progress_at=NOON)
    batch, result = next_batch(ACTION, pods(4, ROLE), Reach(), former, NOON + idle)
    assert (batch, result.state, result.progress_at, result.is_idle) == ((), state, NOON, True)


def _pods(*states: str) -> tuple[PodFacts, ...]:
    """Pods on a node each: `new` has the role, `old` does not, `slow` has the role and is not ready, `sick` neither, `gone` terminates."""
    changes: dict[str, dict[str, Any]] = {
        "new": {"role_arn": ROLE},
        "old": {},
        "slow": {"role_arn": ROLE, "ready": False},
        "sick": {"ready": False},
        "gone": {"deleting": True},
    }
    return tuple(replace(pod, **changes[state]) for pod, state in zip(pods(len(states), None), states, strict=True))


LOST = frozenset({pods(1, None)[0].node})
BEFORE = NOON - timedelta(seconds=30)


@pytest.mark.parametrize(
    ("found", "reach", "former", "deleted", "expected"),
    [
        pytest.param(
            _pods("old", "old", "old"),
            Reach(),
            ReplacementResult(began_at=BEFORE),
            ["aws-node-00", "aws-node-01"],
            ReplacementResult(message="3 stale pods, 2 being replaced", goal=2, began_at=BEFORE, progress_at=NOON),
            id="the first batch",
        ),
        pytest.param(
            _pods("new", "new", "old"),
            Reach(),
            ReplacementResult(goal=2, progress_at=BEFORE, is_idle=True),
            ["aws-node-02"],
            ReplacementResult(message="1 stale pod, 1 being replaced", goal=3, progress_at=NOON),
            id="the next batch",
        ),
        pytest.param(
            _pods("new", "slow", "old"),
            Reach(),
            ReplacementResult(goal=2),
            [],
            ReplacementResult(message="1 replaced pod has not become ready", goal=2, progress_at=NOON, is_idle=True),
            id="a pod of the batch before is not ready",
        ),
        pytest.param(
            _pods("new", "slow", "slow", "old"),
            Reach(),
            ReplacementResult(goal=3, progress_at=BEFORE),
            [],
            ReplacementResult(message="2 replaced pods have not become ready", goal=3, progress_at=BEFORE, is_idle=True),
            id="two pods of the batch before are not ready",
        ),
        pytest.param(
            _pods("new", "gone", "old"),
            Reach(capacity=2),
            ReplacementResult(goal=3),
            ["aws-node-02"],
            ReplacementResult(message="1 stale pod, 1 being replaced", goal=2, progress_at=NOON),
            id="the controller can run fewer pods than before",
        ),
        pytest.param(
            _pods("slow", "slow", "old"),
            Reach(),
            ReplacementResult(),
            [],
            ReplacementResult(
                message="2 pods that have the role are not ready, so no other pod is replaced", goal=0, progress_at=NOON, is_idle=True
            ),
            id="others use up the unavailable pods",
        ),
        pytest.param(
            _pods("slow", "slow", "slow", "sick", "old"),
            Reach(),
            ReplacementResult(),
            ["aws-node-03"],
            ReplacementResult(message="2 stale pods, 1 being replaced", goal=1, progress_at=NOON),
            id="a pod that is not ready costs nothing",
        ),
        pytest.param(
            _pods("old", "new", "gone"),
            Reach(lost_nodes=LOST),
            ReplacementResult(goal=1),
            [],
            ReplacementResult(state=ReplacementState.DONE, message="every reachable pod has the role", goal=1, progress_at=NOON),
            id="only a lost node has a stale pod",
        ),
    ],
)
def test_a_batch_follows_once_the_pods_before_are_ready(
    found: tuple[PodFacts, ...], reach: Reach, former: ReplacementResult, deleted: list[str], expected: ReplacementResult
) -> None:
    batch, result = next_batch(replace(ACTION, at_a_time=2), found, reach, former, NOON)
    assert ([pod.name for pod in batch], result) == (deleted, expected)


def test_a_stale_pod_that_is_not_ready_uses_up_a_place() -> None:
    """One pod with the role and one stale pod are not ready, so no ready pod is replaced beside them."""
    with_role, broken, working = pods(3, ROLE)
    found = (replace(with_role, ready=False), replace(broken, role_arn=None, ready=False), replace(working, role_arn=None))
    batch, _ = next_batch(replace(ACTION, at_a_time=2), found, Reach(), ReplacementResult(), NOON)
    assert batch == (found[1],)


@pytest.mark.parametrize(("refuses_irsa", "deleted"), [(False, []), (True, ["aws-node-00"])])
def test_pods_of_web_identity_are_stale_where_the_role_refuses_it(deleted: list[str], *, refuses_irsa: bool) -> None:
    action = replace(ACTION, mechanism=Mechanism.POD_IDENTITY, refuses_irsa=refuses_irsa)
    batch, _ = next_batch(action, pods(1, ROLE), Reach(), ReplacementResult(), NOON)
    assert [pod.name for pod in batch] == deleted


def test_progress_ends_an_idle_time() -> None:
    stale = tuple(replace(pod, role_arn=None) for pod in pods(1, None))
    former = ReplacementResult(goal=0, progress_at=NOON, is_idle=True)
    batch, result = next_batch(ACTION, stale, Reach(), former, NOON + 2 * MAX_IDLE)
    assert (len(batch), result.state, result.progress_at, result.is_idle) == (1, ReplacementState.WAITING, NOON + 2 * MAX_IDLE, False)


def test_one_step_replaces_several_batches_and_ends_in_time() -> None:
    """Five lost nodes of 41 stop a rollout, so the other pods are replaced in batches."""
    took: list[timedelta] = []

    def note(run: ScenarioRun, _steps: InterruptedSteps) -> None:
        steps_of = run.remediation_steps

        def timed_steps_of(incident: Incident) -> RemediationSteps:
            work = steps_of(incident)
            replace_stale_pods = work.replace_stale_pods

            def timed(action: ReplaceStalePods, binding: PlannedBinding, former: ReplacementResult) -> ReplacementResult:
                began_at = run.world.now
                result = replace_stale_pods(action, binding, former)
                took.append(run.world.now - began_at)
                return result

            work.replace_stale_pods = timed  # type: ignore[method-assign]
            return work

        run.remediation_steps = timed_steps_of  # type: ignore[method-assign]

    def lose_nodes(run: ScenarioRun) -> None:
        for name in list(run.world.cluster.nodes)[:5]:
            run.world.lose_node(run.world.cluster, name)

    done = run_workflow({"nodes": 41, "settings": {"node_grace_s": "0"}}, first=lose_nodes, prepare=note)
    assert "verified" in done.notified
    assert done.writes.count("delete") == 36
    assert 0 < len(took) < 18
    assert max(took) < 2 * STEP_TIME
