"""Hostile text in every input: events, parameters and cluster objects, through the whole pipeline to the chat messages."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hypothesis import strategies as st

from lambdas.application.check.pipeline import run
from lambdas.application.remediation.workflow import remediate
from lambdas.application.workflow_steps import InProcessSteps, PollSchedule, StepId
from lambdas.domain.errors import MalformedEvent
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.snapshot import FieldWriter, HealthIssue
from tests.chaos.fleet import Town, kinds, town
from tests.unit.notifications.test_hostile_text import TEXT, assert_harmless, assert_legal
from tests.world import CNI_NOT_READY, NAME, NAMESPACE, NOON

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambdas.domain.ports import Message

R = TypeVar("R")
NAMES: Final = st.one_of(
    TEXT,
    st.sampled_from(["demo", "../demo", "demo/*", "_default", "demo\n", "x" * 101, "-demo", "", "arn:aws:eks:eu-west-1:1:cluster/demo"]),
)
JSON: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
FORGED: Final = tuple(json.dumps(kind) for kind in kinds(NOON))


@st.composite
def forged(draw: Callable[..., Any]) -> Any:
    """A recorded event with some of its values replaced by words, names or any JSON."""
    event = json.loads(draw(st.sampled_from(FORGED)))
    for _ in range(draw(st.integers(0, 4))):
        _poison(event, draw)
    return event


def _poison(event: Any, draw: Callable[..., Any]) -> None:
    """Replace one value somewhere below."""
    at, key = event, None
    while isinstance(at, dict | list) and at:
        holder, key = at, draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        at = holder[key]
        if draw(st.integers(0, 2)) == 0:
            break
    if key is not None:
        holder[key] = draw(st.one_of(NAMES, JSON))


@dataclass
class Hurried(InProcessSteps):
    """Steps whose waits time out at once, so that every reminder is sent."""

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        self.done.append(step)
        return check(initial)


def delivered(event: Any, there: Town) -> list[Message]:
    """Deliver an event to the checker, run its executions, and return the messages. A malformed event is rejected."""
    try:
        run(event, there.ports)
    except MalformedEvent as error:
        there.refused.append(str(error))
    for row in list(there.incidents.rows.values()):
        if row.incident:
            remediate(row.incident, Hurried(sleep=there.world.sleep), there.remediation_steps(row.incident))
    return there.notifier.sent


def harmless(messages: list[Message]) -> None:
    """The message has no mention, control character or foreign link, and respects every length limit."""
    for message in messages:
        assert_legal(message)
        assert_harmless(message)


def poisoned_town(words: list[str], *, broken: bool) -> Town:
    """Objects and parameters with hostile text in every field that others can write."""
    there = town(broken=broken)
    here = there.world.clusters["demo"]
    key = (NAMESPACE, NAME)
    say = iter(words * 20).__next__
    account = here.accounts[key]
    writer = FieldWriter(manager=say(), at=NOON, owns_annotation=True)
    here.accounts[key] = replace(account, writers=(writer,), role_annotations={**account.role_annotations, f"{say()}/role-arn": say()})
    for name, node in list(here.nodes.items())[:2]:
        message = say() if name.endswith("0") else CNI_NOT_READY
        since = NOON - timedelta(minutes=20)
        here.nodes[name] = replace(node, ready=False, reason=say(), message=message, since=since, nodegroup=say())
    for pod in here.pods.values():
        pod.facts = replace(pod.facts, waiting=say(), termination_message=say())
    for name, addon in here.addons.items():
        issue = HealthIssue(code=say(), message=say(), resources=(say(),))
        here.addons[name] = replace(addon, issues=(issue,), version=say())
    return there


def bound_to(value: str) -> Town:
    """A broken cluster with this text as the binding."""
    there = town(broken=True)
    (path,) = there.world.parameters
    there.world.parameters[path] = Parameter(value=value, changed_at=NOON - timedelta(days=1))
    return there
