"""Run other commands, or answer executions of other functions, as a member of the chat channel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lambdas.contract.approval import CALLBACK_ACTIONS
from lambdas.contract.names import PROJECT
from tests.attacks.threat import Threat
from tests.infra.templates import ACCOUNT, MAXIMAL, of_type, one_of_type, statements
from tests.infra.test_chat import SLACK, TEAMS

if TYPE_CHECKING:
    from tests.infra.templates import Template

THREAT = Threat(
    name="chat member",
    actor="member of the chat channel",
    controls="every command that Amazon Q Developer runs in the channel",
    attempt="run other AWS commands with the channel's role, or answer executions of other functions",
    prevention="the channel's role and its guardrail allow the two answers on the remediator's executions only; with a customer key also "
    "its use through Lambda, which decrypts their state",
    proof=("test_channel_role_and_guardrail_allow_only_the_answers",),
    residual="every member may approve a shown plan, and the answer carries no name: choose the members; CloudTrail has the call",
)


@pytest.mark.parametrize(("stack", "kind", "region"), [("prod", SLACK, "eu-west-1"), ("prod-us", TEAMS, "us-east-1")])
def test_channel_role_and_guardrail_allow_only_the_answers(maximal: dict[str, Template], stack: str, kind: str, region: str) -> None:
    template = maximal[f"EksIrsaRemediator-{stack}"]
    channel = one_of_type(template, kind)
    ((name, policy),) = of_type(template, "AWS::IAM::ManagedPolicy").items()
    assert channel["GuardrailPolicies"] == [{"Ref": name}]
    role = template["Resources"][channel["IamRoleArn"]["Fn::GetAtt"][0]]["Properties"]
    assert role["ManagedPolicyArns"] == [{"Ref": name}]
    assert "Policies" not in role
    trust = role["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Principal"] == {"Service": "chatbot.amazonaws.com"}
    assert trust["Condition"] == {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}
    allowed = {(action, resource, when) for _, action, resource, when in statements(policy["Properties"]["PolicyDocument"], region)}
    served = {"prod": (stack, "prod-inner"), "prod-us": (stack,)}[stack]
    executions = [f"arn:aws:lambda:{region}:{ACCOUNT}:function:{PROJECT}-{item}:*" for item in served]
    through_lambda = json.dumps({"StringEquals": {"kms:ViaService": [f"lambda.{region}.amazonaws.com"]}})
    key = {"prod": {("kms:Decrypt", MAXIMAL["environments"][0]["key"], through_lambda)}, "prod-us": set()}[stack]
    assert allowed == {(action, resource, "{}") for action in CALLBACK_ACTIONS for resource in executions} | key
