"""Trails, audit log subscriptions and alarms, read with the caller's own rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.clients.ports import AuditLog
from lambdas.adapters.aws_errors import translated
from lambdas.contract.audit import FILTER_PATTERN, log_group
from lambdas.domain.errors import AccessDenied, NotFound, PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambdas.adapters.aws_session import AwsSession


class AwsTriggerSources:
    """Implements `TriggerSources`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def trail(self) -> str | None:
        """Return the name of a trail that logs this region's management writes, or None.

        Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
        """
        with translated("list the trails"):
            trails = self._session.client("cloudtrail").describe_trails()["trailList"]
        return next((str(trail["Name"]) for trail in trails if self._logs_writes(trail["TrailARN"])), None)

    def audit_log(self, cluster: str) -> AuditLog:
        """Return the state of the audit log. The node watcher has no fixed name, so its filter pattern identifies its subscription."""
        with translated(f"describe cluster {cluster}"):
            description = self._session.client("eks").describe_cluster(name=cluster)["cluster"]
        log_types = description.get("logging", {}).get("clusterLogging", ())
        patterns = [subscription["filterPattern"] for subscription in self._subscriptions(cluster)]
        return AuditLog(
            is_written=any(log_type.get("enabled") and "audit" in log_type.get("types", ()) for log_type in log_types),
            is_watched=FILTER_PATTERN in patterns,
            other_subscriptions=sum(pattern != FILTER_PATTERN for pattern in patterns),
        )

    def alarm_state(self, name: str) -> str | None:
        """Return the state of the metric alarm or composite alarm of this name, such as `OK`, or None if there is no such alarm."""
        with translated(f"describe alarm {name}"):
            answer = self._session.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return next((str(alarm["StateValue"]) for kind in ("MetricAlarms", "CompositeAlarms") for alarm in answer.get(kind, ())), None)

    def _logs_writes(self, trail: str) -> bool:
        client = self._session.client("cloudtrail")
        with translated(f"read the status of trail {trail}"):
            if not client.get_trail_status(Name=trail)["IsLogging"]:
                return False
        try:
            with translated(f"read the selectors of trail {trail}"):
                selectors = client.get_event_selectors(TrailName=trail)
        except (
            AccessDenied,
            PermanentError,
        ):  # an organization's trail, readable by its own account: logs writes by default
            return True
        return any(map(_selects_writes, selectors.get("EventSelectors", ()))) or any(
            map(_advanced_selects_writes, selectors.get("AdvancedEventSelectors", ()))
        )

    def _subscriptions(self, cluster: str) -> Iterator[Mapping[str, Any]]:
        group = log_group(cluster)
        try:
            with translated(f"list the subscriptions of log group {group}"):
                yield from self._session.client("logs").describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
        except NotFound:
            return


def _selects_writes(selector: Mapping[str, Any]) -> bool:
    return selector.get("IncludeManagementEvents", True) and selector.get("ReadWriteType", "All") in ("All", "WriteOnly")


def _advanced_selects_writes(selector: Mapping[str, Any]) -> bool:
    """Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html"""
    fields = {field_selector["Field"]: field_selector for field_selector in selector["FieldSelectors"]}
    is_read_only = "true" in fields.get("readOnly", {}).get("Equals", ())
    return "Management" in fields.get("eventCategory", {}).get("Equals", ()) and not is_read_only
