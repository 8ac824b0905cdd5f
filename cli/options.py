"""Options that every command takes, and the typer classes that add them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from cli.errors import report_error
from cli.output import Format

ACCOUNT_AND_CLUSTER: Final = "Account and cluster"


@dataclass(frozen=True, kw_only=True)
class GlobalOptions:
    """Options of every command. None or empty: the AWS configuration of the shell decides."""

    output: Annotated[Format, typer.Option("--output", "-o", help="Choose the format of the result.")] = Format.TABLE
    profile: Annotated[str | None, typer.Option(help="Use this AWS profile.", rich_help_panel=ACCOUNT_AND_CLUSTER)] = None
    region: Annotated[str | None, typer.Option(help="Use this AWS region.", rich_help_panel=ACCOUNT_AND_CLUSTER)] = None
    role_arn: Annotated[str | None, typer.Option(help="Assume this role first.", metavar="ARN", rich_help_panel=ACCOUNT_AND_CLUSTER)] = None
    stack: Annotated[
        str,
        typer.Option(help="Use the environment of this name in deploy.yaml.", envvar="IRSA_STACK", rich_help_panel=ACCOUNT_AND_CLUSTER),
    ] = ""
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            help="Log in to the cluster with this file instead of AWS credentials.",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            rich_help_panel=ACCOUNT_AND_CLUSTER,
        ),
    ] = None
    context: Annotated[str | None, typer.Option(help="Use this context of the kubeconfig.", rich_help_panel=ACCOUNT_AND_CLUSTER)] = None
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=ACCOUNT_AND_CLUSTER)] = False


def with_global_options(command: Callable[..., int | None]) -> Callable[..., None]:
    """Return the command as typer reads it: each field of its first parameter, a `GlobalOptions`, is an option.

    The command returns its exit code. An exception is reported as one sentence; the exit code is 2 then.
    """
    first, *own = inspect.signature(command).parameters.values()
    hints = get_type_hints(command, include_extras=True)
    kind: type[GlobalOptions] = hints[first.name]
    hints |= get_type_hints(kind, include_extras=True)
    shared = [inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default) for field in fields(kind)]
    names = {field.name for field in fields(kind)}

    @wraps(command)
    def run(**arguments: Any) -> None:
        options = kind(**{name: arguments.pop(name) for name in names})
        raise typer.Exit(_run(command, options, arguments))

    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + shared
    typed = [parameter.replace(annotation=hints[parameter.name]) for parameter in parameters]
    run.__signature__ = inspect.Signature(typed)  # type: ignore[attr-defined]  # typer reads it
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in typed}
    del run.__wrapped__  # inspect.signature would follow it to the original signature
    return run


class _ReadableHelp:
    """Help names the value of an option instead of its Python type, and shows nothing for a flag."""

    def get_params(self, ctx: Any) -> Any:
        parameters = super().get_params(ctx)  # type: ignore[misc]  # defined by the class that this one is mixed into
        for option in parameters:
            if not isinstance(option, TyperOption) or option.metavar is not None or "|" in str(option.display_type_rich(ctx)):
                continue  # choices are listed in place of a name
            option.metavar = "" if option.is_flag else str(option.name).upper()
        return parameters


class Command(_ReadableHelp, TyperCommand):
    """A command."""


class Group(_ReadableHelp, TyperGroup):
    """A group of commands."""


def _run(command: Callable[..., int | None], options: GlobalOptions, arguments: dict[str, Any]) -> int:
    try:
        return command(options, **arguments) or 0
    except (typer.Exit, typer.Abort, SystemExit):
        raise
    except Exception as error:  # the outermost frame: every error becomes a sentence
        if options.debug:
            raise
        return report_error(error)
