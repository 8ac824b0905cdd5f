"""Rolling replacement: many batches within one step, and stuck after minutes without progress, however many checks these took."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.application.remediation.results import ReplacementResult, ReplacementState
from lambdas.application.remediation.steps.remediation_steps import STEP_TIME
from lambdas.application.remediation.steps.rolling_replacement import MAX_IDLE, Reach, next_batch
from lambdas.domain.planning.actions import ReplaceStalePods
from tests.unit.notifications.snapshots import ROLE, pods
from tests.unit.workflow.workflow_run import run_workflow
from tests.world import NOON

if TYPE_CHECKING:
    from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
    from lambdas.domain.incidents.incident import Incident
    from lambdas.domain.planning.planned_binding import PlannedBinding
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
