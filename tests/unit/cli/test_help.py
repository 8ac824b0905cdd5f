"""Help of every command: quick, in imperative sentences, with an example and the same options."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command

from cli.main import app
from lambdas.contract.version import VERSION
from tests.cli_runner import CliRunner

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


@pytest.mark.parametrize("module", ["cli", "cli.main"])
def test_python_runs_the_package_and_its_main_module(module: str) -> None:
    result = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
    assert result.stdout == f"irsa-remediator {VERSION}\n"


@pytest.mark.parametrize(("name", "command"), COMMANDS.items(), ids=COMMANDS)
def test_every_command_takes_the_same_options(name: str, command: Command) -> None:
    assert {option for parameter in command.params for option in parameter.opts} >= SHARED
    result = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "<bool>" not in result.stdout
    assert "--region REGION" in " ".join(result.stdout.split())


def test_all_commands_are_registered() -> None:
    top = {name.split()[0] for name in COMMANDS}
    assert top == {
        *("check", "plan", "fix", "fleet", "preflight", "adopt", "bindings", "guard", "settings"),
        *(
            "migrate",
            "history",
            "approve",
            "reject",
            "access",
            "verify",
            "notify",
            "runbook",
            "bundle",
            "replay",
            "simulate",
            "mcp",
            "explain-log",
        ),
    }


def test_help_loads_no_heavy_module() -> None:
    heavy = ("boto3", "botocore", "kubernetes", "urllib3", "orjson", "moto", "lambdas.application.assessment", "lambdas.remediator")
    code = f"import sys\nfrom cli.main import app\nprint([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize(("words", "completed"), [("se", "settings"), ("settings set demo addon_", "addon_record")])
def test_the_shell_completes_commands_and_settings(words: str, completed: str) -> None:
    line = ["irsa-remediator", *words.split()]
    environment = {"COMP_WORDS": " ".join(line), "COMP_CWORD": str(len(line) - 1), "_IRSA_REMEDIATOR_COMPLETE": "complete_bash"}
    assert completed in CliRunner().invoke(app, [], env=environment, prog_name="irsa-remediator").stdout.splitlines()
