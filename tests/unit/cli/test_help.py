"""What is true of every command: quick help with an example, the same options, errors in a sentence."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click import Command

SHARED = {"--output", "--profile", "--region", "--role-arn", "--stack", "--kubeconfig", "--context", "--debug"}


def _commands(command: Command, *path: str) -> Iterator[tuple[str, Command]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(path), command
        return
    for name, child in children.items():
        yield from _commands(child, *path, name)


COMMANDS = dict(_commands(get_command(app)))


@pytest.mark.parametrize(("name", "command"), COMMANDS.items(), ids=COMMANDS)
def test_every_help_has_an_example_that_parses(name: str, command: Command) -> None:
    example = next(line for line in (command.help or "").splitlines() if line.startswith("Example: "))
    words = example.removeprefix("Example: ").split()
    path = name.split()
    assert words[: len(path) + 1] == ["irsa-remediator", *path]
    command.make_context(name, words[len(path) + 1 :])


@pytest.mark.parametrize(("name", "command"), COMMANDS.items(), ids=COMMANDS)
def test_every_command_takes_the_same_options(name: str, command: Command) -> None:
    assert {option for parameter in command.params for option in parameter.opts} >= SHARED
    shown = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert "<bool>" not in shown.stdout
    assert "--region REGION" in " ".join(shown.stdout.split())


def test_the_commands_of_the_design_are_there() -> None:
    top = {name.split()[0] for name in COMMANDS}
    assert top == {
        *("check", "plan", "fix", "preflight", "adopt", "bindings", "settings"),
        *("history", "approve", "reject", "access", "replay", "simulate"),
    }


def test_help_loads_nothing_heavy() -> None:
    heavy = ("boto3", "botocore", "kubernetes", "urllib3", "orjson", "moto", "lambdas.application.assessment", "lambdas.remediator")
    code = f"import sys\nfrom cli.main import app\nprint([it for it in {heavy!r} if it in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize(("words", "completed"), [("se", "settings"), ("settings set demo addon_", "addon_record")])
def test_the_shell_completes_commands_and_settings(words: str, completed: str) -> None:
    typed = ["irsa-remediator", *words.split()]
    asking = {"COMP_WORDS": " ".join(typed), "COMP_CWORD": str(len(typed) - 1), "_IRSA_REMEDIATOR_COMPLETE": "complete_bash"}
    assert completed in CliRunner().invoke(app, [], env=asking, prog_name="irsa-remediator").stdout.splitlines()
