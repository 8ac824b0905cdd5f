"""`python -m sandbox.simulation SCENARIO`: play one scenario, `all` of them, or `list` them."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from sandbox.simulation.scenario import ORIGINAL, InvalidScenario, load, names

if TYPE_CHECKING:
    from sandbox.simulation.scenario import Scenario


def main(arguments: list[str] | None = None) -> int:
    """0 when the scenario came to its expected end, 1 when it did not, 2 when it could not be played, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="make demo", description="Play a scenario against the small EKS on this machine.")
    parser.add_argument("scenario", nargs="?", default=ORIGINAL, help="a file of scenarios/ without its ending, `all` or `list`")
    parser.add_argument("--cluster", choices=("embedded", "real"), default="embedded", help="real: a control plane built from source")
    options = parser.parse_args(arguments)
    if options.scenario == "list":
        _list()
        return 0
    try:
        scenario = load(options.scenario) if options.scenario != "all" else None
    except InvalidScenario as error:
        Console(stderr=True).print(f"[red]{error}[/red]")
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _play(scenario, options.cluster)
    except KeyboardInterrupt:
        return 130


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _list() -> None:
    """Names, rows of the table of failure modes, and titles."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("scenario", no_wrap=True)
    table.add_column("mode", justify="right")
    table.add_column("what happens", overflow="fold")
    for name in names():
        scenario = load(name)
        table.add_row(name, scenario.failure_mode, scenario.title)
    Console().print(table)


def _play(scenario: Scenario | None, cluster: str) -> int:
    """Play one, or all; what is missing on this machine is said in a sentence."""
    from infra.asset import BundlingFailed
    from sandbox.control_plane.build import BuildError
    from sandbox.control_plane.processes import StartError
    from sandbox.functions.rie import EmulatorUnavailable
    from sandbox.simulation.run_all import run_all
    from sandbox.simulation.scenario_result import ScenarioTimeout

    console = Console(highlight=False)
    try:
        return _play_one(scenario, cluster, console) if scenario else run_all(cluster, console)
    except (ScenarioTimeout, BuildError, StartError, BundlingFailed, EmulatorUnavailable, InvalidScenario) as error:
        console.print(str(error), style="red", markup=False)
        return 1 if isinstance(error, ScenarioTimeout) else 2


def _play_one(scenario: Scenario, cluster: str, console: Console) -> int:
    from sandbox.simulation.assertions import differences
    from sandbox.simulation.environment import SandboxEnvironment
    from sandbox.simulation.scenario_run import ScenarioRun
    from sandbox.simulation.terminal import Terminal

    terminal = Terminal(console)
    terminal.title(scenario)
    began = time.monotonic()
    with SandboxEnvironment(scenario.world, cluster=cluster, on_step=terminal.setting_up, skip_time=scenario.hurry) as env:
        terminal.setting_up(f"set up in {time.monotonic() - began:.1f} s")
        with terminal:
            outcome = ScenarioRun(scenario, env, terminal.show).run()
        terminal.end(outcome)
    for wrong in (found := differences(scenario.expect, outcome)):
        console.print(f"not as it must be: {wrong}", style="red", markup=False)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
