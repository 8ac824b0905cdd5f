"""A deployed stack in memory, which answers the checks of `verify`. Everything works until a test changes it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cli.clients.stack_ports import (
    Concurrency,
    DeployedAlarm,
    DeployedFunction,
    DeployedRule,
    Execution,
    StackClients,
    TopicKey,
    TopicSubscription,
)
from lambdas.application.codec import encode
from lambdas.application.self_test import CheckAnswer, RuntimeFacts, SelfTestReport
from lambdas.contract.environment import Environment, Function
from lambdas.contract.events import SUBSCRIPTIONS, SWEEP_RATE_MINUTES
from lambdas.contract.self_test import SELF_TEST_SCHEMA_VERSION, Answer, parse_self_test
from lambdas.contract.stack_checks import CLUSTER_LADDER, CheckId
from lambdas.contract.version import VERSION
from tests.world import NOON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

QUEUE = "arn:aws:sqs:eu-west-1:111122223333:{}Failures"


@dataclass
class FakeStack:
    """State of the stack. `errors` are raised by the method of this name; `answers` replace those of the functions by check."""

    environment: Environment
    version: str = VERSION
    answers: dict[tuple[Function, CheckId], Answer] = field(default_factory=dict)
    rule_changes: dict[str, str] = field(default_factory=dict)
    """Name of a rule -> another state; an empty one removes the rule."""
    unmatched: set[str] = field(default_factory=set)
    is_delivering: bool = True
    sweep_count: int = 3
    modified_at: datetime = NOON - timedelta(days=30)
    people: tuple[TopicSubscription, ...] = (TopicSubscription(protocol="email", endpoint="oncall@example.com", is_confirmed=True),)
    chat: tuple[TopicSubscription, ...] = ()
    key_state: str = "Enabled"
    alarm_state: str = "OK"
    dead_letters: int = 0
    has_dead_letter_configs: bool = True
    refused_calls: set[str] = field(default_factory=set)
    unreserved: int = 990
    environment_bytes: int = 1200
    execution_error: str = ""
    resumed_version: str = "7"
    is_answering_callbacks: bool = True
    errors: dict[str, BaseException] = field(default_factory=dict)
    published: list[str] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)
    missing: set[Function] = field(default_factory=set)

    @property
    def clients(self) -> StackClients:
        """The ports over this state."""
        return StackClients(functions=self, events=self, notifications=self, operation=self, policies=self)

    def _raise(self, method: str) -> None:
        if method in self.errors:
            raise self.errors[method]

    # --- functions ---------------------------------------------------------------------------------------------------------------

    def of_roles(self, role_arns: Sequence[str]) -> Mapping[str, DeployedFunction]:
        self._raise("of_roles")
        return {
            role: DeployedFunction(
                name=function,
                arn=f"arn:aws:lambda:eu-west-1:111122223333:function:{function}",
                role_arn=role,
                modified_at=self.modified_at,
                environment_bytes=self.environment_bytes,
                dead_letters=QUEUE.format(function.title()) if self.has_dead_letter_configs else "",
            )
            for function in Function
            if (role := self.environment.role_of(function)) in role_arns and function not in self.missing
        }

    def invoke(self, function_arn: str, payload: Mapping[str, Any]) -> Any:
        self._raise("invoke")
        return json.loads(json.dumps(self._report(Function.CHECKER, payload)))

    def start(self, function_arn: str, name: str, payload: Mapping[str, Any]) -> str:
        self._raise("start")
        self._payload = payload
        return f"{function_arn}/durable-execution/{name}/1"

    def callback_id(self, execution_arn: str) -> str:
        self._raise("callback_id")
        return "callback-1"

    def execution(self, execution_arn: str) -> Execution:
        self._raise("execution")
        if self.execution_error:
            return Execution(is_ended=True, error=self.execution_error)
        report = {**self._report(Function.REMEDIATOR, self._payload), "is_resumed": True, "is_answered": self.is_answering_callbacks}
        return Execution(is_ended=True, result=json.dumps(report))

    def concurrency(self) -> Concurrency:
        self._raise("concurrency")
        return Concurrency(quota=1000, unreserved=self.unreserved)

    def _report(self, function: Function, payload: Mapping[str, Any]) -> dict[str, Any]:
        own = [CheckId.BYTE_CODE, CheckId.PARAMETERS_READABLE, CheckId.TABLE_READABLE]
        of_cluster = [*CLUSTER_LADDER, CheckId.BOUND_ROLES_READABLE]
        asked = [(check, "") for check in own]
        asked += [(check, cluster) for cluster in parse_self_test(payload).clusters for check in of_cluster]
        report = SelfTestReport(
            schema_version=SELF_TEST_SCHEMA_VERSION,
            version=self.version,
            region="eu-west-1",
            runtime=RuntimeFacts(function=function, function_version=self.resumed_version, memory_mib=256, is_compiled=True),
            settings_floor="",
            answers=tuple(
                CheckAnswer(
                    check=check,
                    answer=self.answers.get((function, check), Answer.SHOWN),
                    detail=f"detail of {check}",
                    cluster=cluster,
                    took_ms=12,
                )
                for check, cluster in asked
            ),
        )
        encoded: dict[str, Any] = encode(report)
        return encoded

    # --- events ------------------------------------------------------------------------------------------------------------------

    def rules(self, function_arn: str) -> tuple[DeployedRule, ...]:
        self._raise("rules")
        roles = self.environment.our_role_arns.split(",")
        queue = QUEUE.format("Undelivered")
        found = [
            DeployedRule(name=f"Stack-{name}", state=state, pattern=item.pattern(roles), dead_letters=queue)
            for name, item in SUBSCRIPTIONS.items()
            if (state := self.rule_changes.get(name, item.state))
        ]
        if state := self.rule_changes.get("Sweep", "ENABLED"):
            found.append(DeployedRule(name="Stack-Sweep", state=state, schedule=f"rate({SWEEP_RATE_MINUTES} minutes)", dead_letters=queue))
        return tuple(found)

    def matches(self, pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
        self._raise("matches")
        return event["source"] not in self.unmatched

    def send_delivery_test(self, nonce: str) -> None:
        self._raise("send_delivery_test")
        if self.is_delivering:
            self.nonces.add(nonce)

    def delivered_at(self, nonce: str) -> datetime | None:
        self._raise("delivered_at")
        return NOON if nonce in self.nonces else None

    # --- topics, alarms, queues and policies -------------------------------------------------------------------------------------

    def subscriptions(self, topic_arn: str) -> tuple[TopicSubscription, ...]:
        self._raise("subscriptions")
        return self.people if topic_arn == self.environment.people_topic_arn else self.chat

    def key(self, topic_arn: str) -> TopicKey | None:
        self._raise("key")
        return TopicKey(id="key-1", state=self.key_state)

    def publish(self, topic_arn: str, subject: str, text: str) -> None:
        self._raise("publish")
        self.published.append(text)

    def alarms(self, topic_arn: str) -> tuple[DeployedAlarm, ...]:
        self._raise("alarms")
        if not self.alarm_state:
            return ()
        queues = [QUEUE.format(name).rpartition(":")[2] for name in (*(function.title() for function in Function), "Undelivered")]
        of_queues = (DeployedAlarm(name=queue, state="OK", queue=queue) for queue in queues)
        return (DeployedAlarm(name="CheckerThrottles", state=self.alarm_state), *of_queues)

    def sweeps(self, since: datetime, until: datetime) -> int:
        self._raise("sweeps")
        return self.sweep_count

    def messages(self, queue_arn: str) -> int:
        self._raise("messages")
        return self.dead_letters

    def refused(self, role_arn: str, action: str, resources: Sequence[str], context: Mapping[str, str]) -> tuple[str, ...]:
        self._raise("refused")
        return tuple(resources) if action in self.refused_calls else ()
