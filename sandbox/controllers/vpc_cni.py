"""The network plug-in's credentials: which role a pod uses, and how it fails without permissions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.cluster.clock import micro_stamp
from sandbox.cluster.resources import EVENTS

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.controllers.client import View

CONTAINER = "aws-node"
_LABEL = ("k8s-app", "aws-node")


@dataclass(frozen=True)
class Allowed:
    """The role has the permissions that the plug-in needs. `reports` are refused calls that it reports and does without."""

    reports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Denied:
    """EC2 answers `UnauthorizedOperation` to this call, e.g. `ec2:DescribeNetworkInterfaces`. `reported`: the plug-in emits an event."""

    api: str
    reported: bool = True


@dataclass(frozen=True)
class NoCredentials:
    """The plug-in gets no credentials and emits no event. `error` is the text in its log.

    `from_sts` is whether the error is that of the call to STS, `code` the error code of an answer; empty where nothing answers.
    """

    error: str
    from_sts: bool = True
    code: str = ""


RoleVerdict = Allowed | Denied | NoCredentials
RoleCheck = Callable[[str | None], RoleVerdict]
"""A role ARN, or None for the node's role -> whether the plug-in works with it."""

AssociatedRole = Callable[[str, str], str | None]
"""(namespace, ServiceAccount) -> the role of its pod identity association."""

NO_AGENT = "no Pod Identity agent"
"""The role of a pod whose credentials the agent of its node would give, where no agent answers."""
AGENT_REFUSES = NoCredentials(
    'Get "http://169.254.170.23/v1/credentials": dial tcp 169.254.170.23:80: connect: connection refused', from_sts=False
)
STS_TIMES_OUT = NoCredentials(
    'RequestError: send request failed\ncaused by: Post "https://sts.eu-west-1.amazonaws.com/": dial tcp 10.0.0.9:443: i/o timeout'
)


def sts_refuses(code: str) -> NoCredentials:
    """STS answers AssumeRoleWithWebIdentity with this error code.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors
    """
    return NoCredentials(f"{code}: {_STS_ANSWERS.get(code, 'the request was refused')}\n\tstatus code: 400", code=code)


_STS_ANSWERS = {
    "AccessDenied": "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    "InvalidIdentityToken": "No OpenIDConnect provider found in your account for the issuer",
    "ExpiredTokenException": "Token expired: current date/time must be before the expiration date/time",
}


def is_plugin(pod: View) -> bool:
    return bool((pod["metadata"].get("labels") or {}).get(_LABEL[0]) == _LABEL[1])


def effective_role(pod: View, associated: AssociatedRole, *, has_agent: bool) -> str | None:
    """The role that the plug-in's container uses; None for the node's role. `has_agent`: an agent answers on its node.

    The SDK tries web identity before container credentials.
    """
    variables = _variables(pod)
    if variables.get("AWS_ROLE_ARN"):
        return variables["AWS_ROLE_ARN"]
    if asks_agent(pod):
        return associated(pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"]) if has_agent else NO_AGENT
    return None


def asks_agent(pod: View) -> bool:
    """Whether the plug-in's container takes its credentials from the agent of its node."""
    variables = _variables(pod)
    return not variables.get("AWS_ROLE_ARN") and "AWS_CONTAINER_CREDENTIALS_FULL_URI" in variables


def _variables(pod: View) -> dict[str, str]:
    container: View = next((each for each in pod["spec"]["containers"] if each["name"] == CONTAINER), {})
    return {each["name"]: str(each.get("value", "")) for each in container.get("env") or ()}


def missing_permissions(pod: View, api: str, now: datetime) -> dict[str, Any]:
    """The event that the plug-in emits about its own pod.

    Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/v1.15.1/pkg/awsutils/awsutils.go (checkAPIErrorAndBroadcastEvent)
    """
    metadata = pod["metadata"]
    regarding = {"apiVersion": "v1", "kind": "Pod", "resourceVersion": metadata["resourceVersion"]}
    regarding |= {key: metadata[key] for key in ("name", "namespace", "uid")}
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": f"{metadata['name']}.{int(now.timestamp() * 1e9):x}", "namespace": metadata["namespace"]},
        "eventTime": micro_stamp(now),
        "type": "Warning",
        "reason": "MissingIAMPermissions",
        "action": api,
        "note": (
            f"Unauthorized operation: failed to call {api} due to missing permissions. Please refer "
            "https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/iam-policy.md to attach relevant policy to IAM role"
        ),
        "regarding": regarding,
        "reportingController": CONTAINER,
        "reportingInstance": f"{CONTAINER}-{metadata['name']}",
    }
