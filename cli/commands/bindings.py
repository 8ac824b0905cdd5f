"""`irsa-remediator bindings`."""

from __future__ import annotations

from pathlib import Path  # typer reads the annotation at run time
from typing import Annotated

import typer

from cli.options import GlobalOptions

ClusterArgument = Annotated[
    str, typer.Argument(metavar="CLUSTER", help="Cluster name, or _default for every cluster without its own value.", show_default=False)
]
ClusterFilter = Annotated[
    str, typer.Option("--cluster", "-c", help="List only this cluster; _default is a valid name.", show_default=False)
]
ServiceAccountArgument = Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="ServiceAccount.")]
MechanismOption = Annotated[
    str,
    typer.Option("--mechanism", metavar="MECHANISM", help="irsa or pod-identity; by default the one in force.", show_default=False),
]
TargetRoleOption = Annotated[
    str, typer.Option("--target-role", metavar="ROLE_ARN", help="Role that the pod identity association chains to.", show_default=False)
]
SessionTagsOption = Annotated[
    bool | None,
    typer.Option("--session-tags/--no-session-tags", help="Session tags of the association; by default as they are.", show_default=False),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Session policy of the association; needs --no-session-tags.",
        show_default=False,
    ),
]
RoleArgument = Annotated[str, typer.Argument(metavar="ROLE_ARN", help="Role that the ServiceAccount must use.")]


def list_(options: GlobalOptions, *, cluster: ClusterFilter = "") -> int:
    """List every binding, with its problem.

    Example: irsa-remediator bindings list
    """
    from cli.views.parameter_table import write_list

    return write_list(options, "bindings", cluster, validate=False)


def validate(options: GlobalOptions, *, cluster: ClusterFilter = "") -> int:
    """Validate every binding: format, partition, and whether the role exists.

    Exit code 1 where a binding is invalid.

    Example: irsa-remediator bindings validate --output json
    """
    from cli.views.parameter_table import write_list

    return write_list(options, "bindings", cluster, validate=True)


def set_(
    options: GlobalOptions,
    *,
    cluster: ClusterArgument,
    service_account: ServiceAccountArgument,
    role: RoleArgument,
    mechanism: MechanismOption = "",
    target_role: TargetRoleOption = "",
    session_tags: SessionTagsOption = None,
    policy: PolicyOption = None,
) -> int:
    """Set a binding, which permits repairs of this ServiceAccount, and bring an installed guard or warning up to date.

    The role is validated first. With a mechanism, the value is a JSON object instead of the role alone.

    Example: irsa-remediator bindings set prod-blue kube-system/aws-node arn:aws:iam::111122223333:role/prod-blue-vpc-cni
    """
    from cli.clients import connection
    from cli.queries.parameters import binding_text, set_binding
    from cli.queries.targets import split_service_account
    from cli.views.guard_table import follow_bindings
    from cli.views.parameter_table import write_change

    dependencies = connection.connect(options)
    former = dependencies.readers.parameters.load()
    document = policy.read_text(encoding="utf-8", errors="replace") if policy else ""
    value = binding_text(role, mechanism, target_role, session_tags=session_tags, policy=document)
    binding = set_binding(cluster, split_service_account(service_account), value, dependencies)
    code = follow_bindings([cluster], dependencies, frozenset({service_account}))
    return write_change(options, binding, former, "bindings set", code)


def unset(options: GlobalOptions, *, cluster: ClusterArgument, service_account: ServiceAccountArgument) -> int:
    """Delete a binding, which ends repairs of this ServiceAccount, and remove its guard and warning.

    Exit code 1 where the binding does not exist, or where you may not remove the guard.

    Example: irsa-remediator bindings unset prod-blue kube-system/aws-node
    """
    from cli.clients import connection
    from cli.queries.parameters import cluster_segment
    from cli.queries.targets import split_service_account
    from cli.views.guard_table import follow_bindings
    from cli.views.parameter_table import delete_and_write
    from lambdas.contract.parameters import binding_path

    path = binding_path(cluster_segment(cluster), *split_service_account(service_account))
    dependencies = connection.connect(options)
    return delete_and_write(
        options, path, dependencies, "bindings unset", lambda: follow_bindings([cluster], dependencies, frozenset({service_account}))
    )


COMMANDS = {"list": list_, "set": set_, "unset": unset, "validate": validate}
