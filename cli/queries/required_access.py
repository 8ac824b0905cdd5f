"""The access that a cluster must grant: for every bound ServiceAccount, with the roles of the deployed stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.clients.deployed_stack import roles
from cli.errors import CommandError
from cli.queries.admission_policies import RequiredPolicies, apply_policies, is_role, reason_to_omit
from cli.queries.grants import RequiredAccess
from cli.queries.targets import TargetSelection, targets
from lambdas.application.snapshot_collection import workload_name
from lambdas.contract.access import GROUPS, BoundWorkload, manifests
from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.settings import RestartBy
from lambdas.domain.errors import RemediatorError
from lambdas.domain.snapshot.snapshot import Binding, ClusterFacts, ServiceAccountFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.clients.dependencies import Dependencies
    from lambdas.contract.parameters import ServiceAccountRef


def required_access(cluster: str, dependencies: Dependencies, *, with_policies: bool) -> RequiredAccess:
    """Return the roles of the deployed stack and the RBAC objects for every bound ServiceAccount, or for aws-node without a binding.

    Raises:
        CommandError: the cluster does not exist.
    """
    selected = targets(TargetSelection(clusters=(cluster,) if cluster else ()), dependencies)
    name = selected[0].cluster
    facts = dependencies.readers.eks.cluster(name)
    if not isinstance(facts, ClusterFacts):
        raise CommandError(f"there is no {facts.what}", next_step="list the clusters with `aws eks list-clusters`; check --region")
    workloads = {target: _workload(target, facts, dependencies) for target in selected}
    required = _required_policies(workloads, facts, dependencies)
    return RequiredAccess(
        cluster=name,
        region=dependencies.environment.region,
        roles=roles(dependencies.environment),
        objects=manifests((workload for workload in workloads.values() if workload), restarts=required.restarts),
        policies=required,
        has_policies=with_policies,
        without_workload=[f"{target.namespace}/{target.name}" for target, workload in workloads.items() if workload is None],
        has_access_entries=facts.authentication_mode != "CONFIG_MAP",
    )


def grant_access(required: RequiredAccess, dependencies: Dependencies) -> None:
    """Apply the limits, then grant the access, with the caller's own rights. Every write is idempotent."""
    # The limits come before the access that they limit.
    apply_policies(required.cluster, required.policies.manifests if required.has_policies else (), dependencies.cluster_access)
    for manifest in required.objects:
        dependencies.cluster_access.apply(required.cluster, manifest)
    for function, group in GROUPS.items():
        if required.has_access_entries and function in required.roles:
            dependencies.cluster_access.put_entry(required.cluster, required.roles[function], group)


def _workload(target: ServiceAccountRef, facts: ClusterFacts, dependencies: Dependencies) -> BoundWorkload | None:
    """Return the workload, or None where there are no pods yet."""
    found = workload_name(dependencies.readers, facts, target)
    return BoundWorkload(target.namespace, target.name, *found) if found else None


def _required_policies(
    workloads: Mapping[ServiceAccountRef, BoundWorkload | None], facts: ClusterFacts, dependencies: Dependencies
) -> RequiredPolicies:
    """Return the policies for the known workloads: for each ServiceAccount the role of its binding, and the role that is set now.

    The paths of `bound_roles` are left out: they would allow the role of one ServiceAccount for every other one.
    """
    readers = dependencies.readers
    parameters = readers.parameters.load(facts.name)
    settings, _ = readers.settings(parameters, facts.name)
    bound: dict[BoundWorkload, list[str]] = {}
    current: dict[BoundWorkload, str] = {}
    for target, workload in workloads.items():
        if workload is None:
            continue
        found = readers.binding(parameters, target)
        bound[workload] = [found.role_arn] if isinstance(found, Binding) else []
        try:
            account = readers.clusters.login(facts).service_account(target.namespace, target.name)
        except RemediatorError:
            continue  # `access` without options works without access to the cluster; `--apply` fails when it writes
        value = account.role_annotations.get(ROLE_ANNOTATION) if isinstance(account, ServiceAccountFacts) else None
        if value and is_role(value):
            current[workload] = value
    return RequiredPolicies(
        bound=bound,
        current=current,
        omitted=reason_to_omit(facts.name, facts.version, dependencies.cluster_access),
        restarts=settings.restart_by is RestartBy.RESTART,
    )
