"""ServiceAccounts with credentials and add-ons of a cluster, read with the caller's own rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters import kubernetes_objects
from lambdas.adapters.aws_errors import translated
from lambdas.adapters.event_history import records_in
from lambdas.adapters.kubernetes_api import PAGE
from lambdas.contract.names import ROLE_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from cli.clients.cluster_login import UserClusters
    from lambdas.adapters.aws_session import AwsSession
    from lambdas.domain.snapshot.snapshot import ClusterFacts

MAX_RECORDS: Final = 500
"""Records of CloudTrail that are read about a role: ten pages, which take five seconds at the limit of the account."""


class AwsIdentityInventory:
    """Implements `IdentityInventory`."""

    def __init__(self, session: AwsSession, clusters: UserClusters) -> None:
        self._session = session
        self._clusters = clusters

    def associated(self, cluster: str) -> frozenset[tuple[str, str]]:
        """Return `(namespace, name)` of each ServiceAccount with a pod identity association."""
        with translated(f"list pod identity associations of cluster {cluster}"):
            pages = self._session.client("eks").get_paginator("list_pod_identity_associations").paginate(clusterName=cluster)
            return frozenset((found["namespace"], found["serviceAccount"]) for page in pages for found in page["associations"])

    def annotated(self, facts: ClusterFacts) -> Mapping[tuple[str, str], str]:
        """Return the role annotation of each ServiceAccount that has one, by `(namespace, name)`."""
        api = self._clusters.api(facts)
        return dict(api.list_facts("list ServiceAccounts", "/api/v1/serviceaccounts", _annotated, page=PAGE))

    def addons(self, cluster: str) -> Sequence[str]:
        """Return the names of the installed add-ons."""
        with translated(f"list the add-ons of cluster {cluster}"):
            pages = self._session.client("eks").get_paginator("list_addons").paginate(clusterName=cluster)
            return [name for page in pages for name in page["addons"]]

    def associable(self, addon: str, version: str) -> frozenset[str]:
        """Return the names of the ServiceAccounts for which this version of the add-on takes associations.

        Source: https://docs.aws.amazon.com/eks/latest/userguide/retreive-iam-info.html
        """
        with translated(f"read the Pod Identity configuration of add-on {addon} {version}"):
            answer = self._session.client("eks").describe_addon_configuration(addonName=addon, addonVersion=version)
        return frozenset(found["serviceAccount"] for found in answer.get("podIdentityConfiguration", ()) if "serviceAccount" in found)

    def role_sessions(self, role_arn: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        """Return CloudTrail's newest records about a role since this time: at most `MAX_RECORDS`, two pages a second.

        Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
        """
        named = [{"AttributeKey": "ResourceName", "AttributeValue": role_arn}]
        with translated(f"look up the sessions of {role_arn} in CloudTrail's event history"):
            pages = self._session.client("cloudtrail").get_paginator("lookup_events")
            found = pages.paginate(LookupAttributes=named, StartTime=since, PaginationConfig={"MaxItems": MAX_RECORDS})
            return [record for page in found for record in records_in(page)]


def _annotated(page: Any) -> Iterator[tuple[tuple[str, str], str]]:
    for item in kubernetes_objects.items(page):
        role = kubernetes_objects.service_account(item).role_annotations.get(ROLE_ANNOTATION)
        if role is not None:
            yield kubernetes_objects.namespaced_name(item), role
