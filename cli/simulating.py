"""`simulate`: the sandbox's own play, where it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from cli.options import GlobalOptions, Format
from cli.errors import BROKEN, SOUND, WRONG_USE, CommandError
from cli.output import progress, write

if TYPE_CHECKING:
    from sandbox.simulation.scenario_result import ScenarioResult

_NEEDED: Final = ("moto", "werkzeug", "jsonpatch", "trustme", "uv", "awslambdaric", "aws_durable_execution_sdk_python_testing")

_INSTALL: Final = "install the command line with its extra, from the checkout: uv tool install --force '.[sandbox]'"


def run(asked: GlobalOptions, scenario: str) -> int:
    """List the scenarios, or play one to its end. Exit code 0 where it came to the end that it expects.

    Raises:
        Refused: the sandbox is not installed, or has no such scenario.
    """
    from sandbox.simulation.scenario import InvalidScenario, load, names

    if scenario == "list" and asked.output is not Format.TABLE:
        found = [{"name": item.name, "verdict": item.expect.verdict, "title": item.title} for item in map(load, names())]
        write(asked.output, {"command": "simulate", "exitCode": SOUND, "scenarios": found})
        return SOUND
    if scenario != "list":
        lacking = [name for name in _NEEDED if find_spec(name) is None]
        if lacking:
            raise CommandError(f"the sandbox lacks {', '.join(lacking)}", next_step=_INSTALL)
        try:
            load(scenario)
        except InvalidScenario as error:
            raise CommandError(str(error), next_step="irsa-remediator simulate list") from error
        if asked.output is not Format.TABLE:
            return _written(asked, scenario)
    from sandbox.simulation.__main__ import main

    code = main([scenario])
    return code if code in (SOUND, 1) else WRONG_USE


def _written(asked: GlobalOptions, name: str) -> int:
    """Play it in silence, and write what came of it."""
    from infra.asset import BundlingFailed
    from sandbox.functions.rie import EmulatorUnavailable
    from sandbox.simulation.scenario_result import ScenarioTimeout
    from sandbox.simulation.scenario_run import ScenarioRun
    from sandbox.simulation.scenario import load
    from sandbox.simulation.environment import SandboxEnvironment

    scenario, played, problem = load(name), None, None
    try:
        with progress(f"playing {name}"), SandboxEnvironment(scenario.world, skip_time=scenario.hurry) as env:
            played = _document(ScenarioRun(scenario, env).run())
    except ScenarioTimeout as error:
        problem = str(error)
    except (BundlingFailed, EmulatorUnavailable) as error:
        raise CommandError(str(error), next_step="see that a package index is reachable, and run it again") from error
    code = BROKEN if problem else SOUND
    write(asked.output, {"command": "simulate", "exitCode": code, "scenario": name, "play": played, "problem": problem})
    return code


def _document(outcome: ScenarioResult) -> dict[str, Any]:
    return {
        "verdict": outcome.verdict,
        "verdicts": list(outcome.verdicts),
        "outcome": outcome.outcome,
        "changes": outcome.changes,
        "secondsAfterTheEvent": {str(mark): round(seconds, 1) for mark, seconds in outcome.marks.items()},
        "nodes": {"ready": outcome.nodes[0], "all": outcome.nodes[1]},
        "messages": outcome.messages,
    }
