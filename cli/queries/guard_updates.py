"""Installed guards and warnings are brought up to date after their bindings or the setting `guard` changed."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from cli.errors import ExitCode, describe_error
from cli.output import counted
from cli.queries.assessment import MAX_PARALLEL_ASSESSMENTS
from cli.queries.fleet_state import FleetState
from cli.queries.guards import OUTDATED, GuardScope, GuardStatus, apply_guards, exit_code, guard_scope, prove, read_guards, remove_guards
from lambdas.contract.names import ANY_CLUSTER
from lambdas.domain.diagnosis.links.guard import wanted_policies
from lambdas.domain.errors import RemediatorError
from lambdas.domain.snapshot.guard import GuardState
from lambdas.domain.snapshot.snapshot import ClusterFacts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cli.clients.dependencies import Dependencies
    from cli.queries.guards import Guarded
    from lambdas.contract.policy_kinds import PolicyKind


@dataclass(frozen=True, kw_only=True)
class GuardUpdate:
    """What was done to the policies of one cluster.

    `installed` are policies that were installed or corrected, `removed` those without a binding, and `remaining` those that do not follow
    their binding. `problem` says why policies remain, or why nothing is known.
    """

    cluster: str
    installed: tuple[GuardStatus, ...] = ()
    removed: tuple[GuardStatus, ...] = ()
    remaining: tuple[GuardStatus, ...] = ()
    problem: str = ""
    next_step: str = ""

    @property
    def exit_code(self) -> ExitCode:
        """1 where a policy is known not to do what it is installed for, 2 where that is not known."""
        code = exit_code([*self.installed, *self.remaining])
        if self.remaining or code is ExitCode.BROKEN:
            return ExitCode.BROKEN
        return ExitCode.UNKNOWN if self.problem else code

    @property
    def state(self) -> FleetState:
        """The state in a list of clusters."""
        return FleetState.of(self.exit_code)

    @property
    def document(self) -> dict[str, Any]:
        """The update as JSON."""
        return {
            "cluster": self.cluster,
            "exitCode": self.exit_code,
            "installed": [status.document for status in self.installed],
            "removed": [status.document for status in self.removed],
            "remaining": [status.document for status in self.remaining],
            "problem": self.problem or None,
            "nextStep": self.next_step or None,
        }


def update_guards(
    clusters: Collection[str], dependencies: Dependencies, accounts: frozenset[str] | None = None, *, with_proof: bool = False
) -> list[GuardUpdate]:
    """Let the policies of these clusters follow their bindings and the setting `guard`, with the caller's own rights.

    An absent policy is installed only where the setting asks for it. `_default` stands for every cluster. `accounts` limits the update to
    these ServiceAccounts (`namespace/name`).
    """
    names = _every_cluster(dependencies) if ANY_CLUSTER in clusters else sorted(set(clusters))
    update = partial(_update, accounts=accounts, dependencies=dependencies, with_proof=with_proof)
    with ThreadPoolExecutor(MAX_PARALLEL_ASSESSMENTS) as pool:
        return counted("comparing guards with bindings", names, update, pool, state=lambda one: one.state)


def _every_cluster(dependencies: Dependencies) -> list[str]:
    return sorted(dependencies.readers.eks.clusters())


def _update(cluster: str, accounts: frozenset[str] | None, dependencies: Dependencies, *, with_proof: bool) -> GuardUpdate:
    try:
        if not isinstance(dependencies.readers.eks.cluster(cluster), ClusterFacts):
            return GuardUpdate(cluster=cluster)  # a binding may precede its cluster
        scope = guard_scope(cluster, "", dependencies)
        statuses = [status for status in read_guards(scope, dependencies) if accounts is None or status.account in accounts]
    except RemediatorError as error:
        return _not_known(cluster, str(error))
    if unread := next((status.detail for status in statuses if status.state is GuardState.UNKNOWN), ""):
        return _not_known(cluster, unread)
    due = _due(statuses, scope, dependencies)
    unbound = [status for status in statuses if status.state is GuardState.UNBOUND]
    foreign = [status for status in statuses if status.state is GuardState.FOREIGN]
    try:
        for kinds, items in _by_kinds(due, scope).items():
            apply_guards(replace(scope, guarded=items), kinds, dependencies)
        for account in dict.fromkeys(status.account for status in unbound):
            remove_guards(replace(scope, guarded=(), excluded={}, service_account=account), dependencies)
    except RemediatorError as error:
        sentence, next_step = describe_error(error)
        return GuardUpdate(cluster=cluster, remaining=(*due, *unbound), problem=sentence, next_step=next_step)
    written = [replace(status, state=GuardState.INSTALLED, detail="", next_step="") for status in due]
    installed = [prove(status, scope, dependencies, wait=True) for status in written] if with_proof else written
    return GuardUpdate(
        cluster=cluster,
        installed=tuple(installed),
        removed=tuple(unbound),
        remaining=tuple(foreign),
        next_step=foreign[0].next_step if foreign else "",
    )


def _not_known(cluster: str, reason: str) -> GuardUpdate:
    problem = f"whether cluster {cluster} has a guard that differs from its binding is not known: {reason}"
    return GuardUpdate(cluster=cluster, problem=problem, next_step=f"irsa-remediator guard apply --cluster {cluster}")


def _due(statuses: Sequence[GuardStatus], scope: GuardScope, dependencies: Dependencies) -> list[GuardStatus]:
    """The policies to install: those that differ, and those that are absent and wanted. Each as the binding names it."""
    settings, _ = dependencies.readers.settings(dependencies.readers.parameters.load(scope.cluster), scope.cluster)
    wanted = wanted_policies(settings.guard, scope.version)
    roles = {item.account: item.binding.role_arn for item in scope.guarded}
    return [
        replace(status, role_arn=roles[status.account])
        for status in statuses
        if status.state in OUTDATED or (status.state is GuardState.ABSENT and status.kind in wanted)
    ]


def _by_kinds(due: Sequence[GuardStatus], scope: GuardScope) -> dict[tuple[PolicyKind, ...], tuple[Guarded, ...]]:
    """The ServiceAccounts by the kinds of policies that they need, so that both policies of one are installed, or none."""
    kinds: dict[str, list[PolicyKind]] = defaultdict(list)
    for status in due:
        kinds[status.account].append(status.kind)
    found: dict[tuple[PolicyKind, ...], tuple[Guarded, ...]] = {}
    for item in scope.guarded:
        if needed := tuple(kinds[item.account]):
            found[needed] = (*found.get(needed, ()), item)
    return found
