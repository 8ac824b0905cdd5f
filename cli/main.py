"""`irsa-remediator`: all commands and their names. The code of a command is loaded when it runs."""

import sys
from collections.abc import Mapping
from typing import Any, Final

import typer

from cli.commands import bindings, guard, settings
from cli.commands.access import access
from cli.commands.adopt import adopt
from cli.commands.approval import approve, reject
from cli.commands.bundle import bundle
from cli.commands.check import check
from cli.commands.explain_log import explain_log
from cli.commands.fix import fix
from cli.commands.fleet import fleet
from cli.commands.history import history
from cli.commands.mcp import mcp
from cli.commands.migrate import migrate
from cli.commands.notify import notify
from cli.commands.plan import plan
from cli.commands.preflight import preflight
from cli.commands.replay import replay
from cli.commands.runbook import runbook
from cli.commands.simulate import simulate
from cli.commands.verify import verify
from cli.errors import ExitCode
from cli.options import Command, Group, with_global_options
from lambdas.contract.version import VERSION

app: Final = typer.Typer(
    name="irsa-remediator",
    cls=Group,
    help="Find out why the VPC CNI of an EKS cluster lost its IAM role, restore the role, and verify the repair.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"irsa-remediator {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", is_eager=True, help="Show the version and exit.", callback=_show_version),
) -> None:
    """Options before any command."""


def main() -> None:
    """Run the command line: the entry point of the installed command."""
    try:
        app(prog_name="irsa-remediator")
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


def _register(parent: typer.Typer, command: Any, name: str | None = None) -> None:
    parent.command(name, cls=Command)(with_global_options(command))


def _register_group(name: str, help_: str, commands: Mapping[str, Any]) -> None:
    group = typer.Typer(name=name, cls=Group, help=help_, no_args_is_help=True)
    for command_name, command in commands.items():
        _register(group, command, command_name)
    app.add_typer(group)


for _command in (
    check,
    plan,
    fix,
    migrate,
    fleet,
    preflight,
    adopt,
    history,
    approve,
    reject,
    access,
    verify,
    notify,
    runbook,
    bundle,
    replay,
    simulate,
    mcp,
):
    _register(app, _command)
_register(app, explain_log, "explain-log")
_register_group("bindings", "Manage bindings: the role that a ServiceAccount must use.", bindings.COMMANDS)
_register_group("guard", "Keep the role annotation at admission, and name who removes it.", guard.COMMANDS)
_register_group("settings", "Manage the settings of the remediator.", settings.COMMANDS)

if __name__ == "__main__":
    main()
