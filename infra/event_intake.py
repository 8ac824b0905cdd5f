"""EventBridge rules with the checker as target, and the queue for undelivered events."""

from collections.abc import Sequence

from aws_cdk import CfnResource, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import arns
from infra.dead_letter_queue import dead_letter_queue
from lambdas.contract.events import (
    DIGEST_INPUT,
    MAX_EVENT_AGE_HOURS,
    RETRY_ATTEMPTS,
    SUBSCRIPTIONS,
    SWEEP_INPUT,
    SWEEP_RATE_MINUTES,
    Pattern,
)
from lambdas.contract.names import EVENT_SOURCE


class EventIntake(Construct):
    """One rule for each subscription of the contract, and the two schedules. `digest_at` is a UTC time such as `07:00`."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        checker: lambda_.IFunction,
        our_role_arns: Sequence[str],
        digest_at: str,
        event_publishers: Sequence[str] | None,
        customer_key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, name)
        self._checker = checker
        self.undelivered = dead_letter_queue(self, "Undelivered", customer_key)
        for rule, subscription in SUBSCRIPTIONS.items():
            made = events.Rule(
                self,
                rule,
                description=subscription.why,
                event_pattern=_event_pattern(subscription.pattern(our_role_arns)),
                targets=[self._target(None)],
            )
            resource = made.node.default_child
            if subscription.with_read_only_calls and isinstance(resource, events.CfnRule):
                resource.state = subscription.state
        events.Rule(
            self,
            "Sweep",
            description="detects drift without an event",
            schedule=events.Schedule.rate(Duration.minutes(SWEEP_RATE_MINUTES)),
            targets=[self._target(events.RuleTargetInput.from_object(dict(SWEEP_INPUT)))],
        )
        hour, minute = digest_at.split(":")
        events.Rule(
            self,
            "Digest",
            description="sends the daily digest for clusters whose setting enables it",
            schedule=events.Schedule.cron(hour=str(int(hour)), minute=str(int(minute))),
            targets=[self._target(events.RuleTargetInput.from_object({**DIGEST_INPUT, "time": events.EventField.time}))],
        )

        if event_publishers is not None:
            self._protect_event_source([*our_role_arns, *event_publishers])

    def _protect_event_source(self, publishers: Sequence[str]) -> None:
        """Deny other principals of the account the source of the remediator's events. Rules do not match the events of other accounts.

        Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
        """
        stack = Stack.of(self)
        name = f"{stack.stack_name}-own-source"
        # Not the generated class, which has deprecated properties: cdk-nag reads them, and each synthesis prints a warning.
        CfnResource(
            self,
            "OwnSource",
            type="AWS::Events::EventBusPolicy",
            properties={
                "StatementId": name,
                "Statement": {
                    "Sid": name,
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "events:PutEvents",
                    "Resource": f"arn:{stack.partition}:events:{stack.region}:{stack.account}:event-bus/{arns.EVENT_BUS}",
                    "Condition": {"StringEquals": {"events:source": EVENT_SOURCE}, "ArnNotEquals": {"aws:PrincipalArn": list(publishers)}},
                },
            },
        )

    def _target(self, constant_input: events.RuleTargetInput | None) -> targets.LambdaFunction:
        return targets.LambdaFunction(
            self._checker,
            event=constant_input,
            dead_letter_queue=self.undelivered,
            retry_attempts=RETRY_ATTEMPTS,
            max_event_age=Duration.hours(MAX_EVENT_AGE_HOURS),
        )


def _event_pattern(pattern: Pattern) -> events.EventPattern:
    """Return the pattern as CDK's type, whose keys use underscores."""
    return events.EventPattern(**{key.replace("-", "_"): value for key, value in pattern.items()})
