"""`simulate`: the sandbox's own play, where it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from cli.asked import Asked, Format
from cli.failures import BROKEN, SOUND, WRONG_USE, Refused
from cli.output import progress, write

if TYPE_CHECKING:
    from sandbox.play.outcome import Outcome

_NEEDED: Final = ("moto", "werkzeug", "jsonpatch", "trustme", "uv", "awslambdaric", "aws_durable_execution_sdk_python_testing")

_INSTALL: Final = "install the command line with its extra, from the checkout: uv tool install --force '.[sandbox]'"


def run(asked: Asked, scenario: str) -> int:
    """List the scenarios, or play one to its end. Exit code 0 where it came to the end that it expects.

    Raises:
        Refused: the sandbox is not installed, or has no such scenario.
    """
    from sandbox.play.scenario import InvalidScenario, load, names

    if scenario == "list" and asked.output is not Format.TABLE:
        found = [{"name": item.name, "verdict": item.expect.verdict, "title": item.title} for item in map(load, names())]
        write(asked.output, {"command": "simulate", "exitCode": SOUND, "scenarios": found})
        return SOUND
    if scenario != "list":
        lacking = [name for name in _NEEDED if find_spec(name) is None]
        if lacking:
            raise Refused(f"the sandbox lacks {', '.join(lacking)}", then=_INSTALL)
        try:
            load(scenario)
        except InvalidScenario as error:
            raise Refused(str(error), then="irsa-remediator simulate list") from error
        if asked.output is not Format.TABLE:
            return _written(asked, scenario)
    from sandbox.play.__main__ import main

    code = main([scenario])
    return code if code in (SOUND, 1) else WRONG_USE


def _written(asked: Asked, name: str) -> int:
    """Play it in silence, and write what came of it."""
    from infra.asset import BundlingFailed
    from sandbox.functions.rie import EmulatorUnavailable
    from sandbox.play.outcome import NoEnd
    from sandbox.play.play import Play
    from sandbox.play.scenario import load
    from sandbox.play.stage import Stage

    scenario, played, problem = load(name), None, None
    try:
        with progress(f"playing {name}"), Stage(scenario.world, skip_time=scenario.hurry) as stage:
            played = _document(Play(scenario, stage).run())
    except NoEnd as error:
        problem = str(error)
    except (BundlingFailed, EmulatorUnavailable) as error:
        raise Refused(str(error), then="see that a package index is reachable, and run it again") from error
    code = BROKEN if problem else SOUND
    write(asked.output, {"command": "simulate", "exitCode": code, "scenario": name, "play": played, "problem": problem})
    return code


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "verdict": outcome.verdict,
        "verdicts": list(outcome.verdicts),
        "outcome": outcome.outcome,
        "changes": outcome.changes,
        "secondsAfterTheEvent": {str(mark): round(seconds, 1) for mark, seconds in outcome.marks.items()},
        "nodes": {"ready": outcome.nodes[0], "all": outcome.nodes[1]},
        "messages": outcome.messages,
    }
