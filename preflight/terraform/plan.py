"""`terraform show -json` of a plan, as far as preflight reads it. Whatever JSON comes in, an accessor gives its type or nothing.

Source: https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from preflight.finding import MalformedFile

_KNOWN_MAJOR: Final = ("0", "1")
"""Major versions of the format: 0.1 came with Terraform 0.12, 1.x since 1.1. A later one may mean anything."""


class UnknownValue:
    """A value that is known only when the plan is applied."""


UNKNOWN_VALUE: Final = UnknownValue()


def fields(value: object) -> Mapping[str, Any]:
    """The value where it is an object; an empty one otherwise."""
    return value if isinstance(value, Mapping) else {}


def members(value: object) -> Sequence[Any]:
    """The value where it is a list; an empty one otherwise."""
    return value if isinstance(value, list) else ()


def text(value: object) -> str:
    """The value where it is text; "" otherwise."""
    return value if isinstance(value, str) else ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One entry of `resource_changes`. `after` is None where the resource is gone afterwards, `before` None where it is not there yet."""

    address: str
    module: str
    type: str
    name: str
    index: str
    actions: tuple[str, ...]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    after_unknown: Mapping[str, Any]

    def after_value(self, attribute: str) -> object | UnknownValue:
        """An attribute after the plan; None where it is unset. A block of which some part is undecided is there, and is given."""
        if self.after_unknown.get(attribute) is True:
            return UNKNOWN_VALUE
        return (self.after or {}).get(attribute)

    @property
    def is_created(self) -> bool:
        """Whether the resource is new afterwards, be it for the first time."""
        return "create" in self.actions

    @property
    def is_deleted(self) -> bool:
        """Whether the resource that is there now is deleted, be it to be made again."""
        return "delete" in self.actions

    @property
    def config_address(self) -> str:
        """How the configuration of its own module calls it: without module and index."""
        return f"{self.type}.{self.name}"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource or data source of `prior_state`."""

    address: str
    mode: str
    type: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one plan holds. `configuration` is the root module of the configuration; empty where the plan leaves it out."""

    changes: tuple[Change, ...]
    prior: tuple[Resource, ...]
    configuration: Mapping[str, Any]
    complete: bool

    def of_type(self, kind: str) -> tuple[Change, ...]:
        """The changes of managed resources of one type, those that change nothing included."""
        return tuple(change for change in self.changes if change.type == kind)


def load(source: str, file: str) -> Plan:
    """Read a plan.

    Raises:
        MalformedFile: not the JSON of a plan; says what it looks like instead.
    """
    document = _document(source, file)
    version = text(document.get("format_version"))
    if version.partition(".")[0] not in _KNOWN_MAJOR:
        said = f"its format_version is {version[:20]!r}" if version else "it has no format_version"
        raise MalformedFile(f"{file} is not a plan that this version can read: {said}. Give the output of `terraform show -json PLANFILE`")
    if "values" in document and "resource_changes" not in document and "planned_values" not in document:
        raise MalformedFile(f"{file} is a state, not a plan: run `terraform plan -out=PLANFILE` and `terraform show -json PLANFILE`")
    return Plan(
        changes=tuple(_changes(members(document.get("resource_changes")))),
        prior=tuple(_resources(fields(fields(document.get("prior_state")).get("values")).get("root_module"))),
        configuration=fields(fields(document.get("configuration")).get("root_module")),
        complete=document.get("errored") is not True and document.get("complete") is not False,
    )


def _document(source: str, file: str) -> Mapping[str, Any]:
    try:
        found = json.loads(source)
    except json.JSONDecodeError as error:
        if '"@level"' in source[:2000]:
            hint = "it looks like the log of `terraform plan -json`: give the output of `terraform show -json PLANFILE`"
            raise MalformedFile(f"{file} is not a plan; {hint}") from error
        raise MalformedFile(f"{file}:{error.lineno}:{error.colno} is not JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:  # ValueError: a number of more digits than Python reads
        raise MalformedFile(f"{file} cannot be read as JSON: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise MalformedFile(f"{file}:1:1 is not a plan: it holds no JSON object")
    return found


def _changes(entries: Sequence[Any]) -> Iterator[Change]:
    for entry in map(fields, entries):
        change = fields(entry.get("change"))
        if entry.get("mode", "managed") != "managed" or entry.get("deposed"):
            continue
        before, after = change.get("before"), change.get("after")
        yield Change(
            address=text(entry.get("address")),
            module=text(entry.get("module_address")),
            type=text(entry.get("type")),
            name=text(entry.get("name")),
            index=str(entry.get("index", "")),
            actions=tuple(map(text, members(change.get("actions")))),
            before=before if isinstance(before, dict) else None,
            after=after if isinstance(after, dict) else None,
            after_unknown=fields(change.get("after_unknown")),
        )


def _resources(root: object) -> Iterator[Resource]:
    waiting = [root]
    while waiting:
        module = fields(waiting.pop())
        waiting.extend(members(module.get("child_modules")))
        for entry in map(fields, members(module.get("resources"))):
            yield Resource(
                address=text(entry.get("address")),
                mode=text(entry.get("mode")),
                type=text(entry.get("type")),
                values=fields(entry.get("values")),
            )
