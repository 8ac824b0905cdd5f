"""Calls made are calls granted, on what they are granted on: nothing more, and nothing less."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from lambdas.contract.access import IAM, Target
from lambdas.contract.environment import Function
from lambdas.contract.names import ANY_CLUSTER, EVENT_SOURCE, PARAMETER_ROOT
from lambdas.contract.parameters import binding_path
from sandbox.aws.calls import Call
from sandbox.play.accounts import CHECKER, NAMESPACE, REMEDIATOR, TABLE, resolved, role_arn
from sandbox.play.announcing import announce
from sandbox.play.play import Play
from sandbox.play.scenario import BOUND, Scenario, load
from sandbox.play.stage import Stage
from tests.sandbox.expectations import PATIENCE_S

pytestmark = pytest.mark.sandbox

Used = tuple[Function, str, Target]
FUNCTIONS = {CHECKER: Function.CHECKER, REMEDIATOR: Function.REMEDIATOR}
ON = {
    "ssm:GetParametersByPath": lambda it: Target.PARAMETERS if it["Path"].startswith(PARAMETER_ROOT) else None,
    "ssm:GetCalendarState": lambda it: Target.CHANGE_CALENDARS if it["CalendarNames"] else None,
    "eks:DescribeAddon": lambda it: Target.ADDONS if it["clusterName"] else None,
    "eks:DescribeNodegroup": lambda it: Target.NODEGROUPS if it["nodegroupName"] else None,
    "eks:DescribePodIdentityAssociation": lambda it: Target.ASSOCIATIONS if it["associationId"] else None,
    "eks:ListClusters": lambda it: Target.EVERYTHING,
    "eks:DescribeAddonVersions": lambda it: Target.EVERYTHING,
    "eks:DescribeClusterVersions": lambda it: Target.EVERYTHING,
    "iam:GetRole": lambda it: Target.BOUND_ROLES if role_arn(it["RoleName"]) == resolved(BOUND) else None,
    "iam:GetOpenIDConnectProvider": lambda it: Target.OIDC_PROVIDERS if ":oidc-provider/" in it["OpenIDConnectProviderArn"] else None,
    "iam:PassRole": lambda it: Target.PASSABLE_ROLES if it["PassedToService"] == "eks.amazonaws.com" else None,
    "lambda:InvokeFunction": lambda it: Target.REMEDIATOR if re.search(rf":function:{REMEDIATOR}:\w+$", it["FunctionName"]) else None,
    "events:PutEvents": lambda it: Target.EVENT_BUS if {entry["Source"] for entry in it["Entries"]} == {EVENT_SOURCE} else None,
    "sns:Publish": lambda it: Target.CHAT_TOPIC if it["TopicArn"].endswith("-chat") else Target.PEOPLE_TOPIC,
}
"""Action -> what its parameters make it a call on; None where that is nothing of ours."""


NOT_SEEN_HERE: set[Used] = {
    (Function.REMEDIATOR, "eks:UpdateAddon", Target.ADDONS),  # IAM checks the one call on the cluster and on the add-on
    (Function.REMEDIATOR, "lambda:GetDurableExecutionState", Target.REMEDIATOR),  # the SDK, for a history longer than one page
}


def target_of(call: Call) -> Target | None:
    if call.action in ON:
        return ON[call.action](call.params)
    service = call.action.partition(":")[0]
    if service == "dynamodb":
        return Target.INCIDENTS if call.params["TableName"] == TABLE else None
    if service == "lambda":
        return Target.REMEDIATOR
    return Target.CLUSTERS if service == "eks" and call.params.get("clusterName", call.params.get("name")) else None


def played(scenario: Scenario, *, default_binding: bool = False, sweep_again: bool = False) -> Iterator[Call]:
    with Stage(scenario.world, skip_time=scenario.hurry) as stage:
        if default_binding:
            path = binding_path(ANY_CLUSTER, NAMESPACE, scenario.world.service_account)
            stage.aws.client("ssm").put_parameter(Name=path, Value=role_arn("{cluster}-vpc-cni"), Type="String")
        Play(scenario, stage, lasts_s=PATIENCE_S).run()
        if sweep_again:
            announce(stage, "sweep")
            until = time.monotonic() + PATIENCE_S
            while time.monotonic() < until and not stage.aws.calls.of(CHECKER, "lambda:GetDurableExecution"):
                time.sleep(0.1)
        # The API server asks STS whose token it is, with the URL that the function signed; that call needs no permission.
        yield from (it for it in stage.aws.calls.all() if it.principal in FUNCTIONS and it.action != "sts:GetCallerIdentity")


def variant(name: str, outcome: str, **world: Any) -> Scenario:
    """A scenario with another world, and the end to which that brings it."""
    scenario = load(name)
    return replace(scenario, world=replace(scenario.world, **world), expect=replace(scenario.expect, outcome=outcome))


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    """Everything both functions called in plays that between them need every grant."""
    return [
        *played(load("repair-clock")),
        *played(load("pod-identity-agent-missing")),
        # The local AWS has no change calendars, and a calendar that cannot be read holds back what can wait.
        *played(variant("latent", "needs-you", settings={"maintenance_window": "calendar:nightly"})),
        *played(variant("found-by-sweep", "proven", binding=None), default_binding=True),
        *played(load("trust-condition-wrong"), sweep_again=True),
    ]


def test_every_call_is_on_something_of_ours(calls: list[Call]) -> None:
    foreign = {(call.action, json.dumps(call.params, default=str)[:200]) for call in calls if target_of(call) is None}
    assert foreign == set()


def test_calls_made_are_calls_granted(calls: list[Call]) -> None:
    made = {(FUNCTIONS[call.principal], call.action, on) for call in calls if (on := target_of(call)) is not None}
    granted = {(function, grant.action, grant.on) for grant in IAM if grant.optional is None for function in grant.by}
    ours = {it for it in granted if it[0] in FUNCTIONS.values()}
    assert made | NOT_SEEN_HERE == ours


def test_no_call_was_refused_for_a_missing_grant(calls: list[Call]) -> None:
    assert [call.action for call in calls if call.error.startswith("AccessDenied")] == []
