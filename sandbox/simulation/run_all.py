"""Every scenario, one after the other, on one cluster or on one each; a line for each as it ends, and a table of all at the end."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.table import Table

from sandbox.control_plane.build import ensure
from sandbox.control_plane.control_plane import ControlPlane
from sandbox.simulation.assertions import differences
from sandbox.simulation.aws_account import CLUSTER
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import load, names
from sandbox.simulation.scenario_result import Milestone, ScenarioResult, ScenarioTimeout
from sandbox.simulation.scenario_run import ScenarioRun

if TYPE_CHECKING:
    from rich.console import Console

    from sandbox.simulation.scenario import Scenario

NUMBERS: Final = ("changes", "decision", "verified")


@dataclass(frozen=True)
class ScenarioReport:
    """A scenario that was played; `wrong` says what came out otherwise than it must, `took_s` includes the set-up."""

    scenario: Scenario
    outcome: ScenarioResult
    wrong: tuple[str, ...]
    took_s: float


def run_all(cluster: str, console: Console) -> int:
    """0 when each came to its end, 1 when one did not. Interrupted, it shows what was played until then.

    Raises:
        BuildError, StartError: there is no control plane to be had.
    """
    scenarios = [item for item in map(load, names()) if item.runs_on(cluster)]
    played: list[ScenarioReport] = []
    began = time.monotonic()
    with ExitStack() as stack:
        stack.callback(lambda: _end(played, len(scenarios), time.monotonic() - began, console))
        plane = _control_plane(stack, console) if cluster == "real" else None
        for scenario in scenarios:
            played.append(_played(scenario, cluster, plane))
            console.print(_line(played[-1], f"{len(played)}/{len(scenarios)}"), markup=False)
    return int(any(item.wrong for item in played))


def _control_plane(stack: ExitStack, console: Console) -> ControlPlane:
    """One for all: each scenario empties it before and after."""
    console.print("etcd, API server, controllers, scheduler, KWOK and aws-iam-authenticator", style="dim")
    return stack.enter_context(ControlPlane(ensure(console), cluster_name=CLUSTER))


def _played(scenario: Scenario, cluster: str, plane: ControlPlane | None) -> ScenarioReport:
    began = time.monotonic()
    with SandboxEnvironment(scenario.world, cluster=cluster, control_plane=plane, skip_time=scenario.hurry, preloaded=True) as env:
        play = ScenarioRun(scenario, env)
        try:
            wrong = differences(scenario.expect, play.run())
        except ScenarioTimeout as error:
            wrong = [str(error)]
    return ScenarioReport(scenario, play.outcome, tuple(wrong), time.monotonic() - began)


def _line(played: ScenarioReport, number: str) -> str:
    name, took = played.scenario.name, f"{played.took_s:5.1f} s"
    return f"{number:>6}  {_sign(played)}  {name:<34} {took}" + "".join(f"\n           {item}" for item in played.wrong)


def _end(played: list[ScenarioReport], wanted: int, took_s: float, console: Console) -> None:
    table = Table("", box=None, pad_edge=False, header_style="dim")
    table.add_column("scenario", no_wrap=True)
    for column in ("verdict", "ended", *NUMBERS):
        table.add_column(column, overflow="fold", justify="right" if column in NUMBERS else "left")
    for item in played:
        seconds = (_seconds(item.outcome.marks.get(mark)) for mark in (Milestone.DECISION, Milestone.VERIFIED))
        ended = item.outcome.outcome or item.scenario.expect.outcome if not item.wrong else "otherwise"
        table.add_row(_sign(item), item.scenario.name, item.outcome.verdict, ended, str(len(item.outcome.changes)), *seconds)
    right = sum(not item.wrong for item in played)
    console.print()
    console.print(table)
    console.print(f"\n{right} of {wanted} scenarios came to the end that they expect, in {took_s:.0f} s (times: seconds since the event)")


def _sign(played: ScenarioReport) -> str:
    return "✗" if played.wrong else "✓"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
