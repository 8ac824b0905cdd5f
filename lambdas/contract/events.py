"""EventBridge: the events that the checker subscribes to, and the events that the stack publishes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from lambdas.contract.names import ALARM_PREFIX, EVENT_SOURCE, PARAMETER_ROOT

CLOUDTRAIL: Final = "AWS API Call via CloudTrail"

SCHEMA_VERSION: Final = "1"
"""Version of the published events. Adding a field keeps it; removing a field or changing its meaning increments it."""


class OwnEvent(StrEnum):
    """`detail-type`s of the stack's own events. `docs/events/*.schema.json` describes their bodies."""

    CHECK_REQUESTED = "Check Requested"
    NODE_NOT_READY = "Node Not Ready"
    IDENTITY_CHANGED = "Identity Changed"
    SWEEP = "Sweep"
    DIGEST = "Digest"
    DELIVERY_TEST = "Delivery Test"
    STARTED = "Remediation Started"
    VERIFIED = "Remediation Verified"
    NEEDS_ACTION = "Remediation Needs Action"
    BLOCKED = "Remediation Blocked"


INCOMING: Final = (OwnEvent.CHECK_REQUESTED, OwnEvent.NODE_NOT_READY, OwnEvent.IDENTITY_CHANGED, OwnEvent.DELIVERY_TEST)
OUTGOING: Final = (OwnEvent.STARTED, OwnEvent.VERIFIED, OwnEvent.NEEDS_ACTION, OwnEvent.BLOCKED)

ADDON_EVENTS: Final = (
    "EKS Addon Creation Failed",
    "EKS Addon Creation Succeeded",
    "EKS Addon Update Failed",
    "EKS Addon Update Succeeded",
    "EKS Addon Deletion Failed",
    "EKS Addon Deletion Succeeded",
    "EKS Addon Health Degraded",
    "EKS Addon Health Restored",
)
"""Source: https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-eks.html"""

ADDON_CALLS: Final = ("CreateAddon", "UpdateAddon", "DeleteAddon")
IDENTITY_CALLS: Final = (
    "CreatePodIdentityAssociation",
    "UpdatePodIdentityAssociation",
    "DeletePodIdentityAssociation",
    "UpdateClusterVersion",
)

REFUSED_TOKEN_CALLS: Final = ("AssumeRoleWithWebIdentity", "AssumeRoleForPodIdentity")
CNI_USER_AGENT: Final = "amazon-vpc-cni-k8s"
"""A part of the user agent of aws-node. Without its annotation, aws-node calls EC2 with the role of the node.

Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/b52188387f2e2f10bf289ace929d6a63b176a4fa/pkg/awsutils/awsutils.go
"""
_REFUSED_BY_EC2: Final = ("Client.UnauthorizedOperation", "UnauthorizedOperation", "AccessDenied")

PARAMETER_OPERATIONS: Final = ("Create", "Update", "Delete")
"""Operations that change a value. `LabelParameterVersion` changes none, since the functions read the latest version.

Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html
"""

Pattern = Mapping[str, Any]  # an EventBridge event pattern: JSON


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """One rule on the default bus with the checker as its target.

    `pattern` takes the ARNs of the stack's roles. Calls by these roles are ignored, so the remediator does not trigger itself.
    `with_read_only_calls` adds the calls that CloudTrail marks as read-only, such as `DescribeSubnets`. A rule misses them by default.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html
    """

    why: str
    pattern: Callable[[Sequence[str]], Pattern]
    with_read_only_calls: bool = False

    @property
    def state(self) -> str:
        """The state of the rule."""
        return "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" if self.with_read_only_calls else "ENABLED"


def _not_by(our_roles: Sequence[str]) -> list[Any]:
    # `anything-but` never matches an absent field, and calls by IAM users have no session.
    return [{"exists": False}, {"anything-but": list(our_roles)}]


def _calls(names: Sequence[str]) -> Callable[[Sequence[str]], Pattern]:
    def pattern(our_roles: Sequence[str]) -> Pattern:
        return {
            "source": ["aws.eks"],
            "detail-type": [CLOUDTRAIL],
            "detail": {
                "eventSource": ["eks.amazonaws.com"],
                "eventName": list(names),
                "errorCode": [{"exists": False}],
                "userIdentity": {"sessionContext": {"sessionIssuer": {"arn": _not_by(our_roles)}}},
            },
        }

    return pattern


