"""Approval end to end: requested in chat, answered through chat or the command line, late, twice, or not at all."""

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.contract.access import IAM
from lambdas.contract.approval import CALLBACK_ACTIONS, CALLBACK_ID, PLAN, decode_plan
from sandbox.cluster.aws_node import ROLE_KEY
from sandbox.cluster.resources import SERVICE_ACCOUNTS
from sandbox.simulation.aws_account import NAMESPACE, REMEDIATOR, resolve_role
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import BOUND
from sandbox.simulation.trigger_events import announce
from tests.chaos.sandbox_runs import annotation, generation, healed, open_row, past, sandbox_env, wait_for, wait_until_closed

pytestmark = pytest.mark.sandbox
ALICE = "arn:aws:sts::111122223333:assumed-role/admin/alice"


def asked(env: SandboxEnvironment) -> tuple[str, str]:
    """Trigger a check; returns the callback id of the approval, and the plan as the button sends it."""
    announce(env, "check-requested")
    return question(env)


def question(env: SandboxEnvironment) -> tuple[str, str]:
    """The next approval request: its callback id and its plan."""
    context = wait_for(lambda: next((found for found in map(_context, env.messages()) if PLAN in found), None), "the question")
    row = open_row(env)
    assert row
    assert row["callback_id"]["S"] == context[CALLBACK_ID]
    return context[CALLBACK_ID], context[PLAN]


def _context(message: dict[str, Any]) -> dict[str, str]:
    return dict(message["metadata"]["additionalContext"])


def by(name: str, plan: str) -> bytes:
    """The answer of the command line."""
    return json.dumps({"approved": True, "by": name, "plan": decode_plan(plan)}).encode()


def said(env: SandboxEnvironment) -> str:
    return json.dumps(env.messages(), ensure_ascii=False)


def approve(env: SandboxEnvironment, callback: str, result: bytes = b"") -> None:
    answer = {"Result": result} if result else {}
    env.aws.client("lambda").send_durable_execution_callback_success(CallbackId=callback, **answer)


def redeploy_broken(env: SandboxEnvironment) -> None:
    """The next version of the remediator, which cannot even start."""
    now = env.functions.pool(REMEDIATOR).function
    env.functions.add(replace(now, handler="lambdas.remediator.no_such_module.lambda_handler"))


def test_an_approval_by_name_repairs_on_the_same_version_and_a_second_answer_is_rejected() -> None:
    with sandbox_env("annotation-missing", mode="approve") as env:
        callback, plan = asked(env)
        assert annotation(env) is None, "nothing is done before the answer"
        redeploy_broken(env)
        approve(env, callback, by(ALICE, plan))
        with pytest.raises(ClientError):
            approve(env, callback, by("somebody else", plan))
        assert wait_until_closed(env)
        assert healed(env)
        assert generation(env) == 2
        assert past(env)[-1]["outcome"]["S"] == "verified"
        told = said(env)
        assert "alice" in told
        assert "somebody else" not in told
        with pytest.raises(ClientError):
            approve(env, callback)
        assert open_row(env) is None


def test_a_rejection_in_chat_changes_nothing_and_is_reported() -> None:
    with sandbox_env("annotation-missing", mode="approve") as env:
        callback, _ = asked(env)
        env.aws.client("lambda").send_durable_execution_callback_failure(
            CallbackId=callback, Error={"ErrorType": "Rejected", "ErrorMessage": "not today"}
        )
        wait_for(lambda: "reject" in json.dumps([line for _, line in env.lines if '"not-approved"' in line]), "the message")
        row = wait_for(lambda: (it := open_row(env)) and "callback_id" not in it and it, "the question to be taken back")
        assert "repairing" not in row
        assert annotation(env) is None
        assert generation(env) == 1


@pytest.mark.long
@pytest.mark.parametrize("is_decoded", [False, True], ids=["as it is", "with its Base64 decoded"])
def test_an_approval_in_chat_repairs(*, is_decoded: bool) -> None:
    with sandbox_env("annotation-missing", mode="approve") as env:
        callback, plan = asked(env)
        approve(env, callback, (decode_plan(plan) if is_decoded else plan).encode())
        assert wait_until_closed(env)
        assert healed(env)


@pytest.mark.long
def test_an_answer_without_the_plan_is_no_approval() -> None:
    with sandbox_env("annotation-missing", mode="approve") as env:
        callback, _ = asked(env)
        approve(env, callback)
        callback, plan = question(env)
        assert annotation(env) is None
        assert generation(env) == 1
        approve(env, callback, plan.encode())
        assert wait_until_closed(env)
        assert healed(env)


@pytest.mark.long
def test_an_approval_does_not_repeat_a_repair_made_in_the_meantime() -> None:
    """The plan is computed again after the answer, and executed only if it is unchanged."""
    with sandbox_env("annotation-missing", mode="approve") as env:
        callback, plan = asked(env)
        patch = {"metadata": {"annotations": {ROLE_KEY: resolve_role(BOUND)}}}
        env.backend.patch(SERVICE_ACCOUNTS, env.world.service_account, NAMESPACE, patch, "kubectl-annotate")
        approve(env, callback, by(ALICE, plan))
        second, changed = question(env)
        assert changed != plan
        assert generation(env) == 1, "the plan of then was not run"
        approve(env, second, by(ALICE, changed))
        assert wait_until_closed(env)
        assert healed(env)


@pytest.mark.long
def test_a_late_answer_is_rejected_and_nothing_is_done() -> None:
    with sandbox_env("annotation-missing", mode="approve", approval_timeout_s="60") as env:
        callback, plan = asked(env)
        wait_for(lambda: any('"not-approved"' in line for _, line in env.lines), "the end of the time for an answer", timeout_s=120)
        with pytest.raises(ClientError):
            approve(env, callback, by(ALICE, plan))
        assert annotation(env) is None
        assert "approval timed out" in said(env)


def test_the_functions_may_not_answer_an_approval() -> None:
    """IAM decides who may answer; the functions may not."""
    granted = {grant.action for grant in IAM}
    assert not granted & set(CALLBACK_ACTIONS)
