"""`irsa-remediator`: every command, registered by what is typed. What a command does loads when it is run."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import typer

from cli.commands import bindings, settings
from cli.commands.adopt import adopt
from cli.commands.check import check
from cli.commands.fix import fix
from cli.commands.plan import plan
from cli.options import with_options

app: Final = typer.Typer(
    name="irsa-remediator",
    help="Finds out why the VPC CNI of an EKS cluster lost its IAM role, puts it back where it will stay, and proves it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The entry point of the installed command."""
    try:
        app(prog_name="irsa-remediator")
    except KeyboardInterrupt:
        sys.exit(130)


def _group(name: str, words: str, commands: Mapping[str, Callable[..., Any]]) -> None:
    group = typer.Typer(name=name, help=words, no_args_is_help=True)
    for title, command in commands.items():
        group.command(title)(with_options(command))
    app.add_typer(group)


for _command in (check, plan, fix, adopt):
    app.command()(with_options(_command))
_group("bindings", "Which ServiceAccount must use which role: list, set, unset, validate.", bindings.COMMANDS)
_group("settings", "How the remediator behaves: list, set, unset, validate, describe.", settings.COMMANDS)
