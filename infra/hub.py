"""The central view of many accounts: a bus that takes the published events of all stacks, a log that keeps them, a dashboard, a topic."""

from typing import Any, Final

from aws_cdk import CfnOutput, CfnResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.configuration import Hub
from infra.dead_letter_queue import dead_letter_queue
from infra.regions import partition
from lambdas.contract.events import MAX_EVENT_AGE_HOURS, OUTGOING, RETRY_ATTEMPTS
from lambdas.contract.names import EVENT_SOURCE, PROJECT
from lambdas.contract.version import VERSION

BUS: Final = f"{PROJECT}-hub"
STACK: Final = "EksIrsaRemediatorHub"
_LOG_GROUP: Final = f"/aws/events/{BUS}"
_WIDTH: Final = 24
_LIST_HEIGHT: Final = 9
_VALUE_HEIGHT: Final = 4

_LATEST: Final = (
    "fields `detail-type` as state, account, region, detail.cluster as cluster, detail.incident as incident, detail.verdict as verdict, "
    "detail.summary as summary",
    "stats latest(state) as current, latest(verdict) as fault, latest(summary) as text, min(@timestamp) as since "
    "by account, region, cluster, incident",
)
"""The latest event of each incident."""
_OPEN: Final = (
    *_LATEST,
    "filter current in ['Remediation Started', 'Remediation Needs Action', 'Remediation Blocked']",
    "sort since desc",
    "limit 100",
)
_ALL: Final = (*_LATEST, "sort since desc", "limit 200")
_BY_CLUSTER: Final = "by account, region, detail.cluster as cluster"
QUERIES: Final = {
    "incidents that are not verified": _OPEN,
    "all incidents": _ALL,
    "incidents by account and fault": (
        "stats count_distinct(detail.incident) as incidents by account, detail.verdict as fault",
        "sort incidents desc",
    ),
    "clusters with several incidents": (
        f"stats count_distinct(detail.incident) as incidents, latest(detail.verdict) as fault {_BY_CLUSTER}",
        "filter incidents > 1",
        "sort incidents desc",
    ),
    "first and last event of each incident": (
        "fields `detail-type` as state",
        f"stats min(@timestamp) as first, max(@timestamp) as last, latest(state) as current {_BY_CLUSTER}, detail.incident as incident",
        "sort first desc",
    ),
    "events of one cluster": (
        "fields @timestamp, account, region, `detail-type`, detail.verdict, detail.summary, detail.incident",
        "filter detail.cluster = 'CLUSTER'",
        "sort @timestamp",
    ),
}
"""Saved queries of the log, by name. The dashboard shows the first two.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""


def bus_arn(hub: Hub) -> str:
    """Return the ARN of the bus, which every stack sends its published events to."""
    return f"arn:{partition(hub.region)}:events:{hub.region}:{hub.account}:event-bus/{BUS}"


def published_pattern() -> events.EventPattern:
    """Return the pattern of the events about incidents."""
    return events.EventPattern(source=[EVENT_SOURCE], detail_type=[str(kind) for kind in OUTGOING])


def send_to_hub(scope: Construct, hub: Hub, **target: Any) -> None:
    """Send the published events of a stack to the bus of the hub.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
    """
    bus = events.EventBus.from_event_bus_arn(scope, "HubBus", bus_arn(hub))
    events.Rule(
        scope,
        "ToHub",
        description="sends the events about incidents to the central view",
        event_pattern=published_pattern(),
        targets=[targets.EventBus(bus, **target)],
    )


class HubStack(Stack):
    """The resources of the central view. Only the accounts of the configuration, or of its organization, may send events."""

    def __init__(self, scope: Construct, *, hub: Hub, accounts: tuple[str, ...], **stack: Any) -> None:
        super().__init__(scope, STACK, description=f"{PROJECT} {VERSION}: the central view of all accounts", **stack)
        self._bus = events.EventBus(self, "Bus", event_bus_name=BUS)
        self._admit(hub, accounts)
        undelivered = dead_letter_queue(self, "Undelivered", None)
        topic = sns.Topic(self, "Incidents", enforce_ssl=True)
        for address in hub.mail:
            topic.add_subscription(subscriptions.EmailSubscription(address))
        rule = events.Rule(
            self, "Published", event_bus=self._bus, event_pattern=published_pattern(), description="keeps and reports incidents"
        )
        rule.add_target(
            targets.SnsTopic(
                topic,
                message=_message(),
                dead_letter_queue=undelivered,
                retry_attempts=RETRY_ATTEMPTS,
                max_event_age=Duration.hours(MAX_EVENT_AGE_HOURS),
            )
        )
        log, policy = self._log()
        # Not the L2 target: it sets the log group's policy by a custom resource with a function of its own.
        resource = rule.node.default_child
        if isinstance(resource, events.CfnRule):
            resource.add_property_override("Targets.1", {"Id": "Log", "Arn": self._log_arn()})
            resource.node.add_dependency(log, policy)
        self._queries(log)
        self._dashboard(log)
        CfnOutput(self, "BusArn", value=self._bus.event_bus_arn, description="The bus that takes the events of all stacks")
        CfnOutput(self, "TopicArn", value=topic.topic_arn, description="One topic for the incidents of all accounts")

    def _admit(self, hub: Hub, accounts: tuple[str, ...]) -> None:
        """Allow the organization or the accounts to send events about incidents, and nothing else.

        Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-permissions-manage.html
        """
        condition: dict[str, dict[str, Any]] = {"StringEquals": {"events:source": EVENT_SOURCE}}
        if hub.organization:
            condition["StringEquals"]["aws:PrincipalOrgID"] = hub.organization
        CfnResource(
            self,
            "Senders",
            type="AWS::Events::EventBusPolicy",
            properties={
                "StatementId": "senders",
                "EventBusName": self._bus.event_bus_name,
                "Statement": {
                    "Sid": "senders",
                    "Effect": "Allow",
                    "Principal": "*"
                    if hub.organization
                    else {"AWS": [f"arn:{self.partition}:iam::{account}:root" for account in accounts]},
                    "Action": "events:PutEvents",
                    "Resource": self._bus.event_bus_arn,
                    "Condition": condition,
                },
            },
        )

    def _log(self) -> tuple[logs.LogGroup, logs.CfnResourcePolicy]:
        """Create the log group of all events. EventBridge delivers to names below /aws/events only.

        Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
        """
        log = logs.LogGroup(
            self,
            "Log",
            log_group_name=_LOG_GROUP,
            retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=RemovalPolicy.RETAIN,
        )
        statement = iam.PolicyStatement(
            sid="EventBridge",
            principals=[iam.ServicePrincipal("events.amazonaws.com"), iam.ServicePrincipal("delivery.logs.amazonaws.com")],
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[f"{self._log_arn()}:*"],
        )
        policy = logs.CfnResourcePolicy(
            self,
            "LogPolicy",
            policy_name=BUS,
            policy_document=self.to_json_string({"Version": "2012-10-17", "Statement": [statement.to_statement_json()]}),
        )
        return log, policy

    def _log_arn(self) -> str:
        return f"arn:{self.partition}:logs:{self.region}:{self.account}:log-group:{_LOG_GROUP}"

    def _queries(self, log: logs.LogGroup) -> None:
        """Save the queries in a folder of Logs Insights.

        Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-querydefinition.html
        """
        for number, (name, lines) in enumerate(QUERIES.items(), 1):
            logs.CfnQueryDefinition(
                self, f"Query{number}", name=f"{PROJECT}/{name}", query_string="\n| ".join(lines), log_group_names=[log.log_group_name]
            )

    def _dashboard(self, log: logs.LogGroup) -> None:
        cloudwatch.Dashboard(
            self,
            "Overview",
            default_interval=Duration.days(7),
            widgets=[
                [self._count(log, kind) for kind in OUTGOING],
                [_list(log, "Incidents that are not verified, by their latest event", _OPEN)],
                [_list(log, "All incidents, by their latest event", _ALL)],
            ],
        )

    def _count(self, log: logs.LogGroup, kind: str) -> cloudwatch.LogQueryWidget:
        query = [f"filter `detail-type` = '{kind}'", "stats count_distinct(detail.incident) as incidents"]
        return _query(log, kind, query, width=_WIDTH // len(OUTGOING), height=_VALUE_HEIGHT)


def _list(log: logs.LogGroup, title: str, lines: tuple[str, ...]) -> cloudwatch.LogQueryWidget:
    return _query(log, title, list(lines), width=_WIDTH, height=_LIST_HEIGHT)


def _query(log: logs.LogGroup, title: str, lines: list[str], *, width: int, height: int) -> cloudwatch.LogQueryWidget:
    return cloudwatch.LogQueryWidget(title=title, log_group_names=[log.log_group_name], query_lines=lines, width=width, height=height)


def _message() -> events.RuleTargetInput:
    """The text of a mail: place first, then the state, the fault and the runbook."""
    field = events.EventField.from_path
    place = f"{events.EventField.account} {events.EventField.region} {field('$.detail.cluster')}"
    return events.RuleTargetInput.from_text(
        f"{place}: {events.EventField.detail_type}, {field('$.detail.verdict')}. {field('$.detail.summary')} "
        f"Incident {field('$.detail.incident')}. {field('$.detail.runbook')}"
    )
