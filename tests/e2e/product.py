"""The product's cluster adapter, logged in as one of its functions."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime

from botocore.credentials import Credentials

from lambdas.adapters.aws_session import AwsSession
from lambdas.adapters.cluster import Cluster, Clusters
from lambdas.adapters.eks_token import Tokens
from lambdas.contract.names import CHECKER_GROUP, REMEDIATOR_GROUP
from lambdas.domain.errors import AccessDenied
from lambdas.domain.snapshot.snapshot import ClusterFacts
from sandbox.control_plane.authenticator import AccessEntry
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e.identities import ACCOUNT, CHECKER, REGION, REMEDIATOR, Session

ACCESS_ENTRIES = (AccessEntry(CHECKER.role_arn, (CHECKER_GROUP,)), AccessEntry(REMEDIATOR.role_arn, (REMEDIATOR_GROUP,)))


class SessionOf(AwsSession):
    """An AWS session with a role's temporary credentials, as a function has."""

    def __init__(self, session: Session) -> None:
        super().__init__(REGION)
        self._own = Credentials(session.access_key_id, session.secret, f"session token of {session.role}")

    def credentials(self) -> Credentials:
        return self._own


def facts(control_plane: ControlPlane, *, name: str | None = None, url: str | None = None) -> ClusterFacts:
    """The facts that DescribeCluster would return; another name signs tokens for another cluster."""
    name = name or control_plane.cluster_name
    return ClusterFacts(
        name=name,
        arn=f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{name}",
        version="1.36",
        status="ACTIVE",
        endpoint=url or control_plane.url,
        certificate_authority=base64.b64encode(control_plane.ca_pem.encode()).decode(),
        issuer="https://oidc.eks.eu-west-1.amazonaws.com/id/77D0",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def log_in(control_plane: ControlPlane, session: Session, *, name: str | None = None, url: str | None = None) -> Cluster:
    """The adapter with tokens of this session; `url` leads it through a proxy."""
    return Clusters(Tokens(SessionOf(session), "aws"), session.role_arn).login(facts(control_plane, name=name, url=url))


def logged_in(port: Cluster) -> bool:
    """Whether the cluster lets us in yet."""
    return allowed(port.nodes)


def allowed(call: Callable[[], object]) -> bool:
    """Call it, and return whether it was allowed. Authenticator and authorizer apply changes with a delay."""
    try:
        call()
    except AccessDenied:
        return False
    return True
