"""Write to a cluster, to EKS or to IAM with a stolen role of the checker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lambdas.contract.access import IAM
from lambdas.contract.environment import Function
from tests.attacks.threat import Threat
from tests.infra.templates import statements
from tests.infra.test_contract import WRITES, function, regional, role_of

if TYPE_CHECKING:
    from tests.infra.templates import Template

THREAT = Threat(
    name="stolen checker role",
    actor="holder of the checker's credentials",
    controls="every call that the checker may make",
    attempt="write to a cluster, an add-on record or IAM, or put events of another source on the bus",
    prevention="the role may write incidents, put events of its own source, and invoke the remediator and itself, and nothing else",
    proof=(
        "test_the_checker_may_only_write_incidents_and_events_and_invoke_functions",
        "test_the_checker_may_invoke_no_function_but_the_remediator_and_itself",
        "test_functions_may_put_events_of_their_own_source_only",
    ),
    residual="it can open incidents with any actor, which the remediator assesses again, and write history, which the limits rest on",
)


def test_the_checker_may_only_write_incidents_and_events_and_invoke_functions(minimal: Template) -> None:
    _, role = role_of(minimal, Function.CHECKER.handler)
    product_metric = {item.action for item in IAM}
    writes = {
        action
        for policy in role["Policies"]
        for _, action, _, _ in statements(policy["PolicyDocument"])
        if action in product_metric and action.split(":")[1].startswith(WRITES)
    }
    assert writes == {"dynamodb:UpdateItem", "lambda:InvokeFunction", "events:PutEvents"}


def test_the_checker_may_invoke_no_function_but_the_remediator_and_itself(minimal: Template) -> None:
    _, role = role_of(minimal, Function.CHECKER.handler)
    made = [statement for policy in role["Policies"] for statement in statements(policy["PolicyDocument"])]
    names = {item: function(minimal, item.handler)["FunctionName"] for item in (Function.CHECKER, Function.REMEDIATOR)}
    invoked = {arn for _, action, arn, _ in made if action == "lambda:InvokeFunction"}
    assert invoked == {
        regional("lambda", f"function:{names[Function.CHECKER]}"),
        regional("lambda", f"function:{names[Function.REMEDIATOR]}:*"),
    }


def test_functions_may_put_events_of_their_own_source_only(minimal: Template) -> None:
    ours_alone = json.dumps({"StringEquals": {"events:source": "eks-irsa-remediator"}})
    for item in Function:
        _, role = role_of(minimal, item.handler)
        put = [s for policy in role["Policies"] for s in statements(policy["PolicyDocument"]) if s[1] == "events:PutEvents"]
        assert put == [("Allow", "events:PutEvents", regional("events", "event-bus/default"), ours_alone)]
