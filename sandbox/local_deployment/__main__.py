"""`make deploy-local`: deploy the stack on this machine, play the original incident, and destroy the stack."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sandbox.local_deployment.differences import DIFFERENCES
from sandbox.simulation.scenario import DEFAULT_SCENARIO, load
from sandbox.simulation.terminal import Terminal, clock

if TYPE_CHECKING:
    from rich.status import Status

    from sandbox.local_deployment.deployed_environment import DeployedEnvironment
    from sandbox.simulation.scenario import Scenario

CANNOT_RUN: Final = 2
INTERRUPTED: Final = 130


def main(arguments: list[str] | None = None) -> int:
    """0 if the incident was repaired and nothing is left, 1 if not, 2 if it could not run, 130 if it was interrupted."""
    parser = argparse.ArgumentParser(prog="make deploy-local", description="Deploy the stack into an AWS emulator, and repair an incident.")
    parser.add_argument("--cluster", choices=("embedded", "real"), default="embedded", help="real: a control plane built from source")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(options.cluster)
    except KeyboardInterrupt:
        print("interrupted; the emulator, the cluster and all temporary files are removed", file=sys.stderr)
        return INTERRUPTED


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _run(cluster: str) -> int:
    from infra.asset import BundlingFailed
    from sandbox.control_plane.build import BuildError
    from sandbox.control_plane.processes import StartError
    from sandbox.local_deployment.cdk import CdkFailed, CdkMissing
    from sandbox.local_deployment.emulator import AwsEmulatorUnavailable
    from sandbox.simulation.scenario_result import ScenarioTimeout

    console = Console(highlight=False)
    try:
        return _play(load(DEFAULT_SCENARIO), cluster, console)
    except (AwsEmulatorUnavailable, BuildError, BundlingFailed, CdkMissing, StartError) as error:
        console.print(str(error), style="red", markup=False)
        return CANNOT_RUN
    except (CdkFailed, ScenarioTimeout) as error:
        console.print(str(error), style="red", markup=False)
        return 1


class Steps:
    """Prints each step with its time when it ends; an interactive terminal also shows the last line of its command."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stack = ExitStack()
        self._began = time.monotonic()
        self._text = ""
        self._status: Status | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, text: str) -> None:
        """End the last step and start the next."""
        self.end()
        self._began, self._text = time.monotonic(), text
        if self._console.is_terminal:
            self._status = self._stack.enter_context(self._console.status(Text(text)))
        else:
            self._console.print(Text(f"         {text} ..."))

    def progress(self, line: str) -> None:
        """Show the last line of the command of this step."""
        if self._status:
            self._status.update(Text(f"{self._text}  ").append(line[: max(self._console.width - len(self._text) - 6, 0)], style="dim"))

    def end(self) -> None:
        """End the last step, if one is open."""
        self._stack.close()
        if self._text:
            self._console.print(Text(f"{clock(time.monotonic() - self._began)}  {self._text}"))
        self._text, self._status = "", None


def _play(scenario: Scenario, cluster: str, console: Console) -> int:
    from sandbox.local_deployment.deployed_environment import DeployedEnvironment
    from sandbox.simulation.assertions import differences
    from sandbox.simulation.scenario_run import ScenarioRun

    started = time.monotonic()
    _print_differences(console)
    with (
        Steps(console) as steps,
        DeployedEnvironment(scenario.world, cluster=cluster, on_step=steps.start, on_progress=steps.progress) as env,
    ):
        unexpected = _verify(env, steps, console)
        terminal = Terminal(console)
        terminal.title(scenario)
        with terminal:
            result = ScenarioRun(scenario, env, terminal.show).run()
        terminal.result(result)
        unexpected += [f"unexpected: {text}" for text in differences(scenario.expect, result)]
        _print_rules(env, console)
        unexpected += _destroy(env, steps, console)
    for line in unexpected:
        console.print(line, style="red", markup=False)
    console.print(f"{clock(time.monotonic() - started)}  in total")
    return int(bool(unexpected))


def _print_differences(console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("different from AWS", "because", "instead"):
        table.add_column(column, overflow="fold")
    for each in DIFFERENCES:
        table.add_row(each.what, each.why, each.instead)
    console.print(table)
    console.print()


def _verify(env: DeployedEnvironment, steps: Steps, console: Console) -> list[str]:
    """Run `irsa-remediator verify`, print its output, and return a line if a check failed. A check may be open: no sweep has run yet."""
    from cli.errors import ExitCode

    steps.start("irsa-remediator verify")
    status, said = env.verify(console.width - 2)
    steps.end()
    console.print(Padding(Text(said.strip()), (1, 0, 0, 2)))
    return [] if status in (ExitCode.OK, ExitCode.UNKNOWN) else [f"unexpected: irsa-remediator verify ended with status {status}"]


def _print_rules(env: DeployedEnvironment, console: Console) -> None:
    for rule, event in env.rules_used():
        console.print(Text(f"  deployed rule {rule} matched {event}", style="dim"))


def _destroy(env: DeployedEnvironment, steps: Steps, console: Console) -> list[str]:
    """Destroy the stacks, print what is left, and return what should not be left."""
    kept = f"dynamodb: {env.table}"
    deployed = env.deployed_resources()
    left = env.destroy()
    steps.end()
    if kept in left:
        env.delete_incidents_table()
        console.print(f"  the stack keeps the incidents table {env.table}; deleted as docs/deploy.md says")
    rest = sorted(left - {kept})
    console.print(f"  left in the account: {len(rest)} of {len(deployed)} deployed resources", style="green" if not rest else "red")
    return [f"left: {name}" for name in rest] + ([] if kept in left else ["the incidents table was deleted with its stack"])


if __name__ == "__main__":
    sys.exit(main())
