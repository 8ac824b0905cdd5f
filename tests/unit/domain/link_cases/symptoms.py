"""Cases of what fails: permission errors and nodes."""

from dataclasses import replace
from datetime import datetime, timedelta

from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.requests.request import Refusal
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    NodeFacts,
    Snapshot,
)
from tests.unit.domain.link_cases.fixtures import BROKEN, NOT_APPLICABLE, OK, UNKNOWN, UNREAD, Case
from tests.unit.domain.snapshot_fixtures import errors, snapshot_with, some_pods, workload
from tests.unit.notifications.snapshots import NOW, ROLE, nodes, pods

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
