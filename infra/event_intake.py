"""EventBridge rules with the checker as target, and the queue for undelivered events."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

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
        customer_key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, name)
        self._checker = checker
        self.undelivered = dead_letter_queue(self, "Undelivered", customer_key)
        for rule, subscription in SUBSCRIPTIONS.items():
            events.Rule(
                self,
                rule,
                description=subscription.why,
                event_pattern=_event_pattern(subscription.pattern(our_role_arns)),
                targets=[self._target(None)],
            )
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
