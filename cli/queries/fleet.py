"""Assess every selected ServiceAccount of an account and region, with what the next update of the add-on does to its role."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cli.output import counted, progress
from cli.queries.assessment import MAX_PARALLEL_ASSESSMENTS, assess_target, require_known_cluster
from cli.queries.fleet_member import FleetMember, worst_first
from cli.queries.targets import clusters, targets
from lambdas.contract.workloads import AWS_NODE
from lambdas.domain.errors import RemediatorError
from preflight.cluster import Upgrade
from preflight.run import assess_cluster, assess_snapshot, unread_cluster

if TYPE_CHECKING:
    from cli.clients.dependencies import Dependencies
    from cli.queries.targets import TargetSelection
    from lambdas.contract.parameters import ServiceAccountRef
    from preflight.cluster import ClusterReport


def assess_members(selection: TargetSelection, dependencies: Dependencies) -> list[FleetMember]:
    """Return the members of a selection, worst first. A progress bar counts them by state."""
    with progress("listing clusters and bindings"):
        selected = targets(selection, dependencies)
    with ThreadPoolExecutor(MAX_PARALLEL_ASSESSMENTS) as pool:
        return worst_first(
            counted("checking", selected, lambda target: assess_member(target, dependencies), pool, state=lambda member: member.state)
        )


def assess_member(target: ServiceAccountRef, dependencies: Dependencies) -> FleetMember:
    """Return one member: its assessment, and for aws-node the report on the next update of the add-on."""
    assessment = require_known_cluster(assess_target(target, dependencies), dependencies)
    environment = dependencies.environment
    upgrade = None
    is_aws_node = (target.namespace, target.name) == (AWS_NODE.namespace, AWS_NODE.service_account)
    if is_aws_node and assessment.snapshot and assessment.diagnosis:
        upgrade = assess_snapshot(assessment.snapshot, assessment.diagnosis, Upgrade(), dependencies.readers)
    return FleetMember(account=environment.account, region=environment.region, assessment=assessment, upgrade=upgrade)


def upgrade_reports(selection: TargetSelection, upgrade: Upgrade, dependencies: Dependencies) -> tuple[ClusterReport, ...]:
    """Return the report on the upgrade of each selected cluster. With `all_clusters`, one that cannot be read does not stop the others."""
    with progress("listing the clusters"):
        names = clusters(selection, dependencies)

    def reported(name: str) -> ClusterReport:
        try:
            return assess_cluster(name, upgrade, dependencies.readers, dependencies.now())
        except RemediatorError as error:
            if not selection.all_clusters:
                raise
            return unread_cluster(name, str(error))

    with ThreadPoolExecutor(MAX_PARALLEL_ASSESSMENTS) as pool:
        return tuple(counted("reading", names, reported, pool))
