"""CloudTrail events of the EKS double, compared with an event recorded in a real account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws import cloudtrail
from tests.integration.aws.conftest import ROLE

if TYPE_CHECKING:
    from sandbox.aws.local_aws import LocalAws

# Members of a captured UpdateAddon event: https://github.com/radkawar/stackd, testdata/aws/eks/addon_healthy_worker_events_native.json
_ENVELOPE = {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}
_DETAIL = {
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "requestParameters",
    "responseElements",
    "requestID",
    "eventID",
    "readOnly",
    "eventType",
    "managementEvent",
    "recipientAccountId",
    "eventCategory",
    "tlsDetails",
}
_IAM_USER = {"type", "principalId", "arn", "accountId", "accessKeyId", "userName"}


@pytest.fixture
def events(aws: LocalAws) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    aws.eks.hook(on_event=seen.append)
    return seen


def test_an_accepted_call_by_a_user_has_the_captured_shape(aws: LocalAws, events: list[dict[str, Any]]) -> None:
    aws.roles.create_user("ci-deploy")
    token = {"clientRequestToken": "t", "resolveConflicts": "OVERWRITE", "configurationValues": '{"b": 2}'}
    aws.client("eks", "ci-deploy").update_addon(clusterName="demo", addonName="vpc-cni", **token)
    (event,) = events
    detail = event["detail"]
    assert event.keys() == _ENVELOPE
    assert detail.keys() == _DETAIL
    assert detail["userIdentity"].keys() == _IAM_USER
    assert detail["requestParameters"] == {"name": "demo", "addonName": "vpc-cni", **token}
    update = detail["responseElements"]["update"]
    assert update.keys() == {"id", "status", "type", "params", "createdAt", "errors"}
    assert (update["status"], update["errors"], isinstance(update["createdAt"], float)) == ("InProgress", [], True)
    assert (event["resources"], event["account"], event["time"]) == ([], "111122223333", detail["eventTime"])


def test_a_roles_call_names_its_issuer(eks: Any, events: list[dict[str, Any]]) -> None:
    eks.delete_addon(clusterName="demo", addonName="vpc-cni")
    identity = events[0]["detail"]["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["sessionContext"]["sessionIssuer"]["arn"] == "arn:aws:iam::111122223333:role/remediator"
    assert events[0]["detail"]["responseElements"]["addon"]["clusterName"] == "demo"


def test_a_refused_call_has_an_error_code_and_no_response(eks: Any, events: list[dict[str, Any]]) -> None:
    with pytest.raises(ClientError):
        eks.update_addon(clusterName="demo", addonName="coredns")
    assert events[0]["detail"]["errorCode"] == "ResourceNotFoundException"
    assert events[0]["detail"]["responseElements"] is None


def test_reads_leave_no_event(eks: Any, events: list[dict[str, Any]]) -> None:
    eks.describe_cluster(name="demo")
    assert events == []


def test_an_arn_in_the_path_stays_encoded_in_the_request_and_plain_in_the_response(eks: Any, events: list[dict[str, Any]]) -> None:
    eks.create_access_entry(clusterName="demo", principalArn=ROLE)
    eks.update_access_entry(clusterName="demo", principalArn=ROLE, kubernetesGroups=["g"])
    detail = events[1]["detail"]
    assert detail["requestParameters"]["principalArn"] == ROLE.replace(":", "%3A").replace("/", "%2F")
    assert detail["responseElements"]["accessEntry"]["principalArn"] == ROLE


def test_a_call_by_the_service_itself_names_the_service() -> None:
    caller = cloudtrail.Caller(kind="AWSService", account="111122223333", name="eks.amazonaws.com")
    event = cloudtrail.event(
        cloudtrail.RecordedCall(service="eks", event_name="UpdateAddon", caller=caller, region="eu-west-1", request={})
    )
    assert event["detail"]["userIdentity"] == {"type": "AWSService", "invokedBy": "eks.amazonaws.com"}
    assert event["detail"]["sourceIPAddress"] == event["detail"]["userAgent"] == "eks.amazonaws.com"
