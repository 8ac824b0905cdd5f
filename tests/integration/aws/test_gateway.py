"""The endpoint of the local AWS: its log, redaction and faults."""

from __future__ import annotations

import base64
import json
import socket
import urllib.error
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.signers import RequestSigner

from sandbox.aws.faults import Fault, FaultKind

if TYPE_CHECKING:
    from sandbox.aws.local_aws import LocalAws


def test_a_call_is_recorded_as_its_iam_action_with_its_caller_and_its_resource(aws: LocalAws) -> None:
    aws.client("ssm", "remediator").get_parameters_by_path(Path="/eks-irsa-remediator/bindings", Recursive=True)
    (call,) = aws.calls.of(principal="remediator")
    assert (call.service, call.action, call.status, call.error) == ("ssm", "ssm:GetParametersByPath", 200, "")
    assert call.params["Path"] == "/eks-irsa-remediator/bindings"


@pytest.mark.parametrize(
    ("service", "method", "arguments", "action", "named"),
    [
        ("dynamodb", "update_item", {"TableName": "t", "Key": {"pk": {"S": "x"}}}, "dynamodb:UpdateItem", {"TableName": "t"}),
        ("sns", "publish", {"TopicArn": "arn:aws:sns:eu-west-1:111122223333:t", "Message": "m"}, "sns:Publish", {}),
        ("iam", "get_role", {"RoleName": "remediator"}, "iam:GetRole", {"RoleName": "remediator"}),
        ("events", "put_events", {"Entries": [{"Source": "a", "DetailType": "b", "Detail": "{}"}]}, "events:PutEvents", {}),
        ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": []}, "cloudwatch:PutMetricData", {"Namespace": "n"}),
        ("eks", "describe_addon", {"clusterName": "demo", "addonName": "vpc-cni"}, "eks:DescribeAddon", {"addonName": "vpc-cni"}),
        ("sts", "get_caller_identity", {}, "sts:GetCallerIdentity", {}),
    ],
)
def test_every_wire_protocol_is_understood(  # noqa: PLR0917  # one per column
    aws: LocalAws, service: str, method: str, arguments: dict[str, Any], action: str, named: dict[str, str]
) -> None:
    with suppress(ClientError):  # there is no such table or topic; the call is recorded all the same
        getattr(aws.client(service, "remediator"), method)(**arguments)
    (call,) = aws.calls.of(principal="remediator")
    assert call.action == action
    assert named.items() <= call.params.items()


def test_a_transaction_is_recorded_as_the_actions_that_iam_checks(aws: LocalAws) -> None:
    put = {"Put": {"TableName": "incidents", "Item": {"pk": {"S": "a"}}}}
    check = {"ConditionCheck": {"TableName": "incidents", "Key": {"pk": {"S": "b"}}, "ConditionExpression": "attribute_exists(pk)"}}
    with pytest.raises(ClientError):
        aws.client("dynamodb", "remediator").transact_write_items(TransactItems=[put, check])
    assert [call.action for call in aws.calls.of(principal="remediator")] == ["dynamodb:PutItem", "dynamodb:ConditionCheckItem"]
    assert {call.params["TableName"] for call in aws.calls.of(principal="remediator")} == {"incidents"}


def test_secrets_tokens_and_parameter_values_are_not_logged(aws: LocalAws) -> None:
    aws.client("ssm", "remediator").put_parameter(Name="/a", Value="hush-hush", Type="SecureString")
    owner = aws.roles.credentials("remediator")
    kept = repr(aws.calls.all()) + repr(owner)
    assert "hush-hush" not in kept
    assert owner.secret_access_key not in kept
    assert owner.session_token not in kept


@pytest.mark.parametrize(
    ("service", "method", "arguments", "kind", "code"),
    [
        ("eks", "list_clusters", {}, FaultKind.THROTTLE, "ThrottlingException"),
        ("eks", "list_clusters", {}, FaultKind.ACCESS_DENIED, "AccessDeniedException"),
        ("ssm", "describe_parameters", {}, FaultKind.THROTTLE, "ThrottlingException"),
        ("ssm", "describe_parameters", {}, FaultKind.SERVER_ERROR, "InternalServerError"),
        ("sns", "list_topics", {}, FaultKind.THROTTLE, "Throttling"),
        ("iam", "list_roles", {}, FaultKind.ACCESS_DENIED, "AccessDenied"),
    ],
)
def test_a_fault_has_the_error_format_of_the_service(  # noqa: PLR0917  # one per column
    aws: LocalAws, service: str, method: str, arguments: dict[str, Any], kind: FaultKind, code: str
) -> None:
    client = aws.client(service, "remediator", retries={"max_attempts": 0})
    aws.faults.add(Fault(service=service, kind=kind))
    with pytest.raises(ClientError) as refused:
        getattr(client, method)(**arguments)
    assert refused.value.response["Error"]["Code"] == code
    assert aws.calls.all()[-1].error == code
    getattr(client, method)(**arguments)  # used up


