"""A command as typer takes it: options that all share, given to it as one `Asked`, and what happens when it fails."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from cli.asked import Asked
from cli.failures import tell


def with_options(command: Callable[..., int | None]) -> Callable[..., None]:
    """A command whose first parameter is `asked: Asked`, or a kind of it, as typer sees it: each of its fields is an option of its own.

    The command returns its exit code. What it raises is told in one sentence; the exit code is 2 then.
    """
    first, *own = inspect.signature(command).parameters.values()
    hints = get_type_hints(command, include_extras=True)
    kind: type[Asked] = hints[first.name]
    hints |= get_type_hints(kind, include_extras=True)
    shared = [inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default) for field in fields(kind)]
    names = {field.name for field in fields(kind)}

    @wraps(command)
    def run(**given: Any) -> None:
        asked = kind(**{name: given.pop(name) for name in names})
        raise typer.Exit(_run(command, asked, given))

    parameters = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in own] + shared
    typed = [parameter.replace(annotation=hints[parameter.name]) for parameter in parameters]
    run.__signature__ = inspect.Signature(typed)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {item.name: item.annotation for item in typed}
    del run.__wrapped__  # else its signature would count
    return run


class _Plain:
    """Help shows the name of an option's value rather than its Python type, and nothing beside a switch."""

    def get_params(self, ctx: Any) -> Any:
        found = super().get_params(ctx)  # type: ignore[misc]  # of the class beside it
        for item in found:
            if (
                isinstance(item, TyperOption) and item.metavar is None and "|" not in str(item.display_type_rich(ctx))
            ):  # choices name themselves
                item.metavar = "" if item.is_flag else str(item.name).upper()
        return found


class Command(_Plain, TyperCommand):
    """A command."""


class Group(_Plain, TyperGroup):
    """A group of commands."""


def _run(command: Callable[..., int | None], asked: Asked, given: dict[str, Any]) -> int:
    try:
        return command(asked, **given) or 0
    except (typer.Exit, typer.Abort, SystemExit):
        raise
    except Exception as error:  # the edge: whatever it is, a person gets a sentence
        if asked.debug:
            raise
        return tell(error)
