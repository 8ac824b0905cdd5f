"""CloudTrail records of API calls, as EventBridge delivers them.

The shape follows events recorded in a real account (https://github.com/radkawar/stackd, testdata/aws/eks):
`resources` is empty, times in `responseElements` are epoch seconds, parameters keep their REST names.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The caller: `kind` is `AssumedRole`, `IAMUser` or `AWSService`."""

    kind: str
    account: str
    name: str
    principal_id: str = ""
    arn: str = ""
    issuer_arn: str = ""
    access_key_id: str = ""
    signed_in_at: datetime | None = None

    def user_identity(self) -> dict[str, Any]:
        """The record's `userIdentity`.

        Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
        """
        if self.kind == "AWSService":
            return {"type": "AWSService", "invokedBy": self.name}
        identity = {
            "type": self.kind,
            "principalId": self.principal_id,
            "arn": self.arn,
            "accountId": self.account,
            "accessKeyId": self.access_key_id,
        }
        return identity | ({"sessionContext": self._session()} if self.kind == "AssumedRole" else {"userName": self.name})

    def _session(self) -> dict[str, Any]:
        issuer = {
            "type": "Role",
            "principalId": self.principal_id.partition(":")[0],
            "arn": self.issuer_arn,
            "accountId": self.account,
            "userName": self.name,
        }
        created = zulu(self.signed_in_at or datetime.now(UTC))
        return {"sessionIssuer": issuer, "attributes": {"creationDate": created, "mfaAuthenticated": "false"}}


@dataclass(frozen=True, kw_only=True)
class RecordedCall:
    """One API call as the service saw it. If `error_code` is set, the call was refused and has no response elements."""

    service: str
    event_name: str
    caller: Caller
    region: str
    request: dict[str, Any]
    response: dict[str, Any] | None = None
    error_code: str = ""
    error_message: str = ""
    user_agent: str = "aws-sdk"
    source_ip: str = "203.0.113.10"
    at: datetime | None = None


def event(call: RecordedCall) -> dict[str, Any]:
    """The EventBridge event `AWS API Call via CloudTrail` of one call, ready for PutEvents."""
    when = zulu(call.at or datetime.now(UTC))
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": f"aws.{call.service}",
        "account": call.caller.account,
        "time": when,
        "region": call.region,
        "resources": [],
        "detail": _detail(call, when),
    }


def _detail(call: RecordedCall, when: str) -> dict[str, Any]:
    by_service = call.caller.kind == "AWSService"
    error = {"errorCode": call.error_code, "errorMessage": call.error_message} if call.error_code else {}
    return {
        "eventVersion": "1.11",
        "userIdentity": call.caller.user_identity(),
        "eventTime": when,
        "eventSource": f"{call.service}.amazonaws.com",
        "eventName": call.event_name,
        "awsRegion": call.region,
        "sourceIPAddress": call.caller.name if by_service else call.source_ip,
        "userAgent": call.caller.name if by_service else call.user_agent,
        **error,
        "requestParameters": call.request or None,
        "responseElements": None if call.error_code else call.response,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.caller.account,
        "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"},
    }


def refused_call(name: str, *, role_arn: str, region: str, provider_arn: str = "") -> dict[str, Any]:
    """The event of an EC2 call of aws-node that EC2 refused; with `provider_arn`, in a session of IRSA, else of the node.

    Sources: https://github.com/kubernetes-sigs/karpenter/issues/2813 https://github.com/aws/amazon-vpc-cni-k8s/issues/1454
    """
    account, role = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    session = "aws-node-session" if provider_arn else "i-0123456789abcdef0"
    arn = f"arn:aws:sts::{account}:assumed-role/{role}/{session}"
    caller = Caller(kind="AssumedRole", account=account, name=role, principal_id=f"AROAEXAMPLE:{session}", arn=arn, issuer_arn=role_arn)
    made = event(
        RecordedCall(
            service="ec2",
            event_name=name,
            caller=caller,
            region=region,
            request={},
            error_code="Client.UnauthorizedOperation",
            error_message="You are not authorized to perform this operation.",
            user_agent="amazon-vpc-cni-k8s aws-sdk-go-v2/1.36.3",
        )
    )
    made["detail"]["readOnly"] = name.startswith("Describe")
    if provider_arn:
        made["detail"]["userIdentity"]["sessionContext"]["webIdFederationData"] = {"federatedProvider": provider_arn, "attributes": {}}
    return made


def refused_token(subject: str, *, role_arn: str, provider_arn: str, region: str, error_code: str = "AccessDenied") -> dict[str, Any]:
    """The event of an AssumeRoleWithWebIdentity call that STS refused. It names the issuer and no cluster.

    Source: https://github.com/greenpau/argo-workflows-aws-plugin/blob/HEAD/DEVELOPMENT.md
    """
    made = event(
        RecordedCall(
            service="sts",
            event_name="AssumeRoleWithWebIdentity",
            caller=Caller(kind="WebIdentityUser", account=role_arn.split(":")[4], name=subject),
            region=region,
            request={"roleArn": role_arn, "roleSessionName": "1790543206731"},
            error_code=error_code,
            error_message="An unknown error occurred",
        )
    )
    made["detail"] |= {
        "readOnly": True,
        "userIdentity": {
            "type": "WebIdentityUser",
            "principalId": f"{provider_arn}:sts.amazonaws.com:{subject}",
            "userName": subject,
            "identityProvider": provider_arn,
        },
    }
    return made


def role_session(role_arn: str, *, cluster_arn: str, subject: str, pod: str, uid: str, region: str) -> dict[str, Any]:
    """The record of the call by which EKS Pod Identity gets credentials for a pod of `namespace/ServiceAccount`.

    Source: https://github.com/aws-samples/amazon-eks-security-immersion-day/blob/HEAD/content/2-identity-and-access-management/3-eks-pod-identity/3.eks-pod-identity-deep-dive/index.en.md
    """
    namespace, _, account = subject.partition("/")
    tags = {
        "eks-cluster-arn": cluster_arn,
        "eks-cluster-name": cluster_arn.rpartition("/")[2],
        "kubernetes-namespace": namespace,
        "kubernetes-service-account": account,
        "kubernetes-pod-name": pod,
        "kubernetes-pod-uid": uid,
    }
    caller = Caller(kind="AWSService", account=role_arn.split(":")[4], name="pods.eks.amazonaws.com")
    request = {"roleArn": role_arn, "tags": [{"key": key, "value": value} for key, value in tags.items()]}
    record: dict[str, Any] = event(
        RecordedCall(service="sts", event_name="AssumeRole", caller=caller, region=region, request=request, response={})
    )["detail"]
    return {**record, "readOnly": True, "resources": [{"type": "AWS::IAM::Role", "ARN": role_arn}]}


def zulu(moment: datetime) -> str:
    """Whole seconds in UTC, in the format of CloudTrail and EventBridge."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
