"""Every result that a step stores can be read again, by this version and from the checkpoints of an older one."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.application import daily_digest
from lambdas.application.codec import decode, encode
from lambdas.application.remediation import results
from lambdas.application.workflow_steps import SendResult
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.planning.actions import Action, RestartWorkload
from lambdas.notifications.message_context import ApprovalAnswer
from lambdas.remediator.handler import OpenResult

STORED: tuple[type, ...] = (
    *(found for found in vars(results).values() if isinstance(found, type) and issubclass(found, results.StepResult)),
    results.RemediationResult,
    daily_digest.DigestRequest,
    daily_digest.DigestResult,
    ApprovalAnswer,
    OpenResult,
    SendResult,
    AssessmentSummary,
)
AWARE = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # the strategy adds the zone
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4
)


def values(of: Any) -> st.SearchStrategy[Any]:
    """Any value of a type."""
    origin, arguments = get_origin(of), get_args(of)
    if origin in (Union, UnionType):
        return st.one_of(*map(values, arguments))
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple) if Ellipsis in arguments else st.tuples(*map(values, arguments))
    if origin is not None:
        return st.dictionaries(st.text(), JSON if arguments[1] is Any else values(arguments[1]), max_size=2)
    if of is datetime:
        return AWARE
    if of is ServiceAccountRef:
        return st.just(ServiceAccountRef("demo", "kube-system", "aws-node"))
    if is_dataclass(of):
        hints = get_type_hints(of)
        return st.fixed_dictionaries({field.name: values(hints[field.name]) for field in fields(of)}).map(lambda given: of(**given))
    return st.from_type(of)


@pytest.mark.parametrize("of", [*STORED, *get_args(Action)], ids=lambda of: of.__name__)
@settings(max_examples=15)
@given(data=st.data())
def test_a_stored_value_is_read_as_it_was(of: type, data: st.DataObject) -> None:
    value = data.draw(values(of))
    assert decode(of, json.loads(json.dumps(encode(value)))) == value


@pytest.mark.parametrize("of", [found for found in STORED if issubclass(found, results.StepResult)], ids=lambda of: of.__name__)
def test_a_checkpoint_without_the_newer_fields_is_read(of: type) -> None:
    assert decode(of, {}) == of()


def test_a_checkpoint_with_the_fields_of_a_newer_version_is_read() -> None:
    assert decode(results.ClaimResult, {"is_ours": True, "is_new": 1}) == results.ClaimResult(is_ours=True)


def test_an_action_is_stored_by_its_kind() -> None:
    """The words of a stored plan; a class can be renamed without losing the plans of running executions."""
    stored = {
        "kind": "restart-workload",
        "workload": "DaemonSet",
        "name": "aws-node",
        "restarted_at": "now",
        "at_a_time": 2,
        "role_arn": "arn",
    }
    action: Action = decode(Action, stored)  # type: ignore[arg-type]  # a union
    assert isinstance(action, RestartWorkload)
    assert encode(action) == stored


@dataclass(frozen=True)
class Unstorable:
    """A result with types that JSON lacks."""

    content: bytes = b"x"


@pytest.mark.parametrize("code", [lambda: encode(Unstorable(b"y")), lambda: decode(Unstorable, {"content": "y"})], ids=["encode", "decode"])
def test_a_type_that_checkpoints_do_not_have_is_refused(code: Any) -> None:
    with pytest.raises(TypeError, match="a checkpoint has no"):
        code()
