"""`irsa-remediator settings`."""

from typing import Annotated

import typer

from cli.commands.bindings import ClusterArgument, ClusterFilter
from cli.options import GlobalOptions
from lambdas.contract.settings import GUARD, NAMES


def _complete_name(incomplete: str) -> list[str]:
    return [name for name in NAMES if name.startswith(incomplete)]


NameArgument = Annotated[str, typer.Argument(help="Setting, as `settings describe` lists it.", autocompletion=_complete_name)]


def list_(options: GlobalOptions, *, cluster: ClusterFilter = "") -> int:
    """List every setting that is set, and every floor of the deployment. With --cluster, also every value in force with its source.

    Example: irsa-remediator settings list --cluster prod-blue
    """
    from cli.views.parameter_table import write_list

    return write_list(options, "settings", cluster, validate=False)


def validate(options: GlobalOptions, *, cluster: ClusterFilter = "") -> int:
    """Validate every setting that is set.

    Exit code 1 where a value is invalid. The remediator uses the default instead of an invalid value.

    Example: irsa-remediator settings validate
    """
    from cli.views.parameter_table import write_list

    return write_list(options, "settings", cluster, validate=True)


def set_(
    options: GlobalOptions, *, cluster: ClusterArgument, name: NameArgument, value: Annotated[str, typer.Argument(help="New value.")]
) -> int:
    """Set a setting, after validation. The setting guard also installs the policies that it asks for, with your rights in the clusters.

    Example: irsa-remediator settings set _default mode approve
    """
    from cli.clients import connection
    from cli.errors import ExitCode
    from cli.queries.parameters import set_setting
    from cli.views.guard_table import follow_bindings
    from cli.views.parameter_table import write_change

    dependencies = connection.connect(options)
    former = dependencies.readers.parameters.load()
    written = set_setting(cluster, name, value, dependencies)
    code = follow_bindings([cluster], dependencies) if name == GUARD else ExitCode.OK
    return write_change(options, written, former, "settings set", code)


def unset(options: GlobalOptions, *, cluster: ClusterArgument, name: NameArgument) -> int:
    """Delete a setting, which restores its default.

    Exit code 1 where the setting is not set.

    Example: irsa-remediator settings unset prod-blue maintenance_window
    """
    from cli.clients import connection
    from cli.queries.parameters import cluster_segment
    from cli.views.parameter_table import delete_and_write
    from lambdas.contract.settings import settings_path

    return delete_and_write(options, settings_path(cluster_segment(cluster), name), connection.connect(options), "settings unset")


def describe(options: GlobalOptions) -> int:
    """List all settings with defaults, floors of the deployment and meanings. Without AWS access, the floors are not known.

    Example: irsa-remediator settings describe
    """
    from cli.views.parameter_table import write_descriptions

    return write_descriptions(options)


COMMANDS = {"list": list_, "set": set_, "unset": unset, "validate": validate, "describe": describe}
