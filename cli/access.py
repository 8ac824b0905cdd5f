"""`access`: what a cluster has to grant the functions' roles, whether it does, and granting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from cli import network
from cli.clients import connection
from cli.options import GlobalOptions, Format
from cli.clients.deployed_stack import roles
from cli.errors import BROKEN, COULD_NOT_TELL, SOUND, CommandError
from cli.queries.grants import NO_PODS, Grant, RequiredAccess, missing, unplaced
from cli.queries.trigger_sources import TriggerSource, sources
from cli.output import console, progress, write
from cli.queries.targets import TargetSelection, targets
from lambdas.contract.access import GROUPS, BoundWorkload, manifests
from lambdas.contract.aws_auth import map_roles
from lambdas.contract.workloads import known
from lambdas.domain.snapshot.snapshot import ClusterFacts

if TYPE_CHECKING:
    from cli.clients.dependencies import Dependencies
    from lambdas.contract.parameters import ServiceAccountRef


def run(asked: GlobalOptions, cluster: str, *, apply: bool, check: bool) -> int:
    """Print what is needed; with `apply` grant it, with `check` say what is missing."""
    outside = connection.connect(asked)
    with progress("reading the cluster's bindings"):
        wants = wanted(cluster, outside)
    if apply:
        _apply(wants, outside, asked)
    if apply or check:
        with progress("looking at what is granted"):
            points = [*missing(wants, outside), *(network.points(wants.cluster, outside.surroundings) if wants.roles else ())]
            heard = list(sources(wants.cluster, outside.trigger_sources)) if wants.roles else []
        return _checked(asked, wants, [*points, *unplaced(wants)], heard)
    return _printed(asked, wants)


def wanted(cluster: str, outside: Dependencies) -> RequiredAccess:
    """The roles of the deployed stack, and the objects for every bound ServiceAccount; those for aws-node where nothing is bound.

    Raises:
        Refused: the cluster is not there.
    """
    found = targets(TargetSelection(clusters=(cluster,) if cluster else ()), outside)
    name = found[0].cluster
    facts = outside.readers.eks.cluster(name)
    if not isinstance(facts, ClusterFacts):
        raise CommandError(f"there is no {facts.what}", next_step="`aws eks list-clusters` lists them; mind --region")
    bound = {item: _workload(item, facts, outside) for item in found}
    return RequiredAccess(
        cluster=name,
        roles=roles(outside.environment),
        objects=manifests(item for item in bound.values() if item),
        unplaced=[f"{item.namespace}/{item.name}" for item, workload in bound.items() if workload is None],
        takes_entries=facts.authentication_mode != "CONFIG_MAP",
    )


def _workload(target: ServiceAccountRef, facts: ClusterFacts, outside: Dependencies) -> BoundWorkload | None:
    """By its known name, else the one behind its pods; None where it has no pods yet."""
    if it := known(target.namespace, target.name):
        return BoundWorkload(it.namespace, it.service_account, it.kind, it.name)
    inside = outside.readers.clusters.login(facts)
    owner = next((pod.owner for pod in inside.pods(target.namespace, target.name) if pod.owner), None)
    behind = inside.owner(target.namespace, *owner) if owner else None
    return BoundWorkload(target.namespace, target.name, *behind) if behind else None


# --- granting ----------------------------------------------------------------------------------------------------------------------------


def _apply(wants: RequiredAccess, outside: Dependencies, asked: GlobalOptions) -> None:
    """With the caller's own rights; every write may be repeated."""
    with progress(f"granting access in {wants.cluster}"):
        for function, group in GROUPS.items():
            if wants.takes_entries and function in wants.roles:
                outside.cluster_access.give_entry(wants.cluster, wants.roles[function], group)
        for manifest in wants.objects:
            outside.cluster_access.apply(wants.cluster, manifest)
    if asked.output is Format.TABLE and not wants.takes_entries and wants.roles:
        console().print(Text("This cluster takes no access entries. Add these items to mapRoles of kube-system/aws-auth:"))
        console().print(Text(map_roles(wants.roles)), soft_wrap=True)


# --- telling -----------------------------------------------------------------------------------------------------------------------------


def _checked(asked: GlobalOptions, wants: RequiredAccess, points: list[Grant], heard: list[TriggerSource]) -> int:
    """What is missing decides the exit code; a source that is off does not, since the sweep finds what it would have told."""
    states = {point.state for point in points}
    code = BROKEN if "missing" in states else COULD_NOT_TELL if "unknown" in states else SOUND
    document = {
        "command": "access",
        "exitCode": code,
        "cluster": wants.cluster,
        "points": [point.document for point in points],
        "sources": [item.document for item in heard],
    }
    from cli.views.grant_table import points_view, sources_view

    write(asked.output, document, *points_view(wants.cluster, points), *sources_view(wants.cluster, heard))
    return code


def _printed(asked: GlobalOptions, wants: RequiredAccess) -> int:
    """YAML to apply, under comments that say how the roles are let in."""
    entries = [{"principalArn": arn, "kubernetesGroups": [GROUPS[item]]} for item, arn in wants.roles.items() if item in GROUPS]
    lines = map_roles(wants.roles) if wants.roles else ""
    document = {"command": "access", "exitCode": SOUND, "cluster": wants.cluster, "accessEntries": entries, "awsAuth": lines}
    if asked.output is not Format.TABLE:
        write(asked.output, document | {"manifests": list(wants.objects)})
        return SOUND
    from cli.views.grant_table import printed

    console().print(Text(printed(wants.cluster, wants.roles, wants.objects, takes_entries=wants.takes_entries)), soft_wrap=True)
    for name in wants.unplaced:
        console().print(Text(f"# {name}: {NO_PODS}"), soft_wrap=True)
    return SOUND
