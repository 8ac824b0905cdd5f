"""`irsa-remediator guard`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import ExitCode
from cli.options import GlobalOptions
from cli.output import progress, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.clients.dependencies import Dependencies
    from cli.queries.guards import GuardScope, GuardStatus

ClusterOption = Annotated[
    str, typer.Option("--cluster", "-c", help="Select the cluster. Optional if the region has only one.", show_default=False)
]
ServiceAccountOption = Annotated[
    str,
    typer.Option(
        "--service-account",
        "-s",
        metavar="NAMESPACE/NAME",
        help="Select one ServiceAccount instead of every bound one.",
        show_default=False,
    ),
]


def status(options: GlobalOptions, *, cluster: ClusterOption = "", service_account: ServiceAccountOption = "") -> int:
    """Show the guard and the warning of each bound ServiceAccount, and try to remove the role without storing the change.

    Exit code 1 where a policy is stale, differs, belongs to another owner or is not applied by the API server.

    Example: irsa-remediator guard status --cluster prod-blue
    """
    dependencies, scope = _scope(options, cluster, service_account)
    return _write("guard status", options, scope, _proved(scope, dependencies, wait=False))


def apply(
    options: GlobalOptions,
    *,
    cluster: ClusterOption = "",
    service_account: ServiceAccountOption = "",
    warn_only: Annotated[
        bool, typer.Option("--warn-only", help="Install only the warning, which refuses and changes nothing (Kubernetes 1.30 and later).")
    ] = False,
    all_clusters: Annotated[
        bool, typer.Option("--all", help="Let every cluster of the region follow its bindings and the setting guard.")
    ] = False,
) -> int:
    """Install the guard, which keeps the role annotation at admission, and the warning, which names who removes it.

    They need Kubernetes 1.36, and your own rights in the cluster; the functions cannot install them. The policies hold the role of the
    binding, and commands that change a binding update them. Policies whose binding was deleted are removed. With --all, the setting guard
    says where absent policies are installed.

    Example: irsa-remediator guard apply --cluster prod-blue
    """
    from cli.errors import CommandError
    from cli.queries.guards import apply_guards, remove_guards
    from lambdas.contract.policy_kinds import PolicyKind

    if all_clusters:
        return _apply_everywhere(options, is_limited=bool(cluster or service_account or warn_only))
    dependencies, scope = _scope(options, cluster, service_account)
    if scope.guarded:
        with progress(f"installing policies in {scope.cluster}"):
            apply_guards(scope, (PolicyKind.WARNING,) if warn_only else tuple(PolicyKind), dependencies)
    with progress(f"removing policies without a binding in {scope.cluster}"):
        removed = remove_guards(scope, dependencies, unbound_only=True)
    if not scope.guarded and not removed:
        reasons = "; ".join(f"{account}: {reason}" for account, reason in scope.excluded.items()) or "no ServiceAccount has a binding"
        raise CommandError(
            f"cluster {scope.cluster} has nothing to guard: {reasons}", next_step="irsa-remediator adopt writes bindings; docs/adopt.md"
        )
    return _write("guard apply", options, scope, [*removed, *_proved(scope, dependencies, wait=True)])


def _apply_everywhere(options: GlobalOptions, *, is_limited: bool) -> int:
    from cli.clients import connection
    from cli.errors import CommandError, worst
    from cli.queries.guard_updates import update_guards
    from cli.views.guard_table import updates_view
    from lambdas.contract.names import ANY_CLUSTER

    if is_limited:
        raise CommandError(
            "--all excludes --cluster, --service-account and --warn-only",
            next_step="irsa-remediator settings set _default guard warn-only asks for the warning alone",
        )
    updates = update_guards([ANY_CLUSTER], connection.connect(options), with_proof=True)
    code = worst(update.exit_code for update in updates)
    document = {"command": "guard apply", "exitCode": code, "clusters": [update.document for update in updates]}
    write(options.output, document, *updates_view(updates))
    return code


def remove(options: GlobalOptions, *, cluster: ClusterOption = "", service_account: ServiceAccountOption = "") -> int:
    """Remove the guards and warnings of a cluster, also those whose binding no longer exists. The annotations stay as they are.

    Example: irsa-remediator guard remove --cluster prod-blue
    """
    from cli.queries.guards import remove_guards

    dependencies, scope = _scope(options, cluster, service_account)
    with progress(f"removing policies in {scope.cluster}"):
        removed = remove_guards(scope, dependencies)
    return _write("guard remove", options, scope, removed)


def _scope(options: GlobalOptions, cluster: str, service_account: str) -> tuple[Dependencies, GuardScope]:
    from cli.clients import connection
    from cli.queries.guards import guard_scope

    dependencies = connection.connect(options)
    with progress("reading the cluster's bindings"):
        return dependencies, guard_scope(cluster, service_account, dependencies)


def _proved(scope: GuardScope, dependencies: Dependencies, *, wait: bool) -> list[GuardStatus]:
    from cli.queries.guards import prove, read_guards

    with progress(f"reading policies in {scope.cluster}"):
        return [prove(status, scope, dependencies, wait=wait) for status in read_guards(scope, dependencies)]


def _write(command: str, options: GlobalOptions, scope: GuardScope, statuses: Sequence[GuardStatus]) -> ExitCode:
    from cli.queries.guards import exit_code
    from cli.views.guard_table import guard_view

    code = exit_code(statuses)
    excluded = [{"serviceAccount": account, "reason": reason} for account, reason in scope.excluded.items()]
    document = {
        "command": command,
        "exitCode": code,
        "cluster": scope.cluster,
        "policies": [status.document for status in statuses],
        "excluded": excluded,
    }
    write(options.output, document, *guard_view(command, scope, statuses))
    return code


COMMANDS = {"status": status, "apply": apply, "remove": remove}
