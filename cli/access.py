"""`access`: what a cluster has to grant the functions' roles, whether it does, and granting it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cli import wiring
from cli.deployed import roles
from cli.failures import BROKEN, COULD_NOT_TELL, SOUND, Refused
from cli.options import Asked, Format
from cli.output import console, progress, write
from cli.targets import Wanted, targets
from lambdas.contract.access import GROUPS, BoundWorkload, manifests
from lambdas.contract.aws_auth import map_roles
from lambdas.contract.workloads import known
from lambdas.domain.errors import RemediatorError
from lambdas.domain.observation import ClusterFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cli.wiring import Outside
    from lambdas.contract.environment import Function
    from lambdas.contract.parameters import ServiceAccountRef

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One thing a cluster has to grant: `state` is `granted`, `missing` or `unknown`, with what is missing or why it is not known."""

    what: str
    state: str
    detail: str = ""

    @property
    def document(self) -> Json:
        """For programs."""
        return {"what": self.what, "state": self.state, "detail": self.detail or None}


@dataclass(frozen=True, kw_only=True)
class Wants:
    """What one cluster has to grant: roles by function, and the objects. `takes_entries`: it has access entries, not aws-auth alone."""

    cluster: str
    roles: Mapping[Function, str]
    objects: Sequence[Json]
    takes_entries: bool = True


def run(asked: Asked, cluster: str, *, apply: bool, check: bool) -> int:
    """Print what is needed; with `apply` grant it, with `check` say what is missing."""
    outside = wiring.connect(asked)
    with progress("reading the cluster's bindings"):
        wants = wanted(cluster, outside)
    if apply:
        _apply(wants, outside, asked)
    if apply or check:
        with progress("looking at what is granted"):
            points = list(missing(wants, outside))
        return _checked(asked, wants, points)
    return _printed(asked, wants)


def wanted(cluster: str, outside: Outside) -> Wants:
    """The roles of the deployed stack, and the objects for every bound ServiceAccount; those for aws-node where nothing is bound.

    Raises:
        Refused: the cluster is not there, or no workload is known or found for a bound ServiceAccount.
    """
    found = targets(Wanted(clusters=(cluster,) if cluster else ()), outside)
    name = found[0].cluster
    facts = outside.readers.eks.cluster(name)
    if not isinstance(facts, ClusterFacts):
        raise Refused(f"there is no {facts.what}", then="`aws eks list-clusters` lists them; mind --region")
    bound = [_workload(it, facts, outside) for it in found]
    return Wants(
        cluster=name,
        roles=roles(outside.environment),
        objects=manifests(it for it in bound if it),
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


# --- checking ----------------------------------------------------------------------------------------------------------------------------


def missing(wants: Wants, outside: Outside) -> Iterator[Point]:
    """Every point: the entry of each role, then each object and each rule of it."""
    if not wants.roles:
        yield Point(what="roles", state="unknown", detail="no stack is deployed here, so its roles are not known")
    for function, group in GROUPS.items():
        if function in wants.roles:
            yield _entry(wants, wants.roles[function], group, outside)
    for manifest in wants.objects:
        yield _object(wants.cluster, manifest, outside)


def _entry(wants: Wants, role_arn: str, group: str, outside: Outside) -> Point:
    what = f"{'access entry' if wants.takes_entries else 'aws-auth'} {role_arn.rpartition('/')[2]}"
    try:
        if not wants.takes_entries:
            there = outside.rights.aws_auth(wants.cluster) or ""
            return Point(what=what, state="granted" if role_arn in there and group in there else "missing", detail=f"group {group}")
        groups = outside.rights.groups_of(wants.cluster, role_arn)
    except RemediatorError as error:
        return Point(what=what, state="unknown", detail=str(error))
    if groups is None:
        return Point(what=what, state="missing", detail=f"no access entry for {role_arn}")
    return Point(what=what, state="granted") if group in groups else Point(what=what, state="missing", detail=f"lacks the group {group}")


def _object(cluster: str, manifest: Json, outside: Outside) -> Point:
    where = manifest["metadata"].get("namespace")
    what = f"{manifest['kind']} {where + '/' if where else ''}{manifest['metadata']['name']}"
    try:
        there = outside.rights.rules(cluster, manifest)
    except RemediatorError as error:
        return Point(what=what, state="unknown", detail=str(error))
    if there is None:
        return Point(what=what, state="missing", detail="is not there")
    lacks = _lacks(manifest, there)
    return Point(what=what, state="missing", detail="; ".join(lacks)) if lacks else Point(what=what, state="granted")


def _lacks(manifest: Json, there: Mapping[str, Any]) -> list[str]:
    """What the object has not: rules of a Role, reference or subject of a binding."""
    if "rules" in manifest:
        return [_rule(it) for it in manifest["rules"] if not any(_covers(other, it) for other in there.get("rules") or ())]
    found = [] if there.get("roleRef") == manifest["roleRef"] else [f"refers to {(there.get('roleRef') or {}).get('name')}"]
    names = {(it.get("kind"), it.get("name")) for it in there.get("subjects") or ()}
    return found + [f"lacks the group {it['name']}" for it in manifest["subjects"] if (it["kind"], it["name"]) not in names]


def _covers(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    def within(key: str) -> bool:
        given = theirs.get(key) or ()
        return "*" in given or set(ours[key]) <= set(given)

    named = theirs.get("resourceNames")
    return all(map(within, ("apiGroups", "resources", "verbs"))) and (not named or set(ours.get("resourceNames", ("",))) <= set(named))


def _rule(rule: Mapping[str, Any]) -> str:
    names = f" {', '.join(rule['resourceNames'])}" if rule.get("resourceNames") else ""
    return f"lacks {', '.join(rule['verbs'])} on {', '.join(rule['resources'])}{names}"


# --- telling -----------------------------------------------------------------------------------------------------------------------------


def _checked(asked: Asked, wants: Wants, points: list[Point]) -> int:
    states = {it.state for it in points}
    code = BROKEN if "missing" in states else COULD_NOT_TELL if "unknown" in states else SOUND
    document = {"command": "access", "exitCode": code, "cluster": wants.cluster, "points": [it.document for it in points]}
    from cli.access_view import points_view

    write(asked.output, document, *points_view(wants.cluster, points))
    return code


def _printed(asked: Asked, wants: Wants) -> int:
    """YAML to apply, under comments that say how the roles are let in."""
    entries = [{"principalArn": arn, "kubernetesGroups": [GROUPS[it]]} for it, arn in wants.roles.items() if it in GROUPS]
    lines = map_roles(wants.roles) if wants.roles else ""
    document = {"command": "access", "exitCode": SOUND, "cluster": wants.cluster, "accessEntries": entries, "awsAuth": lines}
    if asked.output is not Format.TABLE:
        write(asked.output, document | {"manifests": list(wants.objects)})
        return SOUND
    from cli.access_view import printed

    console().print(Text(printed(wants.cluster, wants.roles, wants.objects, takes_entries=wants.takes_entries)), soft_wrap=True)
    return SOUND
