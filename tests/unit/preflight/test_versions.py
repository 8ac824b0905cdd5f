"""The facts that the EKS adapter reads from DescribeAddonVersions."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from lambdas.adapters.eks import Eks
from lambdas.domain.errors import AccessDenied, NotFound
from lambdas.domain.snapshot.snapshot import OfferedVersion, SupportDates, VersionAdvice


class Session:
    """A session whose one client is stubbed."""

    region = "eu-west-1"

    def __init__(self, client: Any) -> None:
        self._client = client

    def client(self, service: str) -> Any:
        assert service == "eks"
        return self._client


@pytest.fixture
def stubbed() -> Any:
    client = boto3.client("eks", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


def version(name: str, *here: tuple[str, bool]) -> dict[str, Any]:
    return {"addonVersion": name, "compatibilities": [{"clusterVersion": item, "defaultVersion": default} for item, default in here]}


def test_every_page_is_read_for_one_kubernetes_version(stubbed: Any) -> None:
    client, stub = stubbed
    asked = {"addonName": "vpc-cni", "kubernetesVersion": "1.29"}
    first = {"addons": [{"addonName": "vpc-cni", "addonVersions": [version("v3", ("1.30", True), ("1.29", False))]}], "nextToken": "more"}
    second = {"addons": [{"addonName": "vpc-cni", "addonVersions": [version("v2", ("1.29", True)), version("v1", ("1.28", True))]}]}
    stub.add_response("describe_addon_versions", first, asked)
    stub.add_response("describe_addon_versions", second, {**asked, "nextToken": "more"})
    found = Eks(Session(client)).offered_versions("vpc-cni", "1.29")  # type: ignore[arg-type]
    assert found == (OfferedVersion(version="v3"), OfferedVersion(version="v2", default=True))


def test_default_and_newest_version_are_read_once_in_any_order(stubbed: Any) -> None:
    client, stub = stubbed
    offered = [
        version("v1.9.3-eksbuild.2", ("1.29", True)),
        version("v1.20.1-eksbuild.1", ("1.29", False)),
        version("v1.21.0", ("1.30", True)),
    ]
    stub.add_response("describe_addon_versions", {"addons": [{"addonName": "vpc-cni", "addonVersions": offered}]})
    eks = Eks(Session(client))  # type: ignore[arg-type]
    assert eks.version_advice("vpc-cni", "1.29") == VersionAdvice(default="v1.9.3-eksbuild.2", latest="v1.20.1-eksbuild.1")
    assert eks.version_advice("vpc-cni", "1.29").default == "v1.9.3-eksbuild.2"


def test_support_dates_are_utc_and_read_once(stubbed: Any) -> None:
    client, stub = stubbed
    ends = datetime(2026, 7, 23, 2, tzinfo=timezone(timedelta(hours=2)))
    here = {"clusterVersion": "1.29", "endOfStandardSupportDate": ends, "versionStatus": "STANDARD_SUPPORT"}
    stub.add_response("describe_cluster_versions", {"clusterVersions": [here]}, {"clusterVersions": ["1.29"]})
    eks = Eks(Session(client))  # type: ignore[arg-type]
    assert eks.support("1.29") == eks.support("1.29") == SupportDates(standard_until=datetime(2026, 7, 23, tzinfo=UTC), extended_until=None)


def test_a_version_that_eks_does_not_list_has_no_dates(stubbed: Any) -> None:
    client, stub = stubbed
    stub.add_response("describe_cluster_versions", {"clusterVersions": []})
    with pytest.raises(NotFound, match=r"Kubernetes 1\.2: EKS does not list it"):
        Eks(Session(client)).support("1.2")  # type: ignore[arg-type]


def test_a_denial_is_reported(stubbed: Any) -> None:
    client, stub = stubbed
    stub.add_client_error("describe_addon_versions", "AccessDeniedException", http_status_code=403)
    with pytest.raises(AccessDenied, match="list the versions of add-on vpc-cni"):
        Eks(Session(client)).offered_versions("vpc-cni", "1.29")  # type: ignore[arg-type]
