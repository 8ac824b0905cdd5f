"""`irsa-remediator migrate`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.check import ServiceAccount
from cli.errors import CommandError, ExitCode, worst
from cli.options import GlobalOptions
from cli.output import Format, confirm, counted, error_console, is_interactive, progress, write
from lambdas.contract.parameters import Mechanism
from lambdas.domain.errors import RemediatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.interactive.migration_fleet import MigrationResult
    from cli.queries.migration import Migration
    from lambdas.contract.parameters import ServiceAccountRef

_UNDO_HELP = "Go back from wherever the migration to the mechanism of --to stands."
_APPLY_TRUST_HELP = "Apply the shown change of the trust policy with your own rights."
_RETIRE_TRUST_HELP = "At the end, remove the statement for the mechanism that was left from the trust policy."
MAX_PARALLEL_READS = 8


def migrate(
    options: GlobalOptions,
    *,
    to: Annotated[Mechanism, typer.Option("--to", help="Mechanism that pods are to use.", show_default=False)],
    cluster: Annotated[list[str] | None, typer.Option("--cluster", "-c", help="Cluster; repeatable.", show_default=False)] = None,
    all_clusters: Annotated[bool, typer.Option("--all", help="Every cluster of the region.")] = False,
    service_account: ServiceAccount = "",
    undo: Annotated[bool, typer.Option("--undo", help=_UNDO_HELP)] = False,
    apply_trust: Annotated[bool, typer.Option("--apply-trust", help=_APPLY_TRUST_HELP)] = False,
    retire_trust: Annotated[bool, typer.Option("--retire-trust", help=_RETIRE_TRUST_HELP)] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the steps and change nothing.")] = False,
) -> int:
    """Migrate bound ServiceAccounts between IRSA and EKS Pod Identity, pod by pod.

    Shows the steps and what prevents them, and asks. An interrupted migration continues when it is run again, and --undo goes back.
    With several clusters, one that stops does not stop the others, unless pods failed in two clusters.

    Example: irsa-remediator migrate --to pod-identity --cluster prod-blue --service-account kube-system/aws-node
    """
    from rich.text import Text

    from cli.clients import connection
    from cli.interactive.migration_fleet import MigrationState, migrate_all, standing, with_issued
    from cli.queries.migration import opposite, read_migration
    from cli.queries.targets import TargetSelection, targets
    from cli.views.guard_table import follow_bindings
    from cli.views.migration import migration_view
    from lambdas.notifications.escape import plain

    direction = opposite(to) if undo else to
    dependencies = connection.connect(options)
    selection = TargetSelection(clusters=tuple(cluster or ()), all_clusters=all_clusters, service_account=service_account)
    with progress("listing clusters and bindings"):
        selected = targets(selection, dependencies)
    unread: list[str] = []

    def read(target: ServiceAccountRef) -> Migration | None:
        try:
            return read_migration(target, direction, dependencies)
        except RemediatorError as error:
            if len(selected) == 1:
                raise
            unread.append(f"{target.key} was not read: {error}")
            return None

    with ThreadPoolExecutor(MAX_PARALLEL_READS) as pool:
        planned = [item for item in counted("reading", selected, read, pool) if item]
    prompt = error_console()
    if options.output is Format.TABLE:
        prompt.print(*(migration_view(item) for item in planned), sep="\n")
    may_start = [item for item in planned if not _blocked(item, apply_trust=apply_trust) and (item.remaining or retire_trust)]
    if dry_run or not may_start:
        return _write(options, [with_issued(standing(item), dependencies) for item in planned], unread)
    if not yes and not is_interactive():
        raise CommandError("standard input is not a terminal, so no one can answer", next_step="give --yes, or --dry-run to see the steps")
    names = ", ".join(item.target.key for item in may_start)
    if not yes and not confirm(f"Migrate {names} to {direction} in account {dependencies.environment.account}?"):
        return _write(options, [standing(item) for item in planned], unread)
    ended = migrate_all(
        may_start,
        dependencies,
        apply_trust=apply_trust,
        retire_trust=retire_trust,
        report=lambda line: prompt.print(Text(plain(line)), soft_wrap=True),
    )
    if len(selected) == 1 and ended[0].state is MigrationState.STOPPED:
        raise CommandError(ended[0].reason, next_step=ended[0].next_step)
    done = {result.target: result for result in ended}
    accounts = frozenset(f"{result.target.namespace}/{result.target.name}" for result in ended)
    guard_code = follow_bindings([result.target.cluster for result in ended], dependencies, accounts)
    results = [with_issued(done.get(item.target) or standing(item), dependencies) for item in planned]
    return _write(options, results, unread, guard_code)


def _blocked(migration: Migration, *, apply_trust: bool) -> bool:
    """Whether something prevents the first step. A change of the trust policy alone does not, where it is applied."""
    can_apply = apply_trust and migration.is_trust_alone and migration.trust is not None
    return bool(migration.obstacles) and not can_apply


def _write(
    options: GlobalOptions, results: Sequence[MigrationResult], unread: Sequence[str], guard_code: ExitCode = ExitCode.OK
) -> ExitCode:
    from rich.text import Text

    from cli.views.migration import migration_document, result_lines
    from lambdas.notifications.escape import plain

    code = worst([*(result.exit_code for result in results), *[ExitCode.UNKNOWN] * bool(unread), guard_code])
    document: dict[str, Any] = {
        "command": "migrate",
        "exitCode": code,
        "migrations": [migration_document(result) for result in results],
        "notes": [*(note for result in results for note in result.notes), *unread],
    }
    write(options.output, document, *(Text(plain(text)) for text in (*result_lines(results), *unread)))
    return code
