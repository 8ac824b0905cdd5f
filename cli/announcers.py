"""Trails, log subscriptions and alarms, read with the caller's own rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.places import AuditLog
from lambdas.adapters.aws_errors import translated
from lambdas.contract.audit import FILTER_PATTERN, log_group
from lambdas.domain.errors import AccessDenied, NotFound, PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambdas.adapters.aws_session import AwsSession


class AwsAnnouncers:
    """Implements `Announcers`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def trail(self) -> str | None:
        """Name of a trail that logs this region's writing management events, or None.

        Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
        """
        with translated("list the trails"):
            found = self._session.client("cloudtrail").describe_trails()["trailList"]
        return next((str(item["Name"]) for item in found if self._logs_writes(item["TrailARN"])), None)

    def audit_log(self, cluster: str) -> AuditLog:
        """The node watcher's subscription is told by its pattern: its function has no fixed name."""
        with translated(f"describe cluster {cluster}"):
            described = self._session.client("eks").describe_cluster(name=cluster)["cluster"]
        kinds = described.get("logging", {}).get("clusterLogging", ())
        patterns = [subscription["filterPattern"] for subscription in self._subscriptions(cluster)]
        return AuditLog(
            written=any(kind.get("enabled") and "audit" in kind.get("types", ()) for kind in kinds),
            watched=FILTER_PATTERN in patterns,
            others=sum(pattern != FILTER_PATTERN for pattern in patterns),
        )

    def has_alarm(self, name: str) -> bool:
        """Whether there is a metric or a composite alarm of this name."""
        with translated(f"describe alarm {name}"):
            found = self._session.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return bool(found.get("MetricAlarms") or found.get("CompositeAlarms"))

    def _logs_writes(self, trail: str) -> bool:
        client = self._session.client("cloudtrail")
        with translated(f"read the status of trail {trail}"):
            if not client.get_trail_status(Name=trail)["IsLogging"]:
                return False
        try:
            with translated(f"read the selectors of trail {trail}"):
                selected = client.get_event_selectors(TrailName=trail)
        except (AccessDenied, PermanentError):  # an organisation's trail shows them to its own account; management events are its default
            return True
        return any(map(_selects_writes, selected.get("EventSelectors", ()))) or any(
            map(_selects_writes_finely, selected.get("AdvancedEventSelectors", ()))
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


def _selects_writes_finely(selector: Mapping[str, Any]) -> bool:
    """Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html"""
    fields = {fieldselector["Field"]: fieldselector for fieldselector in selector["FieldSelectors"]}
    reads_alone = "true" in fields.get("readOnly", {}).get("Equals", ())
    return "Management" in fields.get("eventCategory", {}).get("Equals", ()) and not reads_alone
