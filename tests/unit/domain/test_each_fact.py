"""What an assessment says where one fact of a snapshot is missing or different: which facts count, and for what."""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints

import pytest

from lambdas.application.codec import encode
from lambdas.contract.parameters import Mechanism
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    ControllerError,
    HealthIssue,
    Missing,
    NodeRepair,
    NotRead,
    Snapshot,
    SupportDates,
    Unknown,
    VersionAdvice,
)
from tests.unit.domain.link_cases.fixtures import associated
from tests.unit.domain.snapshot_fixtures import addon, binding, diagnose_and_plan, errors, snapshot_with, workload
from tests.unit.notifications.fault_cases import FAULT_CASES
from tests.unit.notifications.snapshots import CI, NOW, ROLE, nodes, pods, service_account
from tests.unit.notifications.test_golden import assert_golden
from tests.world.simulations import simulation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SMALL: Final[dict[str, Any]] = {"nodes": nodes(3, unready=1), "workload": workload(desired=3, updated=3)}
BASES: Final[Mapping[str, Snapshot]] = {
    "irsa": snapshot_with(service_account=service_account(None), pods=pods(3, None, unready=1), **SMALL),
    "pod-identity": associated(pods=pods(3, None, container_credentials=True, unready=1), **SMALL),
    "pod-identity-wanted": snapshot_with(
        binding=binding(mechanism=Mechanism.POD_IDENTITY), associations=(), pods=pods(3, None, unready=1), **SMALL
    ),
    "all-read": snapshot_with(
        pods=pods(3, ROLE, unready=1),
        simulated=simulation(),
        permission_errors=errors("aws-node-01"),
        controller_errors=(ControllerError(message="exceeded quota", at=NOW),),
        versions=VersionAdvice(default="v1.20.3-eksbuild.1", latest="v1.21.0-eksbuild.1"),
        support=SupportDates(standard_until=NOW, extended_until=NOW),
        node_repair=NodeRepair(nodegroups=("workers",)),
        recorded_refusals=(),
        has_identity_webhook=True,
        actor=CI,
        **SMALL,
    ),
    "controller": FAULT_CASES["ebs-csi"].build(),
    "refused": replace(FAULT_CASES["refused-token"].build(), pods=pods(3, ROLE, unready=1), **SMALL),
}


@pytest.mark.parametrize("name", BASES)
def test_each_fact_counts_as_reviewed(name: str) -> None:
    """The differences that a fact makes, by fact and value. After a wanted change: `UPDATE_GOLDEN=1`."""
    usual = _assessed(BASES[name])
    differences = {fact: list(_differences(_assessed(changed), usual)) for fact, changed in _variations(BASES[name])}
    lines = [line for fact, found in differences.items() if found for line in (fact, *found)]
    assert_golden(Path(__file__).parent / "golden" / f"facts-{name}.txt", "\n".join(lines) + "\n")


def test_each_long_text_is_cut_as_reviewed() -> None:
    """The texts of an assessment where one fact is very long, with the number of its characters that are left."""
    lines, issue = [], HealthIssue(code="InsufficientNumberOfReplicas", message="no answer")
    facts = {"pods": pods(3, ROLE), "permission_errors": (), "controller_errors": (), "nodes": nodes(3)}
    base = replace(BASES["all-read"], **facts, addon=addon(status="DEGRADED", issues=(issue,)))
    for item in fields(Snapshot)[1:]:
        for name, whole in _long_texts(getattr(base, item.name)):
            found = _assessed(replace(base, **{item.name: whole}))
            cut = {key: re.sub(r"x{20,}", lambda match: f"<{len(match[0])} x>", text) for key, text in found.items() if "x" * 20 in text}
            lines += [f"{item.name}.{name}", *(f"  {key}: {text}" for key, text in cut.items())] if cut else []
    assert_golden(Path(__file__).parent / "golden" / "long-texts.txt", "\n".join(lines) + "\n")


def _long_texts(value: Any) -> Iterator[tuple[str, Any]]:
    """The value with one of its texts replaced by a very long one."""
    if isinstance(value, str) and not isinstance(value, StrEnum) and not value.startswith("arn:"):
        yield "", "x" * 5_000
    elif isinstance(value, tuple) and value:
        yield from ((f"0.{name}", (first, *value[1:])) for name, first in _long_texts(value[0]))
        yield from ((f"last.{name}", (*value[:-1], last)) for name, last in _long_texts(value[-1]) if len(value) > 1)
    elif is_dataclass(value) and not isinstance(value, type):
        for item in fields(value):
            found = getattr(value, item.name)
            yield from ((f"{item.name}.{name}".strip("."), replace(value, **{item.name: long})) for name, long in _long_texts(found))


def _assessed(snapshot: Snapshot) -> dict[str, str]:
    """Each part of the summary by its name."""
    data = encode(summarize(snapshot, *diagnose_and_plan(snapshot)))
    parts = {f"{link['title']}": f"{link['state']}, {link['sentence']}" for link in data.pop("links")}
    remedies = [remedy["text"] for remedy in data.pop("remedies", [])]
    named = {key: json.dumps(value, ensure_ascii=False) for key, value in (data | {"remedies": remedies}).items()}
    return parts | named


def _differences(found: dict[str, str], usual: dict[str, str]) -> Iterator[str]:
    yield from (f"  {key}: {found.get(key, 'the default')}" for key in {**usual, **found} if found.get(key) != usual.get(key))


def _variations(snapshot: Snapshot) -> Iterator[tuple[str, Snapshot]]:
    """Each part of the snapshot in its other states, and each of its facts with another value."""
    hints = get_type_hints(Snapshot)
    for item in fields(Snapshot)[1:]:  # the target is no fact
        value, allowed = getattr(snapshot, item.name), get_args(hints[item.name])
        others = [other for other in (Unknown("no answer"), Missing("it"), NOT_READ, None) if type(other) in allowed]
        for other in others:
            if other != value:
                yield f"{item.name}={type(other).__name__}", replace(snapshot, **{item.name: other})
        first = value[0] if isinstance(value, tuple) and value else value
        if is_dataclass(first) and not isinstance(first, NotRead | Unknown | Missing | type):
            for field, changed in _changed(first):
                whole = (changed, *value[1:]) if isinstance(value, tuple) else changed
                yield f"{item.name}.{field}", replace(snapshot, **{item.name: whole})


def _changed(facts: Any) -> Iterator[tuple[str, Any]]:
    for item in fields(facts):
        value = getattr(facts, item.name)
        match value:
            case bool():
                other: Any = not value
            case str() if value.startswith("arn:"):
                other = f"{value}-2"
            case StrEnum():
                other = next(each for each in type(value) if each is not value)
            case str() | tuple() if value:
                other = type(value)()
            case int():
                other = value + 1
            case _:
                continue
        yield f"{item.name}={other!r}", replace(facts, **{item.name: other})
