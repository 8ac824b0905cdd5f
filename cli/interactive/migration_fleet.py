"""Carries out several migrations, one after the other: what a failure holds back, and how each one ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cli.errors import ExitCode, describe_error
from cli.interactive.incident_lease import IncidentLease, claim
from cli.interactive.migration import MigrationRun, close_incident
from cli.queries.issued_credentials import read_issued
from cli.queries.migration import read_migration
from lambdas.domain.errors import RemediatorError
from lambdas.domain.incidents.incident import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cli.clients.dependencies import Dependencies
    from cli.queries.issued_credentials import IssuedCredentials
    from cli.queries.migration import Migration
    from lambdas.contract.parameters import ServiceAccountRef

MAX_FAILED_CLUSTERS: Final = 2
"""Clusters in which pods may fail with the new mechanism before no further cluster is started.

A second one tells a fault of one cluster from one that all of them share. Each costs one pod, which the workload can do without.
"""


class MigrationState(StrEnum):
    """How a migration stands at the end of a command."""

    DONE = "done"
    PLANNED = "planned"  # steps are left, and nothing prevents them
    BLOCKED = "blocked"  # something prevents the first step; nothing was written
    STOPPED = "stopped"  # a step failed; the same command continues there
    NOT_STARTED = "not-started"  # held back, since another one stopped


@dataclass(frozen=True, kw_only=True)
class MigrationResult:
    """One migration at its end, with the reason where it stopped or was held back.

    `has_failing_pods`: it stopped after it replaced pods, or while replaced pods are not ready. `issued` is what CloudTrail shows about
    the pods of a finished migration.
    """

    migration: Migration
    state: MigrationState
    reason: str = ""
    next_step: str = ""
    notes: tuple[str, ...] = ()
    has_failing_pods: bool = False
    issued: IssuedCredentials | None = None

    @property
    def target(self) -> ServiceAccountRef:
        """The ServiceAccount."""
        return self.migration.target

    @property
    def exit_code(self) -> ExitCode:
        """0 where every step is done, else 1."""
        return ExitCode.OK if self.state is MigrationState.DONE else ExitCode.BROKEN


def standing(migration: Migration) -> MigrationResult:
    """The result of a migration that is not carried out."""
    if migration.obstacles:
        return MigrationResult(migration=migration, state=MigrationState.BLOCKED, reason=migration.obstacles[0])
    return MigrationResult(migration=migration, state=MigrationState.PLANNED if migration.remaining else MigrationState.DONE)


def why_held_back(migration: Migration, stopped: Iterable[MigrationResult]) -> str:
    """Why a migration must not start after others stopped; empty where it may.

    Others of the same cluster share its agent and its webhook, and others with the same role its policies. Pods that failed in several
    clusters show a cause that clusters share.
    """
    failed = set()
    for other in stopped:
        if other.target.cluster == migration.target.cluster:
            return f"{other.target.key} of the same cluster stopped"
        if other.has_failing_pods and _role(other.migration) == _role(migration):
            return f"{other.target.key} with the same role stopped after a pod was replaced"
        failed |= {other.target.cluster} if other.has_failing_pods else set()
    if len(failed) >= MAX_FAILED_CLUSTERS:
        return f"pods failed with {migration.to} in {len(failed)} clusters: {', '.join(sorted(failed))}"
    return ""


def _role(migration: Migration) -> str:
    return migration.binding.role_arn if migration.binding else ""


def migrate_all(
    migrations: Sequence[Migration],
    dependencies: Dependencies,
    *,
    apply_trust: bool,
    retire_trust: bool,
    report: Callable[[str], None],
) -> list[MigrationResult]:
    """Carry out the migrations in their order, and return how each one ended. One that stops does not stop those it cannot concern."""
    results: list[MigrationResult] = []
    for item in migrations:
        stopped = [result for result in results if result.state is MigrationState.STOPPED]
        if why := why_held_back(item, stopped):
            results.append(MigrationResult(migration=item, state=MigrationState.NOT_STARTED, reason=why))
        else:
            where = f"{item.target.key}: " if len(migrations) > 1 else ""

            def tell(kind: str, sentence: str, where: str = where) -> None:
                report(f"{where}{kind}: {sentence}")

            results.append(_migrate(item, dependencies, apply_trust=apply_trust, retire_trust=retire_trust, report=tell))
    return results


def _migrate(
    planned: Migration, dependencies: Dependencies, *, apply_trust: bool, retire_trust: bool, report: Callable[[str, str], None]
) -> MigrationResult:
    """Carry out one migration while its incident is held, so that the remediator does not work on the ServiceAccount."""
    run: MigrationRun | None = None
    try:
        incident = claim(planned.target, planned.binding.path if planned.binding else None, dependencies, takes_own=True)
        outcome, ended = Outcome.INTERRUPTED, planned
        with IncidentLease(incident, dependencies.incidents, dependencies.now) as lease:
            run = MigrationRun(planned.target, planned.to, dependencies, report=report, renew=lease.renew)
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
    except RemediatorError as error:
        sentence, next_step = describe_error(error)
        found = _read_again(planned, dependencies)
        is_failing = (run is not None and run.replaced_pods > 0) or not all(pod.ready for pod in found.moved_pods)
        return MigrationResult(
            migration=found, state=MigrationState.STOPPED, reason=sentence, next_step=next_step, has_failing_pods=is_failing
        )
    return MigrationResult(migration=ended, state=MigrationState.DONE, notes=tuple(run.notes))


def _read_again(planned: Migration, dependencies: Dependencies) -> Migration:
    """The migration as it stands after it stopped; as it was planned where it cannot be read."""
    try:
        return read_migration(planned.target, planned.to, dependencies)
    except RemediatorError:
        return planned


def with_issued(result: MigrationResult, dependencies: Dependencies) -> MigrationResult:
    """The result with what CloudTrail shows about its pods, where it is done: one lookup."""
    return replace(result, issued=read_issued(result.migration, dependencies)) if result.state is MigrationState.DONE else result


def summary(results: Sequence[MigrationResult]) -> dict[MigrationState, int]:
    """How many migrations ended in each state, without states that none has."""
    counts = Counter(result.state for result in results)
    return {state: counts[state] for state in MigrationState if counts[state]}
