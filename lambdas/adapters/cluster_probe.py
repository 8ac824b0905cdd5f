"""The way to the API server of a cluster, step by step: name, connection, certificate, login and permissions."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from lambdas.adapters.cluster import authority_pem
from lambdas.adapters.kubernetes_api import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, KubernetesApi, tls_context
from lambdas.domain.errors import AccessDenied, Denial, PermanentError
from lambdas.domain.ports import ClusterIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.adapters.eks_token import Tokens
    from lambdas.contract.access import AccessQuestion
    from lambdas.domain.snapshot.snapshot import ClusterFacts

_MAX_ADDRESSES: Final = 4
"""Addresses of a name that an answer lists."""
_WHO_AM_I: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_MAY_I: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class ClusterProbe:
    """Implements `ClusterProbePort`. `role_arn` is the role behind the tokens, which errors name.

    Kubernetes allows both reviews to every authenticated user, so they need no rule of ours.
    Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#discovery-roles
    """

    def __init__(self, tokens: Tokens, role_arn: str = "") -> None:
        self._tokens = tokens
        self._role_arn = role_arn
        self._apis: dict[str, KubernetesApi] = {}

    def resolve(self, facts: ClusterFacts) -> tuple[str, ...]:
        host, port = _address(facts)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise _unreachable(f"resolve {host}", error) from error
        return tuple(dict.fromkeys(str(address[0]) for *_, address in found))[:_MAX_ADDRESSES]

    def connect(self, facts: ClusterFacts) -> None:
        with self._socket(facts):
            return

    def handshake(self, facts: ClusterFacts) -> str:
        host, _ = _address(facts)
        context = tls_context(facts.name, authority_pem(facts))
        with self._socket(facts) as connection:
            connection.settimeout(READ_TIMEOUT_S)
            try:
                with context.wrap_socket(connection, server_hostname=host) as secured:
                    return secured.version() or ""
            except ssl.SSLCertVerificationError as error:
                text = f"TLS handshake with {host}: {error.verify_message}"
                raise AccessDenied(text, denial=Denial.CERTIFICATE) from error
            except OSError as error:
                raise _unreachable(f"TLS handshake with {host}", error) from error

    def identity(self, facts: ClusterFacts) -> ClusterIdentity:
        question = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        return self._api(facts).review("log in", _WHO_AM_I, question, _identity)

    def allows(self, facts: ClusterFacts, question: AccessQuestion) -> bool:
        attributes = {
            "verb": question.verb,
            "group": question.group,
            "resource": question.resource,
            "namespace": question.namespace,
            "name": question.name,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {name: value for name, value in attributes.items() if value}},
        }
        return self._api(facts).review(f"ask whether it may {question}", _MAY_I, body, lambda answer: answer["status"]["allowed"] is True)

    def _api(self, facts: ClusterFacts) -> KubernetesApi:
        if facts.name not in self._apis:
            api = KubernetesApi(facts.name, facts.endpoint, authority_pem(facts), self._tokens, self._role_arn)
            self._apis[facts.name] = api
        return self._apis[facts.name]

    def _socket(self, facts: ClusterFacts) -> socket.socket:
        host, port = _address(facts)
        try:
            return socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S)
        except OSError as error:
            raise _unreachable(f"connect to {host}:{port}", error) from error


def _address(facts: ClusterFacts) -> tuple[str, int]:
    address = urlsplit(facts.endpoint)
    if address.scheme != "https" or not address.hostname:
        raise PermanentError(f"cluster {facts.name} has no https endpoint yet")
    return address.hostname, address.port or 443


def _unreachable(attempt: str, error: OSError) -> AccessDenied:
    return AccessDenied(f"{attempt}: {error.strerror or error}", denial=Denial.UNREACHABLE)


def _identity(answer: Mapping[str, Any]) -> ClusterIdentity:
    user = answer["status"]["userInfo"]
    return ClusterIdentity(username=str(user["username"]), groups=frozenset(map(str, user.get("groups") or ())))
