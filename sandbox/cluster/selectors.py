"""Label and field selectors, parsed into predicates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sandbox.cluster.errors import bad_request

if TYPE_CHECKING:
    from sandbox.cluster.resources import Resource

Labels = Mapping[str, str]
Matcher = Callable[[Mapping[str, Any]], bool]

_KEY = r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
_VALUE = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
_SET = re.compile(rf"^({_KEY})\s+(in|notin)\s*\(([^()]*)\)$")
_EQUALITY = re.compile(rf"^({_KEY})\s*(==|=|!=)\s*({_VALUE})?$")
_EXISTS = re.compile(rf"^(!?)\s*({_KEY})$")
_OUTSIDE_PARENTHESES = re.compile(r",(?![^()]*\))")


def parse_labels(text: str) -> Matcher:
    """A predicate for labels: `a=b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`, joined by commas.

    Raises:
        ApiError: 400, the selector is invalid.
    """
    checks = [_label_check(part.strip(), text) for part in _OUTSIDE_PARENTHESES.split(text)] if text.strip() else []
    return lambda obj: all(check(obj["metadata"].get("labels") or {}) for check in checks)


def _label_check(part: str, whole: str) -> Callable[[Labels], bool]:
    if found := _SET.match(part):
        key, operator, listed = found.groups()
        values = frozenset(value.strip() for value in listed.split(","))
        return _in(key, values) if operator == "in" else _not_in(key, values)
    if found := _EQUALITY.match(part):
        key, operator, value = found.groups(default="")
        return _not_in(key, frozenset({value})) if operator == "!=" else _in(key, frozenset({value}))
    if found := _EXISTS.match(part):
        negated, key = found.groups()
        return (lambda labels: key not in labels) if negated else (lambda labels: key in labels)
    raise bad_request(f'unable to parse requirement: found {part!r} in "{whole}"'.replace("'", '"'))


def _in(key: str, values: frozenset[str]) -> Callable[[Labels], bool]:
    return lambda labels: labels.get(key) in values


def _not_in(key: str, values: frozenset[str]) -> Callable[[Labels], bool]:
    return lambda labels: labels.get(key) not in values


def matches_selector(selector: Mapping[str, Any], labels: Labels) -> bool:
    """Whether a `LabelSelector` of a workload (matchLabels, matchExpressions) selects these labels."""
    match_labels = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or ()
    return all(labels.get(key) == value for key, value in match_labels.items()) and all(_expression(each, labels) for each in expressions)


def _expression(expression: Mapping[str, Any], labels: Labels) -> bool:
    found, values = labels.get(expression["key"]), expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case _:
            return found is None


def parse_fields(text: str, resource: Resource) -> Matcher:
    """A predicate for the selectable fields of this resource.

    Raises:
        ApiError: 400, the selector is invalid or names a field that is not selectable.
    """
    checks = [_field_check(part, resource, text) for part in text.split(",") if part]
    return lambda obj: all(check(obj) for check in checks)


def _field_check(part: str, resource: Resource, whole: str) -> Matcher:
    found = re.match(r"^(.*?)(==|!=|=)(.*)$", part)
    if not found:
        raise bad_request(f"invalid selector: '{whole}'; can't understand '{part}'")
    label, operator, value = found.groups()
    path = _field_path(label, resource)
    return lambda obj: (field_text(obj, path) == value) is (operator != "!=")


def _field_path(label: str, resource: Resource) -> tuple[str, ...]:
    if label == "metadata.name" or (label == "metadata.namespace" and resource.namespaced):
        return tuple(label.split("."))
    if label in resource.field_labels:
        return tuple(resource.field_labels[label].split("."))
    raise bad_request(_unknown_label(label, resource))


def _unknown_label(label: str, resource: Resource) -> str:
    """The message depends on whether the kind has selectable fields of its own.

    Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/conversion.go and
    https://github.com/kubernetes/apimachinery/blob/master/pkg/runtime/conversion.go (DefaultMetaV1FieldSelectorConversion)
    """
    if resource.field_labels:
        return f"field label not supported: {label}"
    return f'"{label}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def field_text(obj: Mapping[str, Any], path: tuple[str, ...]) -> str:
    """The value at a path as a selector compares it; an absent value is empty, an absent flag false."""
    found: Any = obj
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    if path[-1] in {"hostNetwork", "unschedulable"}:
        return "true" if found else "false"
    if path == ("spec", "schedulerName"):
        return str(found or "default-scheduler")
    return "" if found is None else str(found)
