"""What a cluster has to grant, and whether it does, point by point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.access import GROUPS
from lambdas.domain.errors import RemediatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cli.outside import Outside
    from lambdas.contract.environment import Function

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One thing that has to be granted: `state` is `granted`, `missing` or `unknown`, with what is missing or why it is not known.

    `yours` is what `--apply` cannot grant.
    """

    what: str
    state: str
    detail: str = ""
    yours: bool = False

    @property
    def document(self) -> Json:
        """For programs."""
        return {"what": self.what, "state": self.state, "detail": self.detail or None}


@dataclass(frozen=True, kw_only=True)
class Wants:
    """What one cluster has to grant: roles by function, and the objects. `takes_entries`: it has access entries, not aws-auth alone.

    `unplaced` are bound ServiceAccounts, `namespace/name`, that have no pods yet to tell their workload.
    """

    cluster: str
    roles: Mapping[Function, str]
    objects: Sequence[Json]
    takes_entries: bool = True
    unplaced: Sequence[str] = ()


NO_PODS: Final = "it has no pods, so its workload is not known; run this again when it has some"


def unplaced(wants: Wants) -> Iterator[Point]:
    """What cannot be told of ServiceAccounts without pods."""
    return (
        Point(what=f"the right to restart what runs under {item}", state="unknown", detail=NO_PODS, yours=True) for item in wants.unplaced
    )


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
            state = "granted" if role_arn in there and group in there else "missing"
            return Point(what=what, state=state, detail=f"group {group}", yours=True)
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
        return [_rule(rule) for rule in manifest["rules"] if not any(_covers(other, rule) for other in there.get("rules") or ())]
    found = [] if there.get("roleRef") == manifest["roleRef"] else [f"refers to {(there.get('roleRef') or {}).get('name')}"]
    names = {(subject.get("kind"), subject.get("name")) for subject in there.get("subjects") or ()}
    return found + [
        f"lacks the group {subject['name']}" for subject in manifest["subjects"] if (subject["kind"], subject["name"]) not in names
    ]


def _covers(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    def within(key: str) -> bool:
        given = theirs.get(key) or ()
        return "*" in given or set(ours[key]) <= set(given)

    named = theirs.get("resourceNames")
    return all(map(within, ("apiGroups", "resources", "verbs"))) and (not named or set(ours.get("resourceNames", ("",))) <= set(named))


def _rule(rule: Mapping[str, Any]) -> str:
    names = f" {', '.join(rule['resourceNames'])}" if rule.get("resourceNames") else ""
    return f"lacks {', '.join(rule['verbs'])} on {', '.join(rule['resources'])}{names}"
