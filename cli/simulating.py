"""`simulate`: the sandbox's own play, where it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from cli.failures import SOUND, WRONG_USE, Refused
from cli.options import Asked, Format
from cli.output import write

_NEEDED: Final = ("moto", "werkzeug", "jsonpatch", "trustme", "uv", "awslambdaric", "aws_durable_execution_sdk_python_testing")

_INSTALL: Final = "install the command line with its extra, from the checkout: uv tool install --force '.[sandbox]'"


def run(asked: Asked, scenario: str) -> int:
    """List the scenarios, or play one to its end. Exit code 0 where it came to the end that it expects.

    Raises:
        Refused: the sandbox is not installed, or has no such scenario.
    """
    from sandbox.play.scenario import InvalidScenario, load, names

    if scenario == "list" and asked.output is not Format.TABLE:
        found = [{"name": it.name, "verdict": it.expect.verdict, "title": it.title} for it in map(load, names())]
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
    from sandbox.play.__main__ import main

    code = main([scenario])
    return code if code in (SOUND, 1) else WRONG_USE
