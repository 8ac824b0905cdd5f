"""Trails, log subscriptions and alarms, read from the local AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cli.clients.ports import AuditLog
from cli.clients.trigger_source_reader import AwsTriggerSources
from lambdas.contract.audit import FILTER_PATTERN, log_group
from sandbox.aws.eks_clusters import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.adapters.aws_session import AwsSession
    from sandbox.aws.local_aws import LocalAws

CLUSTER = "heard"
WATCHER = "arn:aws:lambda:eu-west-1:111122223333:function:node-watcher"


@pytest.fixture
def trigger_sources(session: AwsSession) -> AwsTriggerSources:
    return AwsTriggerSources(session)


@pytest.fixture
def trails(local_aws: LocalAws) -> Iterator[Any]:
    local_aws.client("s3").create_bucket(Bucket="trails", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client = local_aws.client("cloudtrail")
    client.create_trail(Name="management", S3BucketName="trails")
    client.put_event_selectors(TrailName="management", **events(ReadWriteType="All", IncludeManagementEvents=True))  # CloudTrail's default
    yield client
    client.delete_trail(Name="management")
    local_aws.client("s3").delete_bucket(Bucket="trails")


def events(**selector: Any) -> dict[str, Any]:
    return {"EventSelectors": [selector]}


def finely(**fields: list[str]) -> dict[str, Any]:
    return {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": name, "Equals": values} for name, values in fields.items()]}]}


def test_without_a_trail_there_is_none(trigger_sources: AwsTriggerSources) -> None:
    assert trigger_sources.trail() is None


def test_a_trail_counts_while_it_logs(trigger_sources: AwsTriggerSources, trails: Any) -> None:
    assert trigger_sources.trail() is None
    trails.start_logging(Name="management")
    assert trigger_sources.trail() == "management"


@pytest.mark.parametrize(
    ("selected", "counts"),
    [
        (events(ReadWriteType="All", IncludeManagementEvents=True), True),
        (events(ReadWriteType="WriteOnly", IncludeManagementEvents=True), True),
        (events(ReadWriteType="ReadOnly", IncludeManagementEvents=True), False),
        (events(ReadWriteType="All", IncludeManagementEvents=False), False),
        (finely(eventCategory=["Management"]), True),
        (finely(eventCategory=["Management"], readOnly=["false"]), True),
        (finely(eventCategory=["Management"], readOnly=["true"]), False),
        (finely(eventCategory=["Data"]), False),
    ],
)
def test_a_trail_counts_where_it_logs_writing_management_events(
    trigger_sources: AwsTriggerSources, trails: Any, selected: dict[str, Any], counts: bool
) -> None:
    trails.start_logging(Name="management")
    trails.put_event_selectors(TrailName="management", **selected)
    assert (trigger_sources.trail() == "management") is counts


@pytest.fixture
def record(local_aws: LocalAws) -> Iterator[dict[str, Any]]:
    local_aws.eks.add_cluster(ClusterSpec(name=CLUSTER, endpoint="https://127.0.0.1:1", ca_data="Q0E="))
    yield local_aws.eks.state.clusters[CLUSTER].record
    del local_aws.eks.state.clusters[CLUSTER]


def test_an_audit_log_is_written_where_eks_says_so(trigger_sources: AwsTriggerSources, record: dict[str, Any]) -> None:
    for logging, written in (
        ([{"types": ["api", "audit"], "enabled": True}], True),
        ([{"types": ["api"], "enabled": True}, {"types": ["audit"], "enabled": False}], False),
        ([], False),
    ):
        record["logging"] = {"clusterLogging": logging}
        assert trigger_sources.audit_log(CLUSTER) == AuditLog(is_written=written)


def test_the_watchers_subscription_is_known_by_its_pattern(
    trigger_sources: AwsTriggerSources, local_aws: LocalAws, session: AwsSession, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def two(**_: Any) -> dict[str, Any]:
        filters = [{"filterPattern": item, "destinationArn": WATCHER} for item in ("", FILTER_PATTERN)]
        return {"subscriptionFilters": filters}

    local_aws.client("logs").create_log_group(logGroupName=log_group(CLUSTER))
    assert trigger_sources.audit_log(CLUSTER).other_subscriptions == 0
    # The local AWS subscribes no function that it does not hold.
    monkeypatch.setattr(session.client("logs"), "describe_subscription_filters", two)
    assert trigger_sources.audit_log(CLUSTER) == AuditLog(is_written=True, is_watched=True, other_subscriptions=1)


def test_an_alarm_is_found_by_its_name_with_its_state(trigger_sources: AwsTriggerSources, local_aws: LocalAws) -> None:
    local_aws.client("cloudwatch").put_metric_alarm(
        AlarmName="eks-irsa-remediator-nodes-heard",
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        EvaluationPeriods=1,
        MetricName="m",
        Namespace="n",
        Period=60,
        Statistic="Maximum",
        Threshold=1,
    )
    assert trigger_sources.alarm_state("eks-irsa-remediator-nodes-heard") == "OK"
    local_aws.client("cloudwatch").set_alarm_state(
        AlarmName="eks-irsa-remediator-nodes-heard", StateValue="INSUFFICIENT_DATA", StateReason="no data"
    )
    assert trigger_sources.alarm_state("eks-irsa-remediator-nodes-heard") == "INSUFFICIENT_DATA"
    assert trigger_sources.alarm_state("eks-irsa-remediator-nodes-hear") is None
