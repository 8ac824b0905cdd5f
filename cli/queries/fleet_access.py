"""The access of every cluster of a region. One cluster that cannot be read does not stop the others."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cli.errors import ExitCode
from cli.output import counted, progress
from cli.queries.assessment import MAX_PARALLEL_ASSESSMENTS
from cli.queries.fleet_state import FleetState
from cli.queries.grants import Grant, GrantState, exit_code_of, read_grants
from cli.queries.required_access import grant_access, required_access
from cli.queries.targets import TargetSelection, clusters
from lambdas.domain.errors import RemediatorError

if TYPE_CHECKING:
    from cli.clients.dependencies import Dependencies
    from cli.queries.grants import RequiredAccess


@dataclass(frozen=True, kw_only=True)
class ClusterAccessReport:
    """What one cluster must grant, and its grants where they were read; `failure` says why there is no answer."""

    cluster: str
    required: RequiredAccess | None = None
    grants: tuple[Grant, ...] = ()
    failure: str = ""

    @property
    def exit_code(self) -> ExitCode:
        """Unknown without an answer, else what the grants say."""
        return ExitCode.UNKNOWN if self.failure else exit_code_of(self.grants)

    @property
    def state(self) -> FleetState:
        """The state in a list: `broken` where access is missing or surplus."""
        return FleetState.of(self.exit_code)

    @property
    def counts(self) -> Counter[GrantState]:
        """The number of grants in each state."""
        return Counter(grant.state for grant in self.grants)

    @property
    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "cluster": self.cluster,
            "exitCode": self.exit_code,
            "problem": self.failure or None,
            "grants": [grant.document for grant in self.grants],
        }


def access_of_all_clusters(dependencies: Dependencies, *, with_policies: bool, apply: bool) -> list[ClusterAccessReport]:
    """Return the grants of each cluster of the region, worst first. With `apply`, the access is granted before the grants are read."""
    with progress("listing the clusters"):
        names = clusters(TargetSelection(all_clusters=True), dependencies)
    report = partial(_report, dependencies=dependencies, with_policies=with_policies, apply=apply)
    text, order = "granting access" if apply else "reading grants", list(FleetState)
    with ThreadPoolExecutor(MAX_PARALLEL_ASSESSMENTS) as pool:
        found = counted(text, names, report, pool, state=lambda one: one.state)
    return sorted(found, key=lambda one: (order.index(one.state), one.cluster))


def _report(cluster: str, dependencies: Dependencies, *, with_policies: bool, apply: bool) -> ClusterAccessReport:
    try:
        required = required_access(cluster, dependencies, with_policies=with_policies)
        if apply:
            grant_access(required, dependencies)
        return ClusterAccessReport(cluster=cluster, required=required, grants=tuple(read_grants(required, dependencies)))
    except RemediatorError as error:
        return ClusterAccessReport(cluster=cluster, failure=str(error))