def _refused_by_ec2(caller: Pattern) -> Callable[[Sequence[str]], Pattern]:
    def pattern(_: Sequence[str]) -> Pattern:
        detail = {"eventSource": ["ec2.amazonaws.com"], "errorCode": list(_REFUSED_BY_EC2)}
        return {"source": ["aws.ec2"], "detail-type": [CLOUDTRAIL], "detail": {**detail, **caller}}

    return pattern


def _web_identity(*, exists: bool) -> Pattern:
    """Sessions of IRSA, which name the OIDC provider of the cluster."""
    return {"sessionContext": {"webIdFederationData": {"federatedProvider": [{"exists": exists}]}}}


SUBSCRIPTIONS: Final[Mapping[str, Subscription]] = {
    "AddonEvents": Subscription(
        why="an add-on was created, updated, degraded or restored; the body is undocumented, so the type alone is matched",
        pattern=lambda _: {"source": ["aws.eks"], "detail-type": list(ADDON_EVENTS)},
    ),
    "AddonCalls": Subscription(why="a call changes an add-on, and may remove its role", pattern=_calls(ADDON_CALLS)),
    "IdentityCalls": Subscription(why="a call changes the identity mechanism or the version of a cluster", pattern=_calls(IDENTITY_CALLS)),
    "RefusedCalls": Subscription(
        why="EC2 refused a call of a role that a ServiceAccount uses",
        pattern=_refused_by_ec2({"userIdentity": _web_identity(exists=True)}),
        with_read_only_calls=True,
    ),
    "RefusedCniCalls": Subscription(
        why="EC2 refused a call of aws-node, which used another role than that of its ServiceAccount",
        pattern=_refused_by_ec2({"userIdentity": _web_identity(exists=False), "userAgent": [{"wildcard": f"*{CNI_USER_AGENT}*"}]}),
        with_read_only_calls=True,
    ),
    "RefusedTokens": Subscription(
        why="STS or EKS Pod Identity refused credentials to a pod; the refusal has any error code",
        pattern=lambda _: {
            "source": ["aws.sts", "aws.eks-auth"],
            "detail-type": [CLOUDTRAIL],
            "detail": {
                "eventSource": ["sts.amazonaws.com", "eks-auth.amazonaws.com"],
                "eventName": list(REFUSED_TOKEN_CALLS),
                "errorCode": [{"exists": True}],
            },
        },
        with_read_only_calls=True,
    ),
    "NodeAlarms": Subscription(
        why="Container Insights counts failed nodes; the alarm's name contains the cluster",
        pattern=lambda _: {
            "source": ["aws.cloudwatch"],
            "detail-type": ["CloudWatch Alarm State Change"],
            "detail": {"alarmName": [{"prefix": ALARM_PREFIX}], "state": {"value": ["ALARM"]}},
        },
    ),
    "ParameterChanges": Subscription(
        why="a binding or a setting was written: validate it",
        pattern=lambda _: {
            "source": ["aws.ssm"],
            "detail-type": ["Parameter Store Change"],
            "detail": {"name": [{"prefix": PARAMETER_ROOT + "/"}], "operation": list(PARAMETER_OPERATIONS)},
        },
    ),
    "OwnEvents": Subscription(
        why="the node watcher, a request for a check, or a test of the delivery",
        pattern=lambda _: {"source": [EVENT_SOURCE], "detail-type": [str(kind) for kind in INCOMING]},
    ),
    "KubernetesEvents": Subscription(
        why="kubernetes-event-exporter or a similar tool reported a NotReady node; the operator chooses the source",
        pattern=lambda _: {"detail-type": ["Kubernetes Event"], "detail": {"reason": ["NodeNotReady"]}},
    ),
}

SWEEP_RATE_MINUTES: Final = 5
SWEEP_INPUT: Final[Pattern] = {"source": EVENT_SOURCE, "detail-type": str(OwnEvent.SWEEP), "detail": {}}
"""The input that the rule of the schedule sends to the checker in place of EventBridge's own event."""

DIGEST_INPUT: Final[Pattern] = {"source": EVENT_SOURCE, "detail-type": str(OwnEvent.DIGEST), "detail": {}}
"""The input of the daily rule. The rule adds `time`, the scheduled time, so that a late delivery covers the same day."""
DIGEST_AT: Final = "07:00"
"""The default time of the daily rule: hours and minutes in UTC."""

RETRY_ATTEMPTS: Final = 185
MAX_EVENT_AGE_HOURS: Final = 6
"""Maximum age of an event. A sweep has found the cause of an older one."""
