"""When a verification looks at the cluster again: soon after a roll-out should be complete, and seldom until then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from lambdas.application.remediation.steps import remediation_steps
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.application.workflow_steps import PollSchedule, StepId, StepPurpose
from tests.unit.workflow.workflow_run import KEY, InterruptedSteps, run_workflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.over_fakes.scenario_run import ScenarioRun
    from tests.world import InCluster

R = TypeVar("R")


@dataclass
class CountedSteps(InterruptedSteps):
    """Counts the polls of the verification, each of which is a durable operation."""

    polls: int = 0

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        def counted(former: R) -> R:
            self.polls += step.purpose is StepPurpose.VERIFY
            return check(former)

        return super().until(step, initial, counted, is_settled, schedule)


def replace_pods_over_time(run: ScenarioRun, a_second: float) -> None:
    """Let a roll-out replace this many pods in each second after the restart."""
    world, roll_out, sleep, replaced = run.world, run.world.roll_out, run.world.sleep, 0

    def by_time(cluster: InCluster, account: tuple[str, str], _: int | None) -> None:
        nonlocal replaced
        restarted_at = next(facts.restarted_at for facts, of in cluster.workloads.values() if of == account)
        if restarted_at:
            due = int((world.now - datetime.fromisoformat(restarted_at)).total_seconds() * a_second) - replaced
            replaced += due
            roll_out(cluster, account, due)

    def go_on(seconds: float) -> None:
        sleep(seconds)
        by_time(world.cluster, KEY, None)

    world.roll_out = by_time  # type: ignore[method-assign]
    world.sleep = go_on  # type: ignore[method-assign]


@pytest.mark.parametrize(("nodes", "a_second"), [(30, 0.25), (100, 1.5), (300, 20), (300, 4)])
def test_a_roll_out_is_verified_soon_after_its_end_with_few_polls(nodes: int, a_second: float) -> None:
    made = run_workflow({"nodes": nodes}, first=lambda run: replace_pods_over_time(run, a_second), kind=CountedSteps)
    assert isinstance(made.steps, CountedSteps)
    (past,) = made.run.incidents.closed
    assert (made.outcome, past.outcome) == ("verified", "verified")
    assert nodes / a_second <= (past.closed_at - past.opened_at).total_seconds() <= nodes / a_second + 2
    assert made.steps.polls <= 6


@pytest.mark.parametrize(("large", "assessments"), [(300, 3), (301, 10)])
def test_a_large_workload_is_assessed_seldom_while_its_status_shows_a_rollout(
    large: int, assessments: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollout of 150 s: its status is read often, and every pod each minute and at the end."""
    began: list[datetime] = []
    monkeypatch.setattr(RemediationSteps, "_assess_repair", _noting(began))
    monkeypatch.setattr(remediation_steps, "LARGE_WORKLOAD", large)
    made = run_workflow({"nodes": 300}, first=lambda run: replace_pods_over_time(run, 2))
    assert (made.outcome, len(began)) == ("verified", assessments)


def test_a_rollout_that_stops_is_assessed_although_its_status_does_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """What blocks it is seen after a minute and the pause between two steps at most."""
    seen: list[datetime] = []
    monkeypatch.setattr(RemediationSteps, "_assess_repair", _noting(seen))

    settings = {"verification_timeout_s": "300"}
    made = run_workflow({"nodes": 100, "settings": settings}, first=lambda run: replace_pods_over_time(run, 0))
    assert made.outcome != "verified"
    assert max(later - former for former, later in pairwise(seen)) <= timedelta(seconds=80)


def _noting(seen: list[datetime]) -> Callable[..., Any]:
    assess = RemediationSteps._assess_repair

    def note(steps: RemediationSteps, *arguments: Any) -> Any:
        seen.append(steps.now())
        return assess(steps, *arguments)

    return note
