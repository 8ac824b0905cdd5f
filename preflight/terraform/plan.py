"""The JSON of a plan (`terraform show -json`), as far as preflight reads it. Accessors return their type for any JSON.

Source: https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from preflight.finding import MalformedFile
from preflight.source_tree import json_fault
from preflight.terraform.other_providers import aws_attributes, aws_type

_KNOWN_MAJOR: Final = ("0", "1")
"""Major versions of the format: 0.1 came with Terraform 0.12, 1.x with Terraform 1.1."""


_STEP: Final = re.compile(r"module\.([^.\[]+)(?:\[(?:\"(?:[^\"\\]|\\.)*\"|[^\]]*)\])?(?:\.|$)")


def module_names(address: str) -> tuple[str, ...]:
    """`module.a["x.y"].module.b` is `("a", "b")`."""
    return tuple(found[1] for found in _STEP.finditer(address))


class UnknownValue:
    """A value that is known after the apply."""


UNKNOWN_VALUE: Final = UnknownValue()


def fields(value: object) -> Mapping[str, Any]:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def members(value: object) -> Sequence[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else ()


def text(value: object) -> str:
    """Return the value if it is text, else ""."""
    return value if isinstance(value, str) else ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One entry of `resource_changes`. `before` is None for a new resource, `after` is None for one that is deleted.

    `type` is the type of the AWS provider; `declared_type` is the one that the configuration uses, such as `awscc_eks_addon`.
    """

    address: str
    module: str
    type: str
    declared_type: str
    name: str
    index: str
    actions: tuple[str, ...]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    after_unknown: Mapping[str, Any]
    line: int = 0
    column: int = 0

    def after_value(self, attribute: str) -> object | UnknownValue:
        """Return an attribute after the apply; None where it is unset. A block with unknown parts is returned with the known ones."""
        if self.after_unknown.get(attribute) is True:
            return UNKNOWN_VALUE
        return (self.after or {}).get(attribute)

    @property
    def is_created(self) -> bool:
        """Return whether the resource is created, or deleted and created again."""
        return "create" in self.actions

    @property
    def is_deleted(self) -> bool:
        """Return whether the present resource is deleted, or deleted and created again."""
        return "delete" in self.actions

    @property
    def config_address(self) -> str:
        """Return the address in the configuration of its module: without module and index."""
        return f"{self.declared_type}.{self.name}"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource or data source of `prior_state`."""

    address: str
    mode: str
    type: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole plan. `configuration` is the root module, empty where the plan leaves it out; `data_reads` are deferred data sources."""

    changes: tuple[Change, ...]
    data_reads: tuple[Change, ...]
    prior: tuple[Resource, ...]
    configuration: Mapping[str, Any]
    complete: bool

    def of_type(self, kind: str) -> tuple[Change, ...]:
        """Return the changes of managed resources of one type, unchanged ones included."""
        return self._types.get(kind, ())

    def at(self, path: tuple[str, ...], address: str) -> tuple[Change, ...]:
        """Return the instances of a resource or data source: names of its modules, and its address in the configuration there."""
        return self._addresses.get((path, address), ())

    @cached_property
    def _types(self) -> Mapping[str, tuple[Change, ...]]:
        found: dict[str, list[Change]] = {}
        for change in self.changes:
            found.setdefault(change.type, []).append(change)
        return {kind: tuple(changes) for kind, changes in found.items()}

    @cached_property
    def _addresses(self) -> Mapping[tuple[tuple[str, ...], str], tuple[Change, ...]]:
        found: dict[tuple[tuple[str, ...], str], list[Change]] = {}
        for prefix, changes in (("", self.changes), ("data.", self.data_reads)):
            for change in changes:
                found.setdefault((module_names(change.module), f"{prefix}{change.config_address}"), []).append(change)
        return {key: tuple(changes) for key, changes in found.items()}

    @cached_property
    def blocks(self) -> dict[tuple[str, ...], Mapping[str, Mapping[str, Any]]]:
        """Return the resource blocks found so far: names of modules -> address -> block. The configuration fills it."""
        return {}


