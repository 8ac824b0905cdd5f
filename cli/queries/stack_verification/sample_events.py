"""One event of each kind, in the shape in which EventBridge delivers it, for the test of the deployed patterns.

The shapes are those of the recorded events of the tests, each of which names its source in tests/events/index.yaml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.events import ADDON_EVENTS, CLOUDTRAIL, CNI_USER_AGENT, OwnEvent
from lambdas.contract.names import ALARM_PREFIX, CNI_ADDON, EVENT_SOURCE, PARAMETER_ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.contract.environment import Environment

Json = dict[str, Any]
_TIME: Final = "2026-11-02T06:00:00Z"


def sample_events(environment: Environment) -> Mapping[str, Json]:
    """Return one event for each subscription of the contract, by the name of the subscription."""
    account, partition = environment.account, environment.partition
    user = {"type": "IAMUser", "arn": f"arn:{partition}:iam::{account}:user/dana"}
    node = {"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"arn": f"arn:{partition}:iam::{account}:role/node"}}}
    provider = f"arn:{partition}:iam::{account}:oidc-provider/oidc.eks.example/id/0"
    irsa = {"type": "AssumedRole", "sessionContext": {"webIdFederationData": {"federatedProvider": provider}}}
    web_identity = {"type": "WebIdentityUser", "userName": "system:serviceaccount:kube-system:aws-node", "identityProvider": provider}
    refused = {"eventName": "DescribeNetworkInterfaces", "errorCode": "Client.UnauthorizedOperation"}
    bodies: Mapping[str, tuple[str, str, Json]] = {
        "AddonEvents": ("aws.eks", ADDON_EVENTS[3], {}),
        "AddonCalls": _call("eks", "UpdateAddon", userIdentity=user, requestParameters={"name": "demo", "addonName": CNI_ADDON}),
        "IdentityCalls": _call("eks", "DeletePodIdentityAssociation", userIdentity=user, requestParameters={"name": "demo"}),
        "RefusedCalls": _call("ec2", **refused, userIdentity=irsa),
        "RefusedCniCalls": _call("ec2", **refused, userIdentity=node, userAgent=f"{CNI_USER_AGENT}/v1.19.0"),
        "RefusedTokens": _call("sts", "AssumeRoleWithWebIdentity", errorCode="AccessDenied", userIdentity=web_identity),
        "NodeAlarms": (
            "aws.cloudwatch",
            "CloudWatch Alarm State Change",
            {"alarmName": f"{ALARM_PREFIX}demo", "state": {"value": "ALARM"}},
        ),
        "ParameterChanges": (
            "aws.ssm",
            "Parameter Store Change",
            {"name": f"{PARAMETER_ROOT}/bindings/demo/kube-system/aws-node", "operation": "Update", "type": "String"},
        ),
        "OwnEvents": (EVENT_SOURCE, OwnEvent.CHECK_REQUESTED, {"cluster": "demo"}),
        "KubernetesEvents": ("custom.kubernetes", "Kubernetes Event", {"reason": "NodeNotReady", "clusterName": "demo"}),
    }
    envelope = {"version": "0", "id": "0", "account": account, "region": environment.region, "time": _TIME, "resources": []}
    return {
        name: {**envelope, "source": source, "detail-type": str(kind), "detail": detail} for name, (source, kind, detail) in bodies.items()
    }


def _call(service: str, eventName: str, **detail: Any) -> tuple[str, str, Json]:  # noqa: N803  # the field of CloudTrail
    return f"aws.{service}", CLOUDTRAIL, {"eventSource": f"{service}.amazonaws.com", "eventName": eventName, **detail}
