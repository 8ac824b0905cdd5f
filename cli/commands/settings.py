"""`irsa-remediator settings`."""

from typing import Annotated

import typer

from cli.asked import Asked
from cli.commands.bindings import Of, Whose
from lambdas.contract.settings import NAMES


def _names(incomplete: str) -> list[str]:
    return [name for name in NAMES if name.startswith(incomplete)]


Name = Annotated[str, typer.Argument(help="The setting, as `settings describe` lists them.", autocompletion=_names)]


def list_(asked: Asked, *, cluster: Of = "") -> int:
    """List every setting that is written; the others have their defaults.

    Example: irsa-remediator settings list --cluster prod-blue
    """
    from cli.parameters_view import listed

    return listed(asked, "settings", cluster, validate=False)


def validate(asked: Asked, *, cluster: Of = "") -> int:
    """Check every setting that is written.

    Exit code 1 where one is wrong; its default counts then.

    Example: irsa-remediator settings validate
    """
    from cli.parameters_view import listed

    return listed(asked, "settings", cluster, validate=True)


def set_(asked: Asked, *, cluster: Whose, name: Name, value: Annotated[str, typer.Argument(help="Its new value.")]) -> int:
    """Write a setting, checked first.

    Example: irsa-remediator settings set _default mode approve
    """
    from cli import wiring
    from cli.parameters import set_setting
    from cli.parameters_view import changed

    outside = wiring.connect(asked)
    former = outside.readers.parameters.load()
    return changed(asked, set_setting(cluster, name, value, outside), former, "settings set")


def unset(asked: Asked, *, cluster: Whose, name: Name) -> int:
    """Remove a setting: its default counts again.

    Example: irsa-remediator settings unset prod-blue maintenance_window
    """
    from cli import wiring
    from cli.parameters import whose
    from cli.parameters_view import unset as remove
    from lambdas.contract.settings import settings_path

    return remove(asked, settings_path(whose(cluster), name), wiring.connect(asked), "settings unset")


def describe(asked: Asked) -> int:
    """What can be set, with defaults; asks nobody.

    Example: irsa-remediator settings describe
    """
    from cli.parameters_view import describe as show

    return show(asked)


COMMANDS = {"list": list_, "set": set_, "unset": unset, "validate": validate, "describe": describe}
