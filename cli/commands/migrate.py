"""`irsa-remediator migrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.check import ServiceAccount
from cli.errors import CommandError, ExitCode, describe_error, worst
from cli.options import GlobalOptions
from cli.output import Format, error_console, is_interactive, progress, write
from lambdas.contract.parameters import Mechanism
from lambdas.domain.errors import RemediatorError
from lambdas.domain.plurals import pluralize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.clients.dependencies import Dependencies
    from cli.queries.migration import Migration

_UNDO_HELP = "Go back from wherever the migration to the mechanism of --to stands."
_APPLY_TRUST_HELP = "Apply the shown change of the trust policy with your own rights."
_RETIRE_TRUST_HELP = "At the end, remove the statement for the OIDC provider from the trust policy."


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

    Example: irsa-remediator migrate --to pod-identity --cluster prod-blue --service-account kube-system/aws-node
    """
    from cli.clients import connection
    from cli.queries.migration import opposite, read_migration
    from cli.queries.targets import TargetSelection, targets
    from cli.views.migration import migration_view

    direction = opposite(to) if undo else to
    if retire_trust and direction is not Mechanism.POD_IDENTITY:
        raise CommandError("--retire-trust removes the trust of IRSA, so it needs --to pod-identity", next_step="leave it out")
    dependencies = connection.connect(options)
    selection = TargetSelection(clusters=tuple(cluster or ()), all_clusters=all_clusters, service_account=service_account)
    with progress("reading"):
        planned = [read_migration(target, direction, dependencies) for target in targets(selection, dependencies)]
    prompt = error_console()
    if options.output is Format.TABLE:
        prompt.print(*(migration_view(item) for item in planned), sep="\n")
    may_start = [item for item in planned if not _blocked(item, apply_trust=apply_trust) and (item.remaining or retire_trust)]
    if dry_run or not may_start:
        return _write(options, planned, (), [_code(item) for item in planned])
    if not yes and not is_interactive():
        raise CommandError("standard input is not a terminal, so no one can answer", next_step="give --yes, or --dry-run to see the steps")
    names = ", ".join(item.target.key for item in may_start)
    if not yes and not typer.confirm(f"Migrate {names} to {direction} in account {dependencies.environment.account}?", err=True):
        return _write(options, planned, (), [ExitCode.BROKEN])
    ended, notes, failed = _run_all(may_start, dependencies, apply_trust=apply_trust, retire_trust=retire_trust)
    codes = [*(_code(item) for item in planned if item not in may_start), *map(_code, ended), *[ExitCode.BROKEN] * failed]
    return _write(options, ended, notes, codes)


def _run_all(
    migrations: Sequence[Migration], dependencies: Dependencies, *, apply_trust: bool, retire_trust: bool
) -> tuple[list[Migration], list[str], bool]:
    """Carry out one migration after the other, until one fails. Return those that ended, the notes, and whether one failed."""
    ended: list[Migration] = []
    notes: list[str] = []
    for item in migrations:
        try:
            done, said = _run(item, dependencies, apply_trust=apply_trust, retire_trust=retire_trust)
        except RemediatorError as error:
            if len(migrations) == 1:
                raise
            sentence, next_step = describe_error(error)
            left = len(migrations) - len(ended) - 1
            notes.append(f"{item.target.key} stopped: {sentence} ({next_step}); {pluralize(left, 'ServiceAccount')} after it did not start")
            return ended, notes, True
        ended.append(done)
        notes += said
    return ended, notes, False


def _blocked(migration: Migration, *, apply_trust: bool) -> bool:
    """Whether something prevents the first step. A change of the trust policy alone does not, where it is applied."""
    can_apply = apply_trust and migration.is_trust_alone and migration.trust is not None
    return bool(migration.obstacles) and not can_apply


def _code(migration: Migration) -> ExitCode:
    return ExitCode.BROKEN if migration.obstacles or migration.remaining else ExitCode.OK


def _run(planned: Migration, dependencies: Dependencies, *, apply_trust: bool, retire_trust: bool) -> tuple[Migration, Sequence[str]]:
    """Carry out one migration while its incident is held, so that the remediator does not work on the ServiceAccount."""
    from rich.text import Text

    from cli.interactive.incident_lease import IncidentLease, claim
    from cli.interactive.migration import MigrationRun, close_incident
    from lambdas.domain.incidents.incident import Outcome
    from lambdas.notifications.escape import plain

    prompt = error_console()
    incident = claim(planned.target, planned.binding.path if planned.binding else None, dependencies, takes_own=True)
    outcome, ended = Outcome.INTERRUPTED, planned
    with IncidentLease(incident, dependencies.incidents, dependencies.now) as lease:
        run = MigrationRun(
            planned.target,
            planned.to,
            dependencies,
            report=lambda kind, sentence: prompt.print(Text(f"{kind}: {plain(sentence)}"), soft_wrap=True),
            renew=lease.renew,
        )
        try:
            if apply_trust:
                run.apply_trust(planned)
            ended = run.run()
            if retire_trust:
                run.retire_trust()
            outcome = Outcome.VERIFIED
        except Exception:
            outcome = Outcome.NEEDS_ACTION
            raise
        finally:
            close_incident(incident, planned, ended, outcome, dependencies)
    return ended, run.notes


def _write(options: GlobalOptions, migrations: Sequence[Migration], notes: Sequence[str], codes: Sequence[ExitCode]) -> ExitCode:
    from rich.text import Text

    from cli.views.migration import migration_document
    from lambdas.notifications.escape import plain

    code = worst(codes)
    document: dict[str, Any] = {
        "command": "migrate",
        "exitCode": code,
        "migrations": [migration_document(item) for item in migrations],
        "notes": list(notes),
    }
    ended = [f"{item.target.key} uses {item.to}." for item in migrations if not item.remaining and not item.obstacles]
    write(options.output, document, *(Text(plain(text)) for text in (*ended, *notes)))
    return code
