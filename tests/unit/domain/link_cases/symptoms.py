"""Cases of what fails: permission errors and nodes."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.requests.request import Refusal
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    HealthIssue,
    Missing,
    NodeFacts,
    PluginError,
    PodFacts,
    Snapshot,
)
from tests.unit.domain.link_cases.fixtures import BROKEN, NOT_APPLICABLE, OK, UNKNOWN, UNREAD, Case
from tests.unit.domain.snapshot_fixtures import addon, binding, errors, snapshot_with, some_pods, workload
from tests.unit.notifications.snapshots import CNI_MESSAGE, NOW, ROLE, nodes, pods

STS = "WebIdentityErr: failed to retrieve credentials: RequestError: dial tcp: i/o timeout"

STS_DENIES = "operation error STS: AssumeRoleWithWebIdentity, https response error StatusCode: 403, api error AccessDenied: Not authorized"
STS_KNOWS_NONE = "operation error STS: AssumeRoleWithWebIdentity, api error InvalidIdentityToken: No OpenIDConnect provider found"


def since(minutes: float) -> Snapshot:
    at = NOW - timedelta(minutes=minutes)
    return snapshot_with(nodes=tuple(_since(node, at) for node in nodes(15, unready=1)))


def _since(node: NodeFacts, at: datetime) -> NodeFacts:
    return node if node.ready else replace(node, since=at)


def refused(
    call: str = "ec2:CreateNetworkInterface", *, code: str = "Client.UnauthorizedOperation", minutes: float = 1, role: str = ROLE
) -> Snapshot:
    at = NOW - timedelta(minutes=minutes)
    refusal = Refusal(call=call, code=code, principal=role, role_arn=role, at=at)
    return snapshot_with(refusals=(refusal,), pods=pods(15, ROLE, created_at=NOW - timedelta(hours=1)))


TOKEN = "sts:AssumeRoleWithWebIdentity"
OF_TEAM = "arn:aws:iam::999988887777:role/team/shared"
"""A role of another account, with a path."""


def several_errors() -> tuple[PluginError, ...]:
    """Errors of four pods, the newest neither first nor last, and two of one second."""
    return (
        *errors("aws-node-03", ago=timedelta(minutes=3)),
        *errors("aws-node-01", call="ec2:AttachNetworkInterface"),
        *errors("aws-node-00", call="ec2:DescribeSubnets", ago=timedelta(seconds=1)),  # this release does without it
        *errors("aws-node-00", call="ec2:DescribeNetworkInterfaces"),
        *errors("aws-node-00", call="ec2:AssignPrivateIpAddresses"),
        *errors("aws-node-02", call="ec2:CreateNetworkInterface", ago=timedelta(minutes=1)),
    )


def failing(*messages: str, role: str = ROLE, **changes: Any) -> Snapshot:
    """Pods whose last container ended with these messages, the first pod the youngest, beside one that is ready."""
    made = some_pods(*[role] * len(messages), ready=False)
    ended = (
        replace(pod, termination_message=message, created_at=pod.created_at - timedelta(hours=number))
        for number, (pod, message) in enumerate(zip(made, messages, strict=True))
    )
    (right,) = pods(15, role)[14:]
    return snapshot_with(pods=(*ended, right), **{"binding": binding(role_arn=role)} | changes)


def _waiting_for(*names: str) -> tuple[PodFacts, ...]:
    """Pods that are not scheduled yet, each for one node."""
    return tuple(replace(pod, node="", intended_node=name, ready=False) for pod, name in zip(pods(15, ROLE)[6:], names, strict=False))


def sts(code: str) -> str:
    return f"operation error STS: AssumeRoleWithWebIdentity, api error {code}: no"


def unhealthy(message: str, *, minutes: float = 15, **changes: Any) -> Snapshot:
    """The add-on reports that it may not make calls, and one pod has the role for these minutes."""
    issues = (HealthIssue(code="InsufficientNumberOfReplicas", message="m"), HealthIssue(code="AccessDenied", message=message))
    young = pods(15, ROLE, created_at=NOW - timedelta(seconds=30))
    old = replace(young[3], created_at=NOW - timedelta(minutes=minutes))
    return snapshot_with(addon=addon(status="DEGRADED", issues=issues), pods=(*young[:3], old, *young[4:]), **changes)


CASES: dict[str, Case] = {
    "nodes: without a pod of the CNI": (
        snapshot_with(nodes=nodes(3, unready=1), pods=pods(2, ROLE), workload=workload(desired=2, updated=2)),
        Link.NODES,
        BROKEN,
        Verdict.NODES_WAITING_FOR_CNI,
    ),
    # 11 refusals that CloudTrail recorded
    "refused: a call that the release needs": (refused(), Link.PERMISSION_ERRORS, BROKEN, Verdict.PERMISSIONS_MISSING),
    "refused: a quarter of an hour ago": (refused(minutes=15), Link.PERMISSION_ERRORS, BROKEN, Verdict.PERMISSIONS_MISSING),
    "refused: longer ago": (refused(minutes=15.1), Link.PERMISSION_ERRORS, UNKNOWN, None),
    "refused: a call that the release survives": (refused("ec2:DescribeSubnets"), Link.PERMISSION_ERRORS, OK, None),
    "refused: a call that the release does not make": (refused("ec2:DescribeTags"), Link.PERMISSION_ERRORS, UNKNOWN, None),
    "refused: another role": (refused(role="arn:aws:iam::111122223333:role/nodes"), Link.PERMISSION_ERRORS, UNKNOWN, None),
    "refused: pod identity": (refused("eks-auth:AssumeRoleForPodIdentity", role=""), Link.PERMISSION_ERRORS, UNKNOWN, None),
    "refused: the role to the ServiceAccount": (
        replace(refused(TOKEN, code="AccessDenied"), role=UNREAD),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.TRUST_CONDITION_WRONG,
    ),
    "refused: the token": (
        replace(refused(TOKEN, code="InvalidIdentityToken"), oidc_provider=UNREAD),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.OIDC_PROVIDER_MISSING,
    ),
    "refused: an expired token": (refused(TOKEN, code="ExpiredTokenException"), Link.PERMISSION_ERRORS, BROKEN, Verdict.STS_ERROR),
    # 11 permission errors
    "errors: none": (snapshot_with(), Link.PERMISSION_ERRORS, OK, None),
    "errors: not read": (snapshot_with(permission_errors=NOT_READ), Link.PERMISSION_ERRORS, NOT_APPLICABLE, None),
    "errors: not told": (snapshot_with(permission_errors=UNREAD), Link.PERMISSION_ERRORS, UNKNOWN, None),
    "errors: of a pod with the role": (
        snapshot_with(permission_errors=errors("aws-node-03")),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "errors: of a pod that is gone": (snapshot_with(permission_errors=errors("aws-node-99")), Link.PERMISSION_ERRORS, OK, None),
    "errors: in the very second in which the pod was created": (
        snapshot_with(permission_errors=errors("aws-node-03", ago=timedelta(days=9))),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "errors: from before the pod was created": (
        snapshot_with(permission_errors=errors("aws-node-03", ago=timedelta(days=9, seconds=1))),
        Link.PERMISSION_ERRORS,
        OK,
        None,
    ),
    "errors: of a stale pod": (
        snapshot_with(pods=some_pods(None), permission_errors=errors("aws-node-00")),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "errors: time-outs on the way to STS": (
        snapshot_with(pods=some_pods(ROLE, ready=False, termination_message=STS)),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.STS_UNREACHABLE,
    ),
    "errors: a time-out of the API server, not of STS": (
        snapshot_with(
            pods=some_pods(
                ROLE, ready=False, termination_message="Failed to check API server connectivity: dial tcp 10.100.0.1:443: i/o timeout"
            )
        ),
        Link.PERMISSION_ERRORS,
        OK,
        None,
    ),
    "errors: time-outs of pods without the role": (
        snapshot_with(pods=some_pods(None, ready=False, termination_message=STS)),
        Link.PERMISSION_ERRORS,
        OK,
        None,
    ),
    "errors: several, the newest first": (
        snapshot_with(permission_errors=several_errors()),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "errors: several of stale pods": (
        snapshot_with(pods=some_pods(None, None, None, None), permission_errors=several_errors()),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "errors: of a stale pod and of a pod with the role": (
        snapshot_with(
            pods=some_pods(ROLE, None),
            permission_errors=(*errors("aws-node-01", call="ec2:AttachNetworkInterface"), *errors("aws-node-00")),
        ),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "errors: only those that the release does without": (
        snapshot_with(permission_errors=errors("aws-node-01", "aws-node-00", call="ec2:DescribeSubnets")),
        Link.PERMISSION_ERRORS,
        OK,
        None,
    ),
    **{
        f"errors: STS ends pods with {code}": (failing(sts(code)), Link.PERMISSION_ERRORS, BROKEN, Verdict.STS_ERROR)
        for code in (
            "AccessDenied",
            "InvalidIdentityToken",
            "ExpiredTokenException",
            "IDPRejectedClaim",
            "IDPCommunicationError",
            "RegionDisabledException",
            "PackedPolicyTooLarge",
            "MalformedPolicyDocument",
        )
    },
    "errors: STS ends four pods with two codes": (
        failing(sts("ExpiredToken"), sts("AccessDenied"), sts("AccessDenied"), sts("AccessDenied"), sts("AccessDenied") + "x" * 400),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.STS_ERROR,
    ),
    "errors: STS denies a role of another account": (
        replace(failing(sts("AccessDenied"), role=OF_TEAM), role=UNREAD),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.TRUST_CONDITION_WRONG,
    ),
    "errors: STS knows no provider in another account": (
        replace(failing(STS_KNOWS_NONE, role=OF_TEAM), role=UNREAD, oidc_provider=UNREAD),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.OIDC_PROVIDER_MISSING,
    ),
    "errors: STS names the thumbprint": (
        failing("AssumeRoleWithWebIdentity: InvalidIdentityToken: doesn't match configured Thumbprint", oidc_provider=UNREAD),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.OIDC_PROVIDER_MISSING,
    ),
    "errors: time-outs of four pods, one of them at the global host": (
        failing(STS, "https://sts.amazonaws.com/: context deadline exceeded", STS, STS + "x" * 400),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.STS_UNREACHABLE,
    ),
    "errors: time-outs in China": (
        failing("dial tcp: lookup sts.cn-north-1.amazonaws.com.cn: no such host", region="cn-north-1", partition="aws-cn"),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.STS_UNREACHABLE,
    ),
    "errors: a time-out after a refusal": (
        failing(f"{STS}; {sts('ExpiredToken')}"),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.STS_ERROR,
    ),
    "errors: STS ends a pod of another role": (
        snapshot_with(failing(sts("AccessDenied"), role=OF_TEAM), binding=binding()),
        Link.PERMISSION_ERRORS,
        OK,
        None,
    ),
    "health: names calls": (
        unhealthy(f"not authorized to perform: ec2:CreateTags and ec2:DescribeSubnets {'x' * 400}"),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "health: names no call": (unhealthy("access is denied"), Link.PERMISSION_ERRORS, BROKEN, Verdict.PERMISSIONS_MISSING),
    "health: names no call, and the errors are not read": (
        unhealthy("access is denied", permission_errors=NOT_READ),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "health: names a call, and the errors are not told": (
        unhealthy("not authorized to perform: ec2:CreateTags", permission_errors=UNREAD),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "health: names a call that the release does without": (
        unhealthy("not authorized to perform: ec2:DescribeSubnets"),
        Link.PERMISSION_ERRORS,
        OK,
        None,
    ),
    "health: no pod has the role for long enough": (unhealthy("access is denied", minutes=14.9), Link.PERMISSION_ERRORS, OK, None),
    "health: no binding": (unhealthy("access is denied", binding=Missing("p")), Link.PERMISSION_ERRORS, OK, None),
    "errors: STS lets nobody have the role": (
        snapshot_with(pods=some_pods(ROLE, ready=False, termination_message=STS_DENIES), role=UNREAD),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.TRUST_CONDITION_WRONG,
    ),
    "errors: STS knows no provider for the token": (
        snapshot_with(pods=some_pods(ROLE, ready=False, termination_message=STS_KNOWS_NONE), oidc_provider=UNREAD),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.OIDC_PROVIDER_MISSING,
    ),
    "errors: a time-out that is over": (snapshot_with(pods=some_pods(ROLE, termination_message=STS)), Link.PERMISSION_ERRORS, OK, None),
    # 12 nodes
    "nodes: some wait, and some of these have no pod": (
        snapshot_with(
            nodes=(*nodes(5), *nodes(9, unready=4, message=CNI_MESSAGE + "m" * 400, is_monitored=True)[5:]),
            pods=(*pods(6, ROLE), *_waiting_for("ip-10-0-0-6.eu-west-1.compute.internal")),
        ),
        Link.NODES,
        BROKEN,
        Verdict.NODES_WAITING_FOR_CNI,
    ),
    "nodes: two without a pod": (
        snapshot_with(nodes=nodes(4, unready=2), pods=pods(2, ROLE), workload=workload(desired=2, updated=2)),
        Link.NODES,
        BROKEN,
        Verdict.NODES_WAITING_FOR_CNI,
    ),
    "nodes: four with other faults": (
        snapshot_with(nodes=nodes(9, unready=4, message="m" * 400, pressures=("DiskPressure",))),
        Link.NODES,
        BROKEN,
        Verdict.NODES_NOT_READY,
    ),
    "nodes: two are silent": (
        snapshot_with(nodes=(*nodes(4), *(replace(node, ready=None, since=NOW) for node in nodes(6)[4:]))),
        Link.NODES,
        OK,
        None,
    ),
    "nodes: one joins, and two are silent": (
        snapshot_with(
            nodes=(
                *nodes(3),
                *(replace(node, since=NOW) for node in nodes(4, unready=1)[3:]),
                *(replace(node, ready=None, since=NOW) for node in nodes(6)[4:]),
            )
        ),
        Link.NODES,
        OK,
        None,
    ),
    "nodes: not Ready for several reasons": (
        snapshot_with(
            nodes=(
                *nodes(15, unready=2, message="", pressures=("DiskPressure",))[12:],
                *nodes(16, unready=1, message="", pressures=("MemoryPressure",))[15:],
                *nodes(17, unready=1, message="", shut_down=True)[16:],
            )
        ),
        Link.NODES,
        BROKEN,
        Verdict.NODES_NOT_READY,
    ),
    **{
        f"permission errors: STS answers {code}": (refused(TOKEN, code=code), Link.PERMISSION_ERRORS, BROKEN, Verdict.STS_ERROR)
        for code in ("AccessDenied", "InvalidIdentityTokenException", "ExpiredTokenException", "IDPRejectedClaimException", "Throttling")
    },
    "nodes: Ready": (snapshot_with(), Link.NODES, OK, None),
    "nodes: not read": (snapshot_with(nodes=NOT_READ), Link.NODES, NOT_APPLICABLE, None),
    "nodes: of another workload": (snapshot_with(addon_name=None, nodes=nodes(3, unready=1)), Link.NODES, NOT_APPLICABLE, None),
    "nodes: one waits": (snapshot_with(nodes=nodes(15, unready=1)), Link.NODES, BROKEN, Verdict.NODES_WAITING_FOR_CNI),
    "nodes: full disk": (
        snapshot_with(nodes=nodes(15, unready=1, message="", pressures=("DiskPressure",))),
        Link.NODES,
        BROKEN,
        Verdict.NODES_NOT_READY,
    ),
    "nodes: a second within their grace": (since(3 - 1 / 60), Link.NODES, OK, None),
    "nodes: just over their grace": (since(3), Link.NODES, BROKEN, Verdict.NODES_WAITING_FOR_CNI),
}
