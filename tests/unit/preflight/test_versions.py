"""What the EKS adapter reads of DescribeAddonVersions."""

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from lambdas.adapters.eks import Eks
from lambdas.domain.errors import AccessDenied
from lambdas.domain.observation import OfferedVersion


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
    return {"addonVersion": name, "compatibilities": [{"clusterVersion": it, "defaultVersion": default} for it, default in here]}


def test_every_page_is_read_and_other_kubernetes_versions_are_left_out(stubbed: Any) -> None:
    client, stub = stubbed
    asked = {"addonName": "vpc-cni", "kubernetesVersion": "1.29"}
    first = {"addons": [{"addonName": "vpc-cni", "addonVersions": [version("v3", ("1.30", True), ("1.29", False))]}], "nextToken": "more"}
    second = {"addons": [{"addonName": "vpc-cni", "addonVersions": [version("v2", ("1.29", True)), version("v1", ("1.28", True))]}]}
    stub.add_response("describe_addon_versions", first, asked)
    stub.add_response("describe_addon_versions", second, {**asked, "nextToken": "more"})
    found = Eks(Session(client)).offered_versions("vpc-cni", "1.29")  # type: ignore[arg-type]
    assert found == (OfferedVersion(version="v3"), OfferedVersion(version="v2", default=True))


def test_the_default_is_found_without_reading_on(stubbed: Any) -> None:
    client, stub = stubbed
    page = {"addons": [{"addonName": "vpc-cni", "addonVersions": [version("v2", ("1.29", True))]}], "nextToken": "more"}
    stub.add_response("describe_addon_versions", page)
    assert Eks(Session(client)).default_version("vpc-cni", "1.29").default == "v2"  # type: ignore[arg-type]


def test_a_closed_door_is_told(stubbed: Any) -> None:
    client, stub = stubbed
    stub.add_client_error("describe_addon_versions", "AccessDeniedException", http_status_code=403)
    with pytest.raises(AccessDenied, match="list the versions of add-on vpc-cni"):
        Eks(Session(client)).offered_versions("vpc-cni", "1.29")  # type: ignore[arg-type]
