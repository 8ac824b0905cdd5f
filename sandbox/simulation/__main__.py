"""`python -m sandbox.simulation SCENARIO` runs one scenario, or `all` of them, or `list`s them."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from sandbox.simulation.scenario import DEFAULT_SCENARIO, InvalidScenario, load, names

if TYPE_CHECKING:
    from sandbox.simulation.scenario import Scenario


def main(arguments: list[str] | None = None) -> int:
    """0 if the scenario ended as expected, 1 if it did not, 2 if it could not run, 130 if it was interrupted."""
    parser = argparse.ArgumentParser(prog="make demo", description="Run a scenario on a simulated EKS cluster on this machine.")
    parser.add_argument("scenario", nargs="?", default="", help="name of a file in scenarios/, `all` or `list`")
    parser.add_argument("--keep", action="store_true", help="leave the small EKS standing in a shell of its own, until `exit`")
    parser.add_argument("--cluster", choices=("embedded", "real"), default="embedded", help="real: a control plane built from source")
    options = parser.parse_args(arguments)
    if options.scenario == "list":
        _list()
        return 0
    if options.keep and options.scenario == "all":
        parser.error("--keep needs one scenario, or none")
    try:
        scenario = load(options.scenario or DEFAULT_SCENARIO) if options.scenario != "all" else None
    except InvalidScenario as error:
        Console(stderr=True).print(f"[red]{error}[/red]")
        return 2
    from sandbox.aws.local_aws import without_own_account

    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with without_own_account():
            return _run(scenario, options.cluster, keep=options.keep, plays=bool(options.scenario) or not options.keep)
    except KeyboardInterrupt:
        return 130


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


_HEADINGS: Final = {
    "verified": "Repaired and verified",
    "recovered": "Recovered without a repair",
    "needs-action": "Reported with the steps that a person has to do",
    "blocked": "Reported, and not repaired because of a setting or a policy",
    "no-message": "Broken for a known reason: nothing is sent yet",
    "no-incident": "No fault, or none that the remediator handles",
}


_TITLE_WIDTH: Final = 50
"""Columns for numbers and titles. A narrower terminal has each title below its name."""


def _list() -> None:
    """Print the scenarios by their outcome. The numbers are the failure modes of docs/failure-modes.md."""
    scenarios = [load(name) for name in names()]
    width = max(len(scenario.name) for scenario in scenarios)
    console = Console(highlight=False, markup=False)
    for outcome, heading in _HEADINGS.items():
        found = [scenario for scenario in scenarios if scenario.expect.outcome == outcome]
        console.print(f"{heading} ({len(found)})", style="bold")
        has_room = console.width >= width + _TITLE_WIDTH
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
        table.add_column(no_wrap=has_room, min_width=width if has_room else None)
        table.add_column(justify="right", style="dim", no_wrap=True)
        if has_room:
            table.add_column()
        for scenario in found:
            row = scenario.name, scenario.failure_mode, scenario.title
            table.add_row(*(row if has_room else (f"{scenario.name}\n  {scenario.title}", scenario.failure_mode)))
        console.print(table, "")
    console.print("make demo SCENARIO=name plays one, SCENARIO=all plays all; numbers: docs/failure-modes.md", style="dim")


def _run(scenario: Scenario | None, cluster: str, *, keep: bool, plays: bool) -> int:
    """Run one scenario, or all; prints what is missing on this machine. Without `plays`, only its world is set up."""
    from infra.asset import BundlingFailed
    from sandbox.control_plane.build import BuildError
    from sandbox.control_plane.processes import StartError
    from sandbox.functions.rie import EmulatorUnavailable
    from sandbox.simulation.run_all import run_all
    from sandbox.simulation.scenario_result import ScenarioTimeout

    console = Console(highlight=False)
    try:
        if scenario is None:
            return run_all(cluster, console)
        return _run_one(scenario, cluster, console, keep=keep, plays=plays)
    except (ScenarioTimeout, BuildError, StartError, BundlingFailed, EmulatorUnavailable, InvalidScenario) as error:
        console.print(str(error), style="red", markup=False)
        return 1 if isinstance(error, ScenarioTimeout) else 2


def _run_one(scenario: Scenario, cluster: str, console: Console, *, keep: bool, plays: bool) -> int:
    from sandbox.simulation.assertions import differences
    from sandbox.simulation.environment import SandboxEnvironment
    from sandbox.simulation.playground import open_shell
    from sandbox.simulation.scenario_run import ScenarioRun
    from sandbox.simulation.terminal import Terminal

    terminal = Terminal(console)
    if plays:
        terminal.title(scenario)
    started = time.monotonic()
    with SandboxEnvironment(scenario.world, cluster=cluster, on_step=terminal.set_up_step, skip_time=scenario.skip_waits) as env:
        terminal.set_up_step(f"ready after {time.monotonic() - started:.1f} s")
        run = ScenarioRun(scenario, env, terminal.show)
        if not plays:
            run.settle()
            open_shell(env)
            return 0
        with terminal:
            result = run.run()
        terminal.result(result)
        found = differences(scenario.expect, result)
        for difference in found:
            console.print(f"unexpected: {difference}", style="red", markup=False)
        if keep:
            open_shell(env)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
