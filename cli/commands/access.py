"""`irsa-remediator access`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import ExitCode
from cli.options import GlobalOptions
from cli.output import Format, console, progress, write

if TYPE_CHECKING:
    from cli.clients.dependencies import Dependencies
    from cli.queries.grants import Grant, RequiredAccess


def access(
    options: GlobalOptions,
    *,
    cluster: Annotated[
        str, typer.Option("--cluster", "-c", help="Select the cluster. Optional if the region has only one.", show_default=False)
    ] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Grant the access, with your own rights in AWS and in the cluster.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Show missing and surplus access. Exit code 1 where there is any.")] = False,
    policies: Annotated[
        bool, typer.Option("--policies/--no-policies", help="Include the admission policies that limit the remediator in the cluster.")
    ] = True,
) -> int:
    """Show the access that the remediator needs in a cluster: access entries, aws-auth lines, RBAC objects and admission policies as YAML.

    Network reachability is not checked from here: `verify` lets the functions test it.

    Example: irsa-remediator access --cluster prod-blue --check
    """
    from cli.clients import connection
    from cli.queries.grants import read_grants
    from cli.queries.required_access import required_access

    dependencies = connection.connect(options)
    with progress("reading the cluster's bindings"):
        required = required_access(cluster, dependencies, with_policies=policies)
    if apply:
        _apply(required, dependencies, options)
    if not apply and not check:
        return _print(options, required)
    with progress("reading access entries and RBAC objects"):
        grants = list(read_grants(required, dependencies))
    return _write_check(options, required, grants, dependencies)


def _apply(required: RequiredAccess, dependencies: Dependencies, options: GlobalOptions) -> None:
    """Apply the limits, then grant the access, with the caller's own rights. Every write is idempotent."""
    from rich.text import Text

    from cli.queries.admission_policies import apply_policies
    from lambdas.contract.access import GROUPS
    from lambdas.contract.aws_auth import map_roles

    with progress(f"granting access in {required.cluster}"):
        # The limits come before the access that they limit.
        apply_policies(required.cluster, required.policies.manifests if required.has_policies else (), dependencies.cluster_access)
        for manifest in required.objects:
            dependencies.cluster_access.apply(required.cluster, manifest)
        for function, group in GROUPS.items():
            if required.has_access_entries and function in required.roles:
                dependencies.cluster_access.put_entry(required.cluster, required.roles[function], group)
    if options.output is Format.TABLE and not required.has_access_entries and required.roles:
        console().print(Text("This cluster does not support access entries. Add these items to mapRoles of kube-system/aws-auth:"))
        console().print(Text(map_roles(required.roles)), soft_wrap=True)


def _write_check(options: GlobalOptions, required: RequiredAccess, grants: list[Grant], dependencies: Dependencies) -> ExitCode:
    """Write grants and trigger sources. A source that is off does not change the exit code: the sweep finds what it does not report."""
    from cli.queries.grants import GrantState
    from cli.queries.trigger_sources import trigger_sources
    from cli.views.grant_table import grants_view, trigger_sources_view

    with progress("reading the trigger sources"):
        sources = trigger_sources(required.cluster, dependencies.trigger_sources) if required.roles else ()
    states = {grant.state for grant in grants}
    code = (
        ExitCode.BROKEN
        if states & {GrantState.MISSING, GrantState.SURPLUS}
        else ExitCode.UNKNOWN
        if GrantState.UNKNOWN in states
        else ExitCode.OK
    )
    document = {
        "command": "access",
        "exitCode": code,
        "cluster": required.cluster,
        "grants": [grant.document for grant in grants],
        "triggerSources": [source.document for source in sources],
    }
    write(options.output, document, *grants_view(required.cluster, grants), *trigger_sources_view(required.cluster, sources))
    return code


def _print(options: GlobalOptions, required: RequiredAccess) -> ExitCode:
    """Write the RBAC objects as YAML, with the access entries or aws-auth lines as comments."""
    from rich.text import Text

    from cli.views.grant_table import manifest_text
    from lambdas.contract.access import GROUPS, VERIFY_ACTIONS
    from lambdas.contract.aws_auth import map_roles

    if options.output is Format.TABLE:
        console().print(Text(manifest_text(required)), soft_wrap=True)
        return ExitCode.OK
    roles = required.roles
    entries = [{"principalArn": roles[function], "kubernetesGroups": [group]} for function, group in GROUPS.items() if function in roles]
    document = {"command": "access", "exitCode": ExitCode.OK, "cluster": required.cluster, "accessEntries": entries}
    objects = [*(required.policies.manifests if required.has_policies else ()), *required.objects]
    reason = (required.policies.omitted if required.has_policies else "left out by --no-policies") or None
    write(
        options.output,
        document
        | {
            "awsAuth": map_roles(roles) if roles else "",
            "verifyActions": list(VERIFY_ACTIONS),
            "policiesOmitted": reason,
            "manifests": objects,
        },
    )
    return ExitCode.OK
