"""Authorization by the Role, ClusterRole and binding objects in the store.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.cluster.errors import ApiError, forbidden, forbidden_path
from sandbox.cluster.http_messages import MASTERS, Identity
from sandbox.cluster.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.cluster.object_store import ObjectStore
    from sandbox.cluster.request_info import RequestInfo

_ANYTHING = "*"


@dataclass(frozen=True)
class Grant:
    """Rules that a binding grants to its subjects; an empty namespace means all."""

    subjects: tuple[Mapping[str, Any], ...]
    namespace: str
    rules: tuple[Mapping[str, Any], ...]


class Authorizer:
    """Checks requests; a new binding is effective at once."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._seen = -1
        self._grants: tuple[Grant, ...] = ()

    def check(self, identity: Identity, info: RequestInfo) -> None:
        """Raises:
        ApiError: 403 in the API server's words.
        """
        if self.allows(identity, info):
            return
        if not info.is_resource:
            raise forbidden_path(f'User "{identity.username}" cannot {info.verb} path "{info.path}"')
        raise _refusal(identity, info)

    def allows(self, identity: Identity, info: RequestInfo) -> bool:
        """Whether a grant, or the group of administrators, allows the request."""
        return MASTERS in identity.groups or self._allowed(identity, info)

    def _allowed(self, identity: Identity, info: RequestInfo) -> bool:
        return any(
            covers(rule, info)
            for grant in self._current()
            if grant.namespace in ("", info.namespace) and any(_is_subject(each, identity) for each in grant.subjects)
            for rule in grant.rules
        )

    def _current(self) -> tuple[Grant, ...]:
        latest = self._store.last_write(ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS)
        if latest != self._seen:
            self._grants = tuple(_grants(self._store))
            self._seen = latest
        return self._grants


def _grants(store: ObjectStore) -> Iterator[Grant]:
    for bindings in (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS):
        for entry in store.entries(bindings)[0]:
            namespace = entry.obj["metadata"].get("namespace", "")
            yield Grant(tuple(entry.obj.get("subjects") or ()), namespace, _rules(store, entry.obj["roleRef"], namespace))


def _rules(store: ObjectStore, ref: Mapping[str, Any], namespace: str) -> tuple[Mapping[str, Any], ...]:
    role = store.find(CLUSTER_ROLES, ref["name"]) if ref["kind"] == "ClusterRole" else store.find(ROLES, ref["name"], namespace)
    return tuple((role or {}).get("rules") or ())


def _is_subject(subject: Mapping[str, Any], identity: Identity) -> bool:
    match subject.get("kind"):
        case "User":
            return bool(subject["name"] == identity.username)
        case "Group":
            return subject["name"] in identity.groups
        case "ServiceAccount":
            return identity.username == f"system:serviceaccount:{subject.get('namespace')}:{subject['name']}"
    return False


def covers(rule: Mapping[str, Any], info: RequestInfo) -> bool:
    """Whether one rule of a role allows this request."""
    if not _among(info.verb, rule.get("verbs")):
        return False
    if not info.is_resource:
        return any(_path_matches(each, info.path) for each in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames") or ()
    return (
        _among(info.group, rule.get("apiGroups"))
        and _resource_among(info, rule.get("resources") or ())
        and (not names or info.name in names)
    )


def _among(value: str, allowed: Any) -> bool:
    return _ANYTHING in (allowed or ()) or value in (allowed or ())


def _resource_among(info: RequestInfo, allowed: Any) -> bool:
    requested = f"{info.plural}/{info.subresource}" if info.subresource else info.plural
    return requested in allowed or _ANYTHING in allowed or (bool(info.subresource) and f"*/{info.subresource}" in allowed)


def _path_matches(allowed: str, path: str) -> bool:
    return allowed in (_ANYTHING, path) or (allowed.endswith("*") and path.startswith(allowed[:-1]))


def _refusal(identity: Identity, info: RequestInfo) -> ApiError:
    requested = f"{info.plural}/{info.subresource}" if info.subresource else info.plural
    where = f'in the namespace "{info.namespace}"' if info.namespace else "at the cluster scope"
    why = f'User "{identity.username}" cannot {info.verb} resource "{requested}" in API group "{info.group}" {where}'
    if info.resource:
        return forbidden(info.resource, info.name, why)
    group_resource = f"{info.plural}.{info.group}" if info.group else info.plural
    named = f'{group_resource} "{info.name}"' if info.name else group_resource
    details = {"name": info.name, "group": info.group, "kind": info.plural}
    return ApiError(403, "Forbidden", f"{named} is forbidden: {why}", {key: value for key, value in details.items() if value})
