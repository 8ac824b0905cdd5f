"""The daily digest in the sandbox: from the scheduled event to one message, through both functions, roles, table and topics."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from lambdas.contract.access import IAM
from lambdas.contract.environment import Function
from lambdas.contract.events import DIGEST_INPUT
from sandbox.aws.local_aws import ACCOUNT, REGION
from sandbox.simulation.aws_account import CHECKER, REMEDIATOR
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.sandbox_steps import SandboxSteps
from sandbox.simulation.scenario import World

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def env() -> Iterator[SandboxEnvironment]:
    with SandboxEnvironment(World(nodes=2, settings={"digest": "daily"})) as sandbox_env:
        yield sandbox_env


def in_the_morning(env: SandboxEnvironment, moment: str) -> None:
    """The input that EventBridge delivers for the rule."""
    sent = {**DIGEST_INPUT, "time": moment}
    env.aws.client("lambda").invoke(FunctionName=CHECKER, InvocationType="Event", Payload=json.dumps(sent))


def logged(env: SandboxEnvironment, function: str, words: str, since: int, within_s: float = 120.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if any(name == function and words in line for name, line in env.lines[since:]):
            return True
        time.sleep(0.05)
    return False


def granted() -> set[tuple[str, str]]:
    """Principals and the actions that the contract grants them."""
    named = {Function.CHECKER: CHECKER, Function.REMEDIATOR: REMEDIATOR}
    return {(named[function], grant.action) for grant in IAM for function in grant.by if function in named}


def titles(env: SandboxEnvironment) -> list[str]:
    """Of the notifications since the last time that this was asked."""
    return [message["content"]["title"] for message in env.messages()]


def test_a_day_of_repairs_is_reported_once_with_the_granted_permissions(env: SandboxEnvironment) -> None:
    SandboxSteps(env).add_past_repairs(2)
    now = time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime())
    for _ in range(3):
        in_the_morning(env, now)
    assert logged(env, REMEDIATOR, "2 repaired", 0)
    time.sleep(1)
    assert titles(env) == [f"🟢 Last day in {ACCOUNT} {REGION}: 2 repaired"]
    assert env.dead_letters.waiting(CHECKER) == env.dead_letters.waiting(REMEDIATOR) == []
    made = {(call.principal, call.action) for call in env.aws.calls.all() if call.principal in (CHECKER, REMEDIATOR)}
    assert (REMEDIATOR, "sns:Publish") in made
    assert {item for item in made if not item[1].startswith("sts:")} <= granted()


def test_a_day_without_repairs_is_not_reported(env: SandboxEnvironment) -> None:
    since = len(env.lines)
    in_the_morning(env, "2020-01-01T07:00:00Z")
    assert logged(env, REMEDIATOR, "no incident to report", since)
    assert titles(env) == []
