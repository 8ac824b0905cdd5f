"""Calls of the EventBridge API that moto lacks, or answers with the queue that stands for the function."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moto.events.models import EventPattern

from sandbox.aws.http_messages import Request, Response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.aws.gateway import Backend

_JSON = {"Content-Type": "application/x-amz-json-1.1"}


def bus_api(others: Backend, *, function: str, rules: Callable[[], Any], dead_letters: Callable[[], str]) -> Backend:
    """EventBridge whose rules have one function as their target.

    Args:
        others: moto, for the other calls.
        function: ARN of the function.
        rules: the names of the rules now.
        dead_letters: ARN of the queue of undelivered events.
    """

    def list_names(body: Mapping[str, Any]) -> dict[str, Any]:
        return {"RuleNames": list(rules()) if body["TargetArn"] == function else []}

    def list_targets(_: Mapping[str, Any]) -> dict[str, Any]:
        return {"Targets": [{"Id": "Target0", "Arn": function, "DeadLetterConfig": {"Arn": dead_letters()}}]}

    def test_pattern(body: Mapping[str, Any]) -> dict[str, Any]:
        return {"Result": EventPattern.load(body["EventPattern"]).matches_event(json.loads(body["Event"]))}

    answers: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
        "ListRuleNamesByTarget": list_names,
        "ListTargetsByRule": list_targets,
        "TestEventPattern": test_pattern,
    }

    def answer(request: Request) -> Response:
        operation = request.header("x-amz-target").rpartition(".")[2]
        if operation not in answers:
            return others(request)
        return json_response(200, answers[operation](json.loads(request.body)), _JSON)

    return answer
