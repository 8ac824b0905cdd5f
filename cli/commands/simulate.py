"""`irsa-remediator simulate`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.errors import CommandError, ExitCode
from cli.options import GlobalOptions
from cli.output import Format, progress, write

if TYPE_CHECKING:
    from sandbox.simulation.scenario_result import ScenarioResult

_REQUIRED_MODULES: Final = ("moto", "werkzeug", "jsonpatch", "trustme", "uv", "psutil", "aws_durable_execution_sdk_python_testing")
_INSTALL: Final = "install the command line with its extra, from the checkout: uv tool install --force '.[sandbox]'"


def simulate(
    options: GlobalOptions,
    *,
    scenario: Annotated[str, typer.Argument(help="Name of a scenario, or `list`.")] = "list",
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the small EKS standing in a shell for aws, kubectl and irsa-remediator, until exit.")
    ] = False,
) -> int:
    """Run a failure scenario on a simulated EKS cluster on this machine. Needs no account and costs nothing.

    Exit code 1 where the scenario does not end as expected. With --keep and without a scenario, nothing is broken yet.

    Example: irsa-remediator simulate addon-role-missing
    """
    from sandbox.simulation.scenario import InvalidScenario, load, names

    if keep and options.output is not Format.TABLE:
        raise CommandError("--keep opens a shell, which writes no document", next_step="omit --output")
    if keep and scenario == "list":
        _require_sandbox()
        return _exit_code(["--keep"])
    if scenario == "list" and options.output is not Format.TABLE:
        scenarios = [{"name": found.name, "verdict": found.expect.verdict, "title": found.title} for found in map(load, names())]
        write(options.output, {"command": "simulate", "exitCode": ExitCode.OK, "scenarios": scenarios})
        return ExitCode.OK
    if scenario != "list":
        _require_sandbox()
        try:
            load(scenario)
        except InvalidScenario as error:
            raise CommandError(str(error), next_step="irsa-remediator simulate list") from error
        if options.output is not Format.TABLE:
            return _run(options, scenario)
    return _exit_code([scenario, *(["--keep"] if keep else [])])


def _require_sandbox() -> None:
    """Require the packages of the extra.

    Raises:
        CommandError: names those that are missing.
    """
    missing = [name for name in _REQUIRED_MODULES if find_spec(name) is None]
    if missing:
        raise CommandError(f"the sandbox needs {', '.join(missing)}", next_step=_INSTALL)


def _exit_code(arguments: list[str]) -> int:
    from sandbox.simulation.__main__ import main

    code = main(arguments)
    return code if code in (ExitCode.OK, ExitCode.BROKEN) else ExitCode.UNKNOWN


def _run(options: GlobalOptions, name: str) -> ExitCode:
    """Run the scenario without a display, and write the result."""
    from infra.asset import BundlingFailed
    from sandbox.aws.local_aws import without_own_account
    from sandbox.functions.rie import EmulatorUnavailable
    from sandbox.simulation.environment import SandboxEnvironment
    from sandbox.simulation.scenario import load
    from sandbox.simulation.scenario_result import ScenarioTimeout
    from sandbox.simulation.scenario_run import ScenarioRun

    scenario, result, problem = load(name), None, None
    try:
        with (
            progress(f"running {name}"),
            without_own_account(),
            SandboxEnvironment(scenario.world, skip_time=scenario.skip_waits) as environment,
        ):
            result = _result_document(ScenarioRun(scenario, environment).run())
    except ScenarioTimeout as error:
        problem = str(error)
    except (BundlingFailed, EmulatorUnavailable) as error:
        raise CommandError(str(error), next_step="check that a package index is reachable, and run the command again") from error
    code = ExitCode.BROKEN if problem else ExitCode.OK
    write(options.output, {"command": "simulate", "exitCode": code, "scenario": name, "run": result, "problem": problem})
    return code


def _result_document(result: ScenarioResult) -> dict[str, Any]:
    return {
        "verdict": result.verdict,
        "verdicts": list(result.verdicts),
        "outcome": result.outcome,
        "changes": result.actions,
        "secondsAfterTheEvent": {str(mark): round(seconds, 1) for mark, seconds in result.milestones.items()},
        "nodes": {"ready": result.nodes[0], "all": result.nodes[1]},
        "messages": result.messages,
    }
