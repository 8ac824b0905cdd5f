"""`irsa-remediator access`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError, ExitCode
from cli.options import GlobalOptions
from cli.output import Format, console, progress, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.clients.dependencies import Dependencies
    from cli.queries.admission_policies import RequiredPolicies
    from cli.queries.grants import Grant, RequiredAccess
    from lambdas.contract.access import BoundWorkload
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.snapshot.snapshot import ClusterFacts


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

    Network reachability is not checked from here.

    Example: irsa-remediator access --cluster prod-blue --check
    """
    from cli.clients import connection
    from cli.queries.grants import read_grants

    dependencies = connection.connect(options)
    with progress("reading the cluster's bindings"):
        required = _required_access(cluster, dependencies, with_policies=policies)
    if apply:
        _apply(required, dependencies, options)
    if not apply and not check:
        return _print(options, required)
    with progress("reading access entries and RBAC objects"):
        grants = list(read_grants(required, dependencies))
    return _write_check(options, required, grants, dependencies)


def _required_access(cluster: str, dependencies: Dependencies, *, with_policies: bool) -> RequiredAccess:
    """Return the roles of the deployed stack and the RBAC objects for every bound ServiceAccount, or for aws-node without a binding.

    Raises:
        CommandError: the cluster does not exist.
    """
    from cli.clients.deployed_stack import roles
    from cli.queries.grants import RequiredAccess
    from cli.queries.targets import TargetSelection, targets
    from lambdas.contract.access import manifests
    from lambdas.domain.snapshot.snapshot import ClusterFacts

    selected = targets(TargetSelection(clusters=(cluster,) if cluster else ()), dependencies)
    name = selected[0].cluster
    facts = dependencies.readers.eks.cluster(name)
    if not isinstance(facts, ClusterFacts):
        raise CommandError(f"there is no {facts.what}", next_step="list the clusters with `aws eks list-clusters`; check --region")
    workloads = {target: _workload(target, facts, dependencies) for target in selected}
    required = _required_policies(workloads, facts, dependencies)
    return RequiredAccess(
        cluster=name,
        roles=roles(dependencies.environment),
        objects=manifests((workload for workload in workloads.values() if workload), restarts=required.restarts),
        policies=required,
        has_policies=with_policies,
        without_workload=[f"{target.namespace}/{target.name}" for target, workload in workloads.items() if workload is None],
        has_access_entries=facts.authentication_mode != "CONFIG_MAP",
    )


def _workload(target: ServiceAccountRef, facts: ClusterFacts, dependencies: Dependencies) -> BoundWorkload | None:
    """Return the workload with a known name, else the owner of the pods. None where there are no pods yet."""
    from lambdas.contract.access import BoundWorkload
    from lambdas.contract.workloads import known

    if workload := known(target.namespace, target.name):
        return BoundWorkload(workload.namespace, workload.service_account, workload.kind, workload.name)
    cluster = dependencies.readers.clusters.login(facts)
    pod_owner = next((pod.owner for pod in cluster.pods(target.namespace, target.name) if pod.owner), None)
    owner = cluster.owner(target.namespace, *pod_owner) if pod_owner else None
    return BoundWorkload(target.namespace, target.name, *owner) if owner else None


def _required_policies(
    workloads: Mapping[ServiceAccountRef, BoundWorkload | None], facts: ClusterFacts, dependencies: Dependencies
) -> RequiredPolicies:
    """Return the policies for the known workloads, with the roles of bindings and configuration and those that are set now."""
    from cli.queries.admission_policies import RequiredPolicies, is_role, reason_to_omit
    from lambdas.contract.names import ROLE_ANNOTATION
    from lambdas.contract.settings import RestartBy, read_settings
    from lambdas.domain.errors import RemediatorError
    from lambdas.domain.snapshot.bindings import resolve_binding
    from lambdas.domain.snapshot.snapshot import Binding, ServiceAccountFacts

    readers = dependencies.readers
    parameters = readers.parameters.load(facts.name)
    settings, _ = read_settings({path: parameter.value for path, parameter in parameters.items()}, facts.name)
    configured = [role for role in dependencies.environment.bound_roles.split(",") if role not in ("", "*")]
    bound: dict[BoundWorkload, list[str]] = {}
    current: dict[BoundWorkload, str] = {}
    for target, workload in workloads.items():
        if workload is None:
            continue
        found = resolve_binding(parameters, target, account=readers.account, partition=readers.partition, region=readers.region)
        bound[workload] = [*([found.role_arn] if isinstance(found, Binding) else []), *configured]
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
    from lambdas.contract.access import GROUPS
    from lambdas.contract.aws_auth import map_roles

    if options.output is Format.TABLE:
        console().print(Text(manifest_text(required)), soft_wrap=True)
        return ExitCode.OK
    roles = required.roles
    entries = [{"principalArn": roles[function], "kubernetesGroups": [group]} for function, group in GROUPS.items() if function in roles]
    document = {"command": "access", "exitCode": ExitCode.OK, "cluster": required.cluster, "accessEntries": entries}
    objects = [*(required.policies.manifests if required.has_policies else ()), *required.objects]
    reason = (required.policies.omitted if required.has_policies else "left out by --no-policies") or None
    write(options.output, document | {"awsAuth": map_roles(roles) if roles else "", "policiesOmitted": reason, "manifests": objects})
    return ExitCode.OK
