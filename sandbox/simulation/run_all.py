"""Runs every scenario, prints a line for each, and ends with a table."""

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

NUMBERS: Final = ("actions", "diagnosis", "verified")


@dataclass(frozen=True)
class ScenarioReport:
    """A finished scenario; `duration_s` includes the set-up."""

    scenario: Scenario
    result: ScenarioResult
    differences: tuple[str, ...]
    duration_s: float

    @property
    def sign(self) -> str:
        return "✗" if self.differences else "✓"


def run_all(cluster: str, console: Console) -> int:
    """0 if every scenario ended as expected, else 1. An interrupted run still prints the table.

    Raises:
        BuildError, StartError: the control plane could not be built or started.
    """
    scenarios = [scenario for scenario in map(load, names()) if scenario.runs_on(cluster)]
    reports: list[ScenarioReport] = []
    started = time.monotonic()
    with ExitStack() as stack:
        stack.callback(lambda: _print_table(reports, len(scenarios), time.monotonic() - started, console))
        plane = _control_plane(stack, console) if cluster == "real" else None
        for scenario in scenarios:
            reports.append(_run(scenario, cluster, plane))
            _print_line(reports[-1], f"{len(reports)}/{len(scenarios)}", console)
    return int(any(report.differences for report in reports))


def _control_plane(stack: ExitStack, console: Console) -> ControlPlane:
    """One control plane for all scenarios; each scenario empties it before and after."""
    console.print("etcd, API server, controllers, scheduler, KWOK and aws-iam-authenticator", style="dim")
    return stack.enter_context(ControlPlane(ensure(console), cluster_name=CLUSTER))


def _run(scenario: Scenario, cluster: str, plane: ControlPlane | None) -> ScenarioReport:
    started = time.monotonic()
    with SandboxEnvironment(scenario.world, cluster=cluster, control_plane=plane, skip_time=scenario.skip_waits, preloaded=True) as env:
        scenario_run = ScenarioRun(scenario, env)
        try:
            found = differences(scenario.expect, scenario_run.run())
        except ScenarioTimeout as error:
            found = [str(error)]
    return ScenarioReport(scenario, scenario_run.result, tuple(found), time.monotonic() - started)


def _print_line(report: ScenarioReport, number: str, console: Console) -> None:
    line = f"{number:>6}  {report.sign}  {report.scenario.name:<34} {report.duration_s:5.1f} s"
    console.print(line + "".join(f"\n           {difference}" for difference in report.differences), markup=False)


def _print_table(reports: list[ScenarioReport], total: int, duration_s: float, console: Console) -> None:
    table = Table("", box=None, pad_edge=False, header_style="dim")
    table.add_column("scenario", no_wrap=True)
    for column in ("verdict", "outcome", *NUMBERS):
        table.add_column(column, overflow="fold", justify="right" if column in NUMBERS else "left")
    for report in reports:
        result = report.result
        seconds = (_seconds(result.milestones.get(milestone)) for milestone in (Milestone.DIAGNOSIS, Milestone.VERIFIED))
        outcome = "unexpected" if report.differences else result.outcome or report.scenario.expect.outcome
        table.add_row(report.sign, report.scenario.name, result.verdict, outcome, str(len(result.actions)), *seconds)
    passed = sum(not report.differences for report in reports)
    console.print()
    console.print(table)
    console.print(f"\n{passed} of {total} scenarios ended as expected, in {duration_s:.0f} s (times: seconds since the event)")


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
