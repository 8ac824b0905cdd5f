"""Options that every command takes, given to it as one `Asked`, and what happens when a command fails."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

import typer

WHERE: Final = "Where and who"


class Format(StrEnum):
    """How results are written: `table` for people, the others for programs, stable and documented in `docs/cli.md`."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What every command is asked with. None or empty: as the AWS configuration of this shell says."""

    output: Annotated[Format, typer.Option("--output", "-o", help="How to write the result.")] = Format.TABLE
    profile: Annotated[str | None, typer.Option(help="AWS profile.", rich_help_panel=WHERE)] = None
    region: Annotated[str | None, typer.Option(help="AWS region.", rich_help_panel=WHERE)] = None
    role_arn: Annotated[str | None, typer.Option(help="Role to assume first.", metavar="ARN", rich_help_panel=WHERE)] = None
    stack: Annotated[
        str, typer.Option(help="Name of the environment in deploy.yaml, where it has one.", envvar="IRSA_STACK", rich_help_panel=WHERE)
    ] = ""
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Log in to the cluster with this file, not with AWS credentials.", rich_help_panel=WHERE)
    ] = None
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig.", rich_help_panel=WHERE)] = None
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=WHERE)] = False


def with_options(command: Callable[..., int | None]) -> Callable[..., None]:
    """A command whose first parameter is `asked: Asked`, or a kind of it, as typer sees it: each of its fields is an option of its own.

    The command returns its exit code. What it raises is told in one sentence; the exit code is 2 then.
    """
    first, *own = inspect.signature(command).parameters.values()
    hints = get_type_hints(command, include_extras=True)
    kind: type[Asked] = hints[first.name]
    hints |= get_type_hints(kind, include_extras=True)
    shared = [inspect.Parameter(it.name, inspect.Parameter.KEYWORD_ONLY, default=it.default) for it in fields(kind)]
    names = {it.name for it in fields(kind)}

    @wraps(command)
    def run(**given: Any) -> None:
        asked = kind(**{name: given.pop(name) for name in names})
        raise typer.Exit(_run(command, asked, given))

    parameters = [it.replace(kind=inspect.Parameter.KEYWORD_ONLY) for it in own] + shared
    typed = [it.replace(annotation=hints[it.name]) for it in parameters]
    run.__signature__ = inspect.Signature(typed)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {it.name: it.annotation for it in typed}
    del run.__wrapped__  # else its signature would count
    return run


def _run(command: Callable[..., int | None], asked: Asked, given: dict[str, Any]) -> int:
    try:
        return command(asked, **given) or 0
    except (typer.Exit, typer.Abort, SystemExit):
        raise
    except Exception as error:  # the edge: whatever it is, a person gets a sentence
        if asked.debug:
            raise
        from cli.failures import tell

        return tell(error)