def test_a_reset_and_a_timeout_give_no_response(aws: LocalAws) -> None:
    aws.faults.add(Fault(service="eks", kind=FaultKind.RESET))
    with pytest.raises(ConnectionClosedError):
        aws.client("eks", "remediator", retries={"max_attempts": 0}).list_clusters()
    aws.faults.add(Fault(service="eks", kind=FaultKind.TIMEOUT, hold_s=0.1))
    with pytest.raises(ConnectionClosedError):
        aws.client("eks", "remediator", retries={"max_attempts": 0}).list_clusters()
    aws.faults.add(Fault(service="eks", kind=FaultKind.TIMEOUT, hold_s=3_600))  # let go of when the local AWS ends
    with pytest.raises(ReadTimeoutError):
        aws.client("eks", "remediator", retries={"max_attempts": 0}, read_timeout=0.3).list_clusters()


def test_a_call_with_a_lost_response_takes_effect(aws: LocalAws) -> None:
    client = aws.client("ssm", "remediator", retries={"max_attempts": 0})
    aws.faults.add(Fault(service="ssm", operation="PutParameter", kind=FaultKind.RESET, after_effect=True))
    with pytest.raises(ConnectionClosedError):
        client.put_parameter(Name="/lost", Value="v", Type="String")
    assert client.get_parameter(Name="/lost")["Parameter"]["Value"] == "v"


def test_a_fault_affects_only_its_principal_and_operation(aws: LocalAws) -> None:
    aws.faults.add(Fault(service="eks", operation="DescribeCluster", principal="remediator", kind=FaultKind.ACCESS_DENIED))
    aws.client("eks").describe_cluster(name="demo")
    aws.client("eks", "remediator").list_clusters()
    with pytest.raises(ClientError):
        aws.client("eks", "remediator").describe_cluster(name="demo")


def _presigned(aws: LocalAws, cluster: str) -> str:
    session = aws.client("sts", "remediator")
    signer = RequestSigner(
        session.meta.service_model.service_id, aws.region, "sts", "v4", session._request_signer._credentials, session.meta.events
    )
    request = {
        "method": "GET",
        "url": f"https://sts.{aws.region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    return str(signer.generate_presigned_url(request, region_name=aws.region, expires_in=60, operation_name=""))


def _get(aws: LocalAws, url: str, cluster: str) -> tuple[int, dict[str, Any]]:
    host, _, rest = url.removeprefix("https://").partition("/")
    headers = {"Host": host, "x-k8s-aws-id": cluster, "Accept": "application/json"}
    request = urllib.request.Request(f"{aws.endpoint}/{rest}", headers=headers)  # noqa: S310  # loopback
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310  # loopback
            return response.status, json.load(response)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_a_presigned_identity_names_the_assumed_role_in_json(aws: LocalAws) -> None:
    status, answer = _get(aws, _presigned(aws, "demo"), "demo")
    assert status == 200
    identity = answer["GetCallerIdentityResponse"]["GetCallerIdentityResult"]
    assert identity["Arn"] == "arn:aws:sts::111122223333:assumed-role/remediator/remediator"
    assert identity["Account"] == aws.account


def test_a_token_made_for_another_cluster_fails_its_signature(aws: LocalAws) -> None:
    status, answer = _get(aws, _presigned(aws, "other"), "demo")
    assert (status, answer["Error"]["Code"]) == (403, "SignatureDoesNotMatch")


def test_a_malformed_request_is_refused_and_does_not_break_the_endpoint(aws: LocalAws) -> None:
    key = base64.b16encode(b"nobody").decode()
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/eks/aws4_request, SignedHeaders=host, Signature=0"}
    request = urllib.request.Request(f"{aws.endpoint}/clusters/demo/addons", data=b"{no json", headers=headers)  # noqa: S310  # loopback
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)  # noqa: S310  # loopback
    assert refused.value.code == 400
    assert refused.value.headers["x-amzn-ErrorType"] == "InvalidParameterException"
    assert aws.client("eks").list_clusters()["clusters"] == ["demo"]


def test_an_incomplete_request_is_neither_answered_nor_logged(aws: LocalAws, caplog: pytest.LogCaptureFixture) -> None:
    address = urlsplit(aws.endpoint)
    known = len(aws.calls.all())
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=60) as caller:
        head = "POST / HTTP/1.1\r\nHost: ssm.eu-west-1.amazonaws.com\r\nX-Amz-Target: AmazonSSM.GetParametersByPath\r\n"
        caller.sendall(f"{head}Content-Length: 40\r\n\r\n{{".encode())
        caller.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            assert caller.recv(100) == b""
    assert len(aws.calls.all()) == known
    assert "failed inside the local AWS" not in caplog.text
