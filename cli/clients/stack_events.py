"""The rules of the stack and the way of a test event, with the caller's own rights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cli.clients.stack_ports import DeployedRule
from lambdas.adapters import incident_items
from lambdas.adapters.aws_errors import translated
from lambdas.adapters.dynamodb_table import Table
from lambdas.adapters.event_bus import EventBus
from lambdas.contract.events import SCHEMA_VERSION, OwnEvent
from lambdas.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.contract.environment import Environment


class EventBridgeRules:
    """Implements `DeployedEvents`."""

    def __init__(self, session: AwsSession, environment: Environment) -> None:
        self._session = session
        self._bus = environment.event_bus
        self._events = EventBus(session, environment.event_bus)
        self._table = Table(session, environment.incidents_table)

    def rules(self, function_arn: str) -> tuple[DeployedRule, ...]:
        """Return the rules whose target is the function."""
        return tuple(rule for name in self._names(function_arn) if (rule := self._rule(name, function_arn)))

    def matches(self, pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
        """Ask EventBridge."""
        with translated("test an event against a pattern"):
            answer = self._session.client("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))
        return bool(answer["Result"])

    def send_delivery_test(self, nonce: str) -> None:
        """Put the event on the bus."""
        self._events.put([(OwnEvent.DELIVERY_TEST, {"schemaVersion": SCHEMA_VERSION, "nonce": nonce})])

    def delivered_at(self, nonce: str) -> datetime | None:
        """Read the row of the event."""
        row = self._table.get("read the row of the test event", incident_items.delivery_key(nonce))
        return incident_items.delivered_at(nonce, row)

    def _names(self, function_arn: str) -> list[str]:
        with translated("list the rules of the checker"):
            pages = self._session.client("events").get_paginator("list_rule_names_by_target")
            return [name for page in pages.paginate(TargetArn=function_arn, EventBusName=self._bus) for name in page["RuleNames"]]

    def _rule(self, name: str, function_arn: str) -> DeployedRule | None:
        client = self._session.client("events")
        try:
            with translated(f"describe rule {name}"):
                rule = client.describe_rule(Name=name, EventBusName=self._bus)
                targets = client.list_targets_by_rule(Rule=name, EventBusName=self._bus)["Targets"]
        except NotFound:  # deleted since it was listed
            return None
        queues = [target["DeadLetterConfig"]["Arn"] for target in targets if target["Arn"] == function_arn and "DeadLetterConfig" in target]
        return DeployedRule(
            name=name,
            state=rule["State"],
            pattern=json.loads(rule["EventPattern"]) if rule.get("EventPattern") else None,
            schedule=rule.get("ScheduleExpression", ""),
            dead_letters=next(iter(queues), ""),
        )
