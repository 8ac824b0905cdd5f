"""`access`: what a cluster has to grant the functions' roles, whether it does, and granting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from cli import network, wiring
from cli.asked import Asked, Format
from cli.deployed import roles
from cli.failures import BROKEN, COULD_NOT_TELL, SOUND, Refused
from cli.grants import NO_PODS, Point, Wants, missing, unplaced
from cli.hearing import Source, sources
from cli.output import console, progress, write
from cli.targets import Wanted, targets
from lambdas.contract.access import GROUPS, BoundWorkload, manifests
from lambdas.contract.aws_auth import map_roles
from lambdas.contract.workloads import known
from lambdas.domain.snapshot.snapshot import ClusterFacts

if TYPE_CHECKING:
    from cli.outside import Outside
    from lambdas.contract.parameters import ServiceAccountRef


def run(asked: Asked, cluster: str, *, apply: bool, check: bool) -> int:
    """Print what is needed; with `apply` grant it, with `check` say what is missing."""
    outside = wiring.connect(asked)
    with progress("reading the cluster's bindings"):
        wants = wanted(cluster, outside)
    if apply:
        _apply(wants, outside, asked)
    if apply or check:
        with progress("looking at what is granted"):
            points = [*missing(wants, outside), *(network.points(wants.cluster, outside.surroundings) if wants.roles else ())]
            heard = list(sources(wants.cluster, outside.announcers)) if wants.roles else []
        return _checked(asked, wants, [*points, *unplaced(wants)], heard)
    return _printed(asked, wants)


def wanted(cluster: str, outside: Outside) -> Wants:
    """The roles of the deployed stack, and the objects for every bound ServiceAccount; those for aws-node where nothing is bound.

    Raises:
        Refused: the cluster is not there.
    """
    found = targets(Wanted(clusters=(cluster,) if cluster else ()), outside)
    name = found[0].cluster
    facts = outside.readers.eks.cluster(name)
    if not isinstance(facts, ClusterFacts):
        raise Refused(f"there is no {facts.what}", then="`aws eks list-clusters` lists them; mind --region")
    bound = {item: _workload(item, facts, outside) for item in found}
    return Wants(
        cluster=name,
        roles=roles(outside.environment),
        objects=manifests(item for item in bound.values() if item),
        unplaced=[f"{item.namespace}/{item.name}" for item, workload in bound.items() if workload is None],
        takes_entries=facts.authentication_mode != "CONFIG_MAP",
    )


def _workload(target: ServiceAccountRef, facts: ClusterFacts, outside: Outside) -> BoundWorkload | None:
    """By its known name, else the one behind its pods; None where it has no pods yet."""
    if it := known(target.namespace, target.name):
        return BoundWorkload(it.namespace, it.service_account, it.kind, it.name)
    inside = outside.readers.clusters.login(facts)
    owner = next((pod.owner for pod in inside.pods(target.namespace, target.name) if pod.owner), None)
    behind = inside.owner(target.namespace, *owner) if owner else None
    return BoundWorkload(target.namespace, target.name, *behind) if behind else None


# --- granting ----------------------------------------------------------------------------------------------------------------------------


def _apply(wants: Wants, outside: Outside, asked: Asked) -> None:
    """With the caller's own rights; every write may be repeated."""
    with progress(f"granting access in {wants.cluster}"):
        for function, group in GROUPS.items():
            if wants.takes_entries and function in wants.roles:
                outside.rights.give_entry(wants.cluster, wants.roles[function], group)
        for manifest in wants.objects:
            outside.rights.apply(wants.cluster, manifest)
    if asked.output is Format.TABLE and not wants.takes_entries and wants.roles:
        console().print(Text("This cluster takes no access entries. Add these items to mapRoles of kube-system/aws-auth:"))
        console().print(Text(map_roles(wants.roles)), soft_wrap=True)


# --- telling -----------------------------------------------------------------------------------------------------------------------------


def _checked(asked: Asked, wants: Wants, points: list[Point], heard: list[Source]) -> int:
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
    from cli.access_view import points_view, sources_view

    write(asked.output, document, *points_view(wants.cluster, points), *sources_view(wants.cluster, heard))
    return code


def _printed(asked: Asked, wants: Wants) -> int:
    """YAML to apply, under comments that say how the roles are let in."""
    entries = [{"principalArn": arn, "kubernetesGroups": [GROUPS[item]]} for item, arn in wants.roles.items() if item in GROUPS]
    lines = map_roles(wants.roles) if wants.roles else ""
    document = {"command": "access", "exitCode": SOUND, "cluster": wants.cluster, "accessEntries": entries, "awsAuth": lines}
    if asked.output is not Format.TABLE:
        write(asked.output, document | {"manifests": list(wants.objects)})
        return SOUND
    from cli.access_view import printed

    console().print(Text(printed(wants.cluster, wants.roles, wants.objects, takes_entries=wants.takes_entries)), soft_wrap=True)
    for name in wants.unplaced:
        console().print(Text(f"# {name}: {NO_PODS}"), soft_wrap=True)
    return SOUND
