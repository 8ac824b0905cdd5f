"""A process that is killed before a step, after its effect or after its checkpoint: the execution resumes and does nothing twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from sandbox.simulation.scenario import load, names
from tests.over_fakes.journaled_steps import Journal, JournaledSteps, Killed, Phase, Point
from tests.over_fakes.scenario_run import ScenarioRun, run_scenario
from tests.over_fakes.scenario_world import BOUND_ROLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ACTING = [name for name in names() if load(name).expect.actions]
KILLED_ANYWHERE = (
    "addon-role-missing",
    "annotation-wiped",
    "association-of-addon-differs",
    "association-wanted-by-node-role-pods",
    "latent-and-role-unfit",
    "webhook-down",
)
"""Scenarios whose process is killed at every point in `make test`: restart, batches, associations, rollback, and a missed canary.

`make chaos` covers all scenarios.
"""


UNSTABLE_PODS = {"webhook-down", "webhook-lags", "repair-clock", "update-waited-for"}
"""Scenarios that admit pods without the role during the repair. The number of replaced pods depends on the time of assessment."""

NO_IRSA = "pod-identity-only"
"""The trust of a role that pods cannot use by IRSA: a pod that was admitted with the role by IRSA is rightly replaced."""


@dataclass
class RunResult:
    """The result of a run, to compare a killed run with an undisturbed one."""

    outcome: str
    writes: Counter[str]
    needless: list[str]
    told: list[str]
    annotations: dict[str, str]
    roles: Counter[str | None]
    journal: Journal
    kills: int


def _run(name: str, kill: Callable[[Point], bool] = lambda _: False) -> RunResult:
    """Run a scenario. When the process is killed, another one resumes from the journal a second later."""
    journals: dict[str, Journal] = {}
    kills: list[Point] = []

    def steps(run: ScenarioRun) -> JournaledSteps:
        journal = journals.setdefault(run.opened[-1].id, Journal())
        return JournaledSteps(journal=journal, sleep=run.world.sleep, kill=kill)

    class Resumed(ScenarioRun):
        def run_executions(self) -> None:
            waiting = dict(self.remediator.waiting)
            try:
                super().run_executions()
            except Killed as killed:
                kills.append(killed.args[0])
                self.world.sleep(1)
                self.remediator.waiting.update(waiting)
                self.run_executions()

    scenario = load(name)
    run = run_scenario(scenario, steps, Resumed)
    world = run.world
    deleted = [write.rsplit("/", 1)[-1] for write in world.writes if write.startswith("delete pod")]
    return RunResult(
        outcome=run.outcome().outcome,
        writes=Counter(_kind(write) for write in world.writes),
        needless=[pod for pod in deleted if world.replaced[pod] == BOUND_ROLE and scenario.world.trust != NO_IRSA],
        told=[message["metadata"]["additionalContext"]["outcome"] for message in run.outcome().messages],
        annotations=run.world.cluster.annotations,
        roles=Counter(run.world.cluster.pod_roles),
        journal=next(iter(journals.values())),
        kills=len(kills),
    )


def _kind(write: str) -> str:
    return write.split(maxsplit=1)[0] if not write.startswith("delete pod") else "delete pod"


def _once_at(points: Iterable[Point]) -> Callable[[Point], bool]:
    """Kill the process at each of these points once."""
    left = set(points)

    def kill(point: Point) -> bool:
        if point in left:
            left.remove(point)
            return True
        return False

    return kill


def _same(name: str, killed: RunResult, quiet: RunResult) -> None:
    assert killed.outcome == quiet.outcome
    assert killed.needless == quiet.needless == []
    if name in UNSTABLE_PODS:
        killed.writes.pop("delete pod", None)
        quiet = replace(quiet, writes=Counter({kind: count for kind, count in quiet.writes.items() if kind != "delete pod"}))
    assert killed.writes == quiet.writes
    assert killed.told == quiet.told
    assert killed.annotations == quiet.annotations
    assert killed.roles == quiet.roles


@pytest.mark.parametrize("name", ACTING)
def test_a_run_that_is_killed_at_every_point_has_the_same_result(name: str) -> None:
    quiet = _run(name)
    killed = _run(name, _once_at(quiet.journal.passed))
    assert killed.kills > len(quiet.journal.names)
    _same(name, killed, quiet)


@pytest.mark.parametrize("name", KILLED_ANYWHERE)
@pytest.mark.parametrize("phase", Phase, ids=lambda phase: phase.name.lower())
def test_a_run_that_is_killed_once_at_any_point_converges_without_an_extra_restart(name: str, phase: Phase) -> None:
    _killed_once_at_each(name, phase)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ACTING)
@pytest.mark.parametrize("phase", Phase, ids=lambda phase: phase.name.lower())
def test_a_run_of_any_scenario_that_is_killed_once_at_any_point_converges(name: str, phase: Phase) -> None:
    _killed_once_at_each(name, phase)


def _killed_once_at_each(name: str, phase: Phase) -> None:
    quiet = _run(name)
    points = [point for point in quiet.journal.passed if point[2] is phase]
    assert points
    for point in points:
        killed = _run(name, _once_at([point]))
        assert killed.kills == 1, point
        _same(name, killed, quiet)


@pytest.mark.parametrize("name", ACTING)
def test_a_replay_runs_the_same_steps(name: str) -> None:
    """`JournaledSteps` rejects a replay with other steps; the sum shows that the replays ran."""
    quiet = _run(name)
    ends = [(step, 1, Phase.AFTER_CHECKPOINT) for step in quiet.journal.names if (step, 1, Phase.AFTER_CHECKPOINT) in quiet.journal.passed]
    replayed = _run(name, _once_at(ends))
    assert replayed.journal.names == quiet.journal.names
    assert replayed.kills == len(ends)
