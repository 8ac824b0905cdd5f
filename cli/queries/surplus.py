"""Access of the functions beyond what the present configuration needs: RBAC rules, subjects, IAM statements. Pure functions.

Only what grants access is judged: a Deny statement limits it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import yaml

from lambdas.contract.access import EVENT_HISTORY, IAM, SERVICE_IAM, SIMULATION, Target
from lambdas.contract.workloads import KNOWN_ADDONS
from lambdas.domain.errors import PermanentError
from lambdas.domain.planning.role_bounds import why_outside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lambdas.contract.environment import Environment, Function

Json = Mapping[str, Any]

_EVERY: Final = ""
"""The name of a rule without `resourceNames`: every object."""
_ADDON: Final = re.compile(rf":addon/[^/]+/(?:{'|'.join(map(re.escape, KNOWN_ADDONS))})/[^/]+\Z")
"""The end of an ARN that names one of the add-ons that the remediator may update."""


def surplus_rules(required: Iterable[Json], existing: Iterable[Json]) -> list[str]:
    """Return the verbs on resources that the existing rules of a Role grant and no required rule needs, one text for each resource."""
    needed = list(required)
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for rule in existing:
        for group, resource, verb, name in _cells(rule):
            if not any(_needs(line, group, resource, verb, name) for line in needed):
                verbs = found[f"{resource}.{group}" if group else resource, name]
                verbs += [verb] * (verb not in verbs)
    return [f"also grants {', '.join(verbs)} on {resource}{' ' + name if name else ''}" for (resource, name), verbs in found.items()]


def _cells(rule: Json) -> Iterator[tuple[str, str, str, str]]:
    verbs, names = _texts(rule.get("verbs")), _texts(rule.get("resourceNames")) or [_EVERY]
    yield from (
        (g, r, verb, name) for g, r, verb, name in product(_texts(rule.get("apiGroups")), _texts(rule.get("resources")), verbs, names)
    )
    yield from (("", url, verb, _EVERY) for url, verb in product(_texts(rule.get("nonResourceURLs")), verbs))


def _needs(rule: Json, group: str, resource: str, verb: str, name: str) -> bool:
    names = rule.get("resourceNames")
    return group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"] and (not names or name in names)


def surplus_subjects(required: Iterable[Json], existing: Iterable[Json]) -> list[str]:
    """Return the subjects that an existing binding has and the required one has not."""
    needed = {(subject["kind"], subject["name"]) for subject in required}
    found = [(subject.get("kind"), subject.get("name")) for subject in existing]
    return [f"also grants it to {kind} {name}" for kind, name in found if (kind, name) not in needed]


def groups_of_role(map_roles: str, role_arn: str) -> frozenset[str]:
    """Return the groups that `mapRoles` of `kube-system/aws-auth` gives to the role.

    Raises:
        PermanentError: the text is no list of mappings in YAML.
    """
    try:
        items = yaml.safe_load(map_roles) or []
        return frozenset(str(group) for item in items if item.get("rolearn") == role_arn for group in item.get("groups") or ())
    except (yaml.YAMLError, AttributeError, TypeError, RecursionError):
        raise PermanentError("mapRoles of kube-system/aws-auth is no list of role mappings") from None


def surplus_statements(function: Function, environment: Environment, documents: Mapping[str, Json]) -> list[str]:
    """Return what the policies of a function's role allow beyond the contract, by the name of the policy.

    Whether the functions run in a VPC or use a customer key is not part of the environment: those optional grants count as needed.
    """
    return [f"{problem} (policy {name})" for name, document in documents.items() for problem in _surplus(function, environment, document)]


def _surplus(function: Function, environment: Environment, document: Json) -> Iterator[str]:
    targets = _targets(function, environment)
    statements = document.get("Statement") or ()
    for statement in [statements] if isinstance(statements, dict) else statements:
        if statement.get("Effect") != "Allow":
            continue
        if "NotAction" in statement:
            yield f"allows every action but {', '.join(_texts(statement['NotAction']))}"
        resources = ["*"] if "NotResource" in statement else _texts(statement.get("Resource"))
        for action in _texts(statement.get("Action")):
            allowed = targets.get(action.lower())
            if allowed is None:
                yield f"allows {action}"
                continue
            too_wide = [resource for resource in resources if not any(_is_within(resource, on, environment) for on in allowed)]
            if too_wide:
                yield f"allows {action} on {', '.join(too_wide)}"


def _targets(function: Function, environment: Environment) -> Mapping[str, set[Target]]:
    """The targets of each action that the contract grants to the function, where the configuration needs it."""
    found: defaultdict[str, set[Target]] = defaultdict(set)
    enabled: dict[str | None, str] = {SIMULATION: environment.may_simulate, EVENT_HISTORY: environment.may_look_up_events}
    for grant in (*IAM, *SERVICE_IAM):
        is_off = enabled.get(grant.optional, "true") != "true"
        is_empty = grant.on is Target.PASSABLE_ROLES and not environment.bound_roles
        if function in grant.by and not is_off and not is_empty:
            found[grant.action.lower()].add(grant.on)
    return dict(found)


def _is_within(resource: str, target: Target, environment: Environment) -> bool:
    if target is Target.EVERYTHING:
        return True
    if resource == "*":
        return False
    if target is Target.KNOWN_ADDONS:
        return _ADDON.search(resource) is not None
    if target in (Target.BOUND_ROLES, Target.PASSABLE_ROLES):
        return why_outside(resource, account=environment.account, bound_roles=environment.bound_roles.split(",")) is None
    return True


def _texts(value: Any) -> list[str]:
    """One text or a list of texts, as IAM policies and Kubernetes objects write them."""
    return [value] if isinstance(value, str) else [str(item) for item in value or ()]
