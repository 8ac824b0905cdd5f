"""Lists the resources of the emulated account, to show that `cdk destroy` leaves none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PENDING_DELETION: Final = "PendingDeletion"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A list operation, the key of its result and the field that names an item; empty if the items are names."""

    service: str
    operation: str
    key: str
    name: str = ""


LISTINGS: Final = (
    Listing(service="cloudformation", operation="describe_stacks", key="Stacks", name="StackName"),
    Listing(service="lambda", operation="list_functions", key="Functions", name="FunctionName"),
    Listing(service="events", operation="list_rules", key="Rules", name="Name"),
    Listing(service="logs", operation="describe_log_groups", key="logGroups", name="logGroupName"),
    Listing(service="dynamodb", operation="list_tables", key="TableNames"),
    Listing(service="sqs", operation="list_queues", key="QueueUrls"),
    Listing(service="sns", operation="list_topics", key="Topics", name="TopicArn"),
    Listing(service="sns", operation="list_subscriptions", key="Subscriptions", name="SubscriptionArn"),
    Listing(service="cloudwatch", operation="describe_alarms", key="MetricAlarms", name="AlarmName"),
    Listing(service="cloudwatch", operation="list_dashboards", key="DashboardEntries", name="DashboardName"),
    Listing(service="iam", operation="list_roles", key="Roles", name="RoleName"),
    Listing(service="iam", operation="list_policies", key="Policies", name="PolicyName"),
    Listing(service="kms", operation="list_keys", key="Keys", name="KeyId"),
)
"""Every service of which the templates have a resource."""


def resources(client: Callable[[str], Any]) -> frozenset[str]:
    """Return `service: name` of every resource. A key whose deletion is scheduled is not listed, as KMS deletes it later."""
    return frozenset(f"{listing.service}: {name}" for listing in LISTINGS for name in _names(client(listing.service), listing))


def _names(client: Any, listing: Listing) -> Iterator[str]:
    parameters: Mapping[str, str] = {"Scope": "Local"} if listing.operation == "list_policies" else {}
    pages = client.get_paginator(listing.operation).paginate(**parameters)
    for item in (item for page in pages for item in page.get(listing.key, ())):
        name = str(item[listing.name] if listing.name else item)
        if listing.service != "kms" or client.describe_key(KeyId=name)["KeyMetadata"]["KeyState"] != PENDING_DELETION:
            yield name