def load(source: str, file: str) -> Plan:
    """Return the plan.

    Raises:
        MalformedFile: the text is not the JSON of a plan. The message names the format that it resembles, and the command to run.
    """
    document = _document(source, file)
    if "lineage" in document or ("values" in document and "resource_changes" not in document and "planned_values" not in document):
        raise MalformedFile(f"{file}:1:1 is a state, not a plan: run `terraform plan -out=PLANFILE`, then {_SHOW}")
    version = text(document.get("format_version"))
    if version.partition(".")[0] not in _KNOWN_MAJOR:
        version_text = f"its format_version is {version[:20]!r}" if version else "it has no format_version"
        raise MalformedFile(
            f"{file} is not a plan that this version can read: {version_text}. Give the output of `terraform show -json PLANFILE`"
        )
    entries = tuple(_changes(members(document.get("resource_changes"))))
    return Plan(
        changes=tuple(change for mode, change in entries if mode == "managed"),
        data_reads=tuple(change for mode, change in entries if mode == "data"),
        prior=tuple(_resources(fields(fields(document.get("prior_state")).get("values")).get("root_module"))),
        configuration=fields(fields(document.get("configuration")).get("root_module")),
        complete=document.get("errored") is not True and document.get("complete") is not False,
    )


_SHOW: Final = "run `terraform show -json PLANFILE > plan.json` and give plan.json"
_HUMAN: Final = (
    "Terraform will perform the following actions",
    "OpenTofu will perform the following actions",
    "Terraform used the selected providers",
)


_STATE: Final = re.compile(r'"(?:format_version|lineage|terraform_version)"\s*:')
_LOG: Final = '"@level"'


def resembles_plan(source: str) -> bool:
    """Return whether the text is a state, a log, or the output for people, which are given in the place of a plan."""
    start = source[:2000]
    return bool(_STATE.search(start)) or _LOG in start or _is_for_people(source)


def _is_for_people(source: str) -> bool:
    return any(phrase in source for phrase in _HUMAN) or bool(re.match(r"\s*No changes\. ", source))


def _document(source: str, file: str) -> Mapping[str, Any]:
    if not source.strip():
        raise MalformedFile(f"{file} is empty: {_SHOW}")
    if _is_for_people(source):
        raise MalformedFile(f"{file}:1:1 is the output of `terraform plan` for people, not JSON: save it with -out=PLANFILE, then {_SHOW}")
    try:
        found = json.loads(source)
    except json.JSONDecodeError as error:
        if _LOG in source[:2000]:
            raise MalformedFile(f"{file} is the log of `terraform plan -json`, not a plan: {_SHOW}") from error
        if (not error.pos and '{"format_version"' in source) or source.startswith("[command]"):
            fault = "begins with other output: run the command without a wrapper (`terraform_wrapper: false` of setup-terraform)"
            raise MalformedFile(f"{file}:1:1 {fault}, {_SHOW}") from error
        raise MalformedFile(json_fault(source, file, error)) from error
    except (RecursionError, ValueError) as error:  # ValueError: a number of more digits than Python reads
        raise MalformedFile(f"{file} cannot be read as JSON: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise MalformedFile(f"{file}:1:1 is not a plan: it holds no JSON object")
    return found


def _changes(entries: Sequence[Any]) -> Iterator[tuple[str, Change]]:
    for entry in map(fields, entries):
        change = fields(entry.get("change"))
        if entry.get("deposed"):
            continue
        before, after = change.get("before"), change.get("after")
        actions = tuple(map(text, members(change.get("actions"))))
        if actions == ("forget",):  # Terraform forgets the resource, which stays as it is
            after = before
        declared = text(entry.get("type"))
        yield (
            text(entry.get("mode", "managed")),
            Change(
                address=text(entry.get("address")),
                module=text(entry.get("module_address")),
                type=aws_type(declared),
                declared_type=declared,
                name=text(entry.get("name")),
                index=str(entry.get("index", "")),
                actions=actions,
                before=aws_attributes(declared, before) if isinstance(before, dict) else None,
                after=aws_attributes(declared, after) if isinstance(after, dict) else None,
                after_unknown=aws_attributes(declared, fields(change.get("after_unknown"))),
            ),
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
