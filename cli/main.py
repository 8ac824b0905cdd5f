"""`irsa-remediator`: every command, registered by what is typed. What a command does loads when it is run."""

import sys
from collections.abc import Mapping
from typing import Any, Final

import typer

from cli.commands import bindings, settings
from cli.commands.access import access
from cli.commands.adopt import adopt
from cli.commands.answers import approve, reject
from cli.commands.check import check
from cli.commands.fix import fix
from cli.commands.history import history
from cli.commands.plan import plan
from cli.commands.replay import replay
from cli.commands.simulate import simulate
from cli.options import Command, Group, with_global_options
from lambdas.contract.version import VERSION
from cli.commands.preflight import preflight

app: Final = typer.Typer(
    name="irsa-remediator",
    cls=Group,
    help="Finds out why the VPC CNI of an EKS cluster lost its IAM role, puts it back where it will stay, and proves it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"irsa-remediator {VERSION}")
        raise typer.Exit


@app.callback()
def _everything(
    version: bool = typer.Option(False, "--version", is_eager=True, help="Show the version and end.", callback=_show_version),
) -> None:
    """Before any command."""


def main() -> None:
    """The entry point of the installed command."""
    try:
        app(prog_name="irsa-remediator")
    except KeyboardInterrupt:
        sys.exit(130)


def _group(name: str, words: str, commands: Mapping[str, Any]) -> None:
    group = typer.Typer(name=name, cls=Group, help=words, no_args_is_help=True)
    for title, command in commands.items():
        group.command(title, cls=Command)(with_global_options(command))
    app.add_typer(group)


def _register(command: Any) -> None:
    app.command(cls=Command)(with_global_options(command))


for _command in check, plan, fix, preflight, adopt, history, approve, reject, access, replay, simulate:
    _register(_command)
_group("bindings", "Which ServiceAccount must use which role: list, set, unset, validate.", bindings.COMMANDS)
_group("settings", "How the remediator behaves: list, set, unset, validate, describe.", settings.COMMANDS)
