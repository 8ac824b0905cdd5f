"""`irsa-remediator access`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.check import AllClusters
from cli.errors import CommandError, ExitCode, worst
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
    all_clusters: AllClusters = False,
    apply: Annotated[bool, typer.Option("--apply", help="Grant the access, with your own rights in AWS and in the cluster.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Show missing and surplus access. Exit code 1 where there is any.")] = False,
    policies: Annotated[
        bool, typer.Option("--policies/--no-policies", help="Include the admission policies that limit the remediator in the cluster.")
    ] = True,
) -> int:
    """Show the access that the remediator needs in a cluster: access entries, aws-auth lines, RBAC objects and admission policies as YAML.

    Network reachability is not checked from here: `verify` lets the functions test it.

    Example: irsa-remediator access --cluster prod-blue --check

    Example: irsa-remediator access --all --check
    """
    from cli.clients import connection
    from cli.queries.grants import read_grants
    from cli.queries.required_access import required_access

    if all_clusters and cluster:
        raise CommandError("--all and --cluster exclude each other", next_step="give one of them")
    if all_clusters and not (apply or check):
        raise CommandError("access --all prints no manifests", next_step="add --check or --apply, or name one cluster with --cluster")
    dependencies = connection.connect(options)
    if all_clusters:
        return _write_all(options, dependencies, apply=apply, policies=policies)
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
    from rich.text import Text

    from cli.queries.required_access import grant_access
    from lambdas.contract.aws_auth import map_roles

    with progress(f"granting access in {required.cluster}"):
        grant_access(required, dependencies)
    if options.output is Format.TABLE and not required.has_access_entries and required.roles:
        console().print(Text("This cluster does not support access entries. Add these items to mapRoles of kube-system/aws-auth:"))
        console().print(Text(map_roles(required.roles)), soft_wrap=True)


def _write_all(options: GlobalOptions, dependencies: Dependencies, *, apply: bool, policies: bool) -> ExitCode:
    """Write the grants of each cluster as one line, worst first. Each failure is the answer for its own cluster."""
    from cli.queries.fleet_access import access_of_all_clusters
    from cli.views.access_table import access_views

    reports = access_of_all_clusters(dependencies, with_policies=policies, apply=apply)
    code = worst(report.exit_code for report in reports)
    document = {"command": "access", "exitCode": code, "clusters": [report.document for report in reports]}
    write(options.output, document, *access_views(reports))
    return code


def _write_check(options: GlobalOptions, required: RequiredAccess, grants: list[Grant], dependencies: Dependencies) -> ExitCode:
    """Write grants and trigger sources. A source that is off does not change the exit code: the sweep finds what it does not report."""
    from cli.queries.grants import exit_code_of
    from cli.queries.trigger_sources import trigger_sources
    from cli.views.grant_table import grants_view, trigger_sources_view

    with progress("reading the trigger sources"):
        sources = trigger_sources(required.cluster, dependencies.trigger_sources) if required.roles else ()
    code = exit_code_of(grants)
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
