"""The command line's access to the real control plane, with a token instead of AWS credentials."""

from typing import Any

from cli.clients.cluster_login import UserClusters, UserKubernetesApi
from lambdas.domain.snapshot.snapshot import ClusterFacts
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e.product import facts


class FixedToken:
    """One bearer token for every cluster."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get(self, _cluster: str) -> str:
        return self._token

    def forget(self, _cluster: str, _refused: str) -> bool:
        return False


class TokenLogin:
    """Logs in with this token, or the administrator's."""

    def __init__(self, control_plane: ControlPlane, token: str = "") -> None:
        self._control_plane = control_plane
        self._token = token or control_plane.admin_token

    def open(self, described: ClusterFacts) -> UserKubernetesApi:
        tokens: Any = FixedToken(self._token)
        return UserKubernetesApi(described.name, described.endpoint, self._control_plane.ca_pem, tokens)


class OneCluster:
    """The part of the EKS port that names this cluster."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._facts = facts(control_plane)

    def cluster(self, _name: str) -> ClusterFacts:
        return self._facts


def clients_of(control_plane: ControlPlane, token: str = "") -> tuple[Any, Any, UserClusters]:
    """The arguments of `UserClusterAccess`: no AWS session, the cluster, and the login."""
    return None, OneCluster(control_plane), UserClusters(TokenLogin(control_plane, token))
