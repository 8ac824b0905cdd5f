"""A Kubernetes API server in this process: reachable over HTTPS, and through its store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from sandbox.cluster.api_server import ApiServer
from sandbox.cluster.bootstrap import bootstrap
from sandbox.cluster.errors import ApiError, unauthorized
from sandbox.cluster.faults import ConnectionBreak, Fault, Faults, refusal
from sandbox.cluster.http_messages import ANONYMOUS, AUTHENTICATED, Identity, Request, RequestRecord, Response, json_response
from sandbox.cluster.object_store import ObjectStore
from sandbox.cluster.pod_admission import pod_admission
from sandbox.cluster.rbac import Authorizer
from sandbox.cluster.request_info import request_info
from sandbox.cluster.resources import PODS, Object, resource_of
from sandbox.cluster.self_reviews import self_review
from sandbox.cluster.tls_server import TlsServer

if TYPE_CHECKING:
    import trustme

    from sandbox.cluster.pod_admission import Mutate

__all__ = ["EmbeddedCluster", "Identity"]

Authenticate = Callable[[str], Identity | None]


class EmbeddedCluster:
    """An API server double on a free loopback port; a context manager.

    Args:
        name: the cluster's name, for people.
        authenticate: bearer token -> identity, or None if the token is refused.
        certificate: the authority that issues the server certificate for 127.0.0.1 and localhost.
        version: Kubernetes version, like `1.28`.
        rbac: initial roles and bindings; other kinds are accepted too.
        mutate_pod: called for each new pod, like a mutating webhook.
    """

    def __init__(
        self,
        name: str,
        *,
        authenticate: Authenticate,
        certificate: trustme.CA,
        version: str = "1.28",
        rbac: Iterable[Mapping[str, Any]] = (),
        mutate_pod: Mutate | None = None,
    ) -> None:
        self.name = name
        self.store = ObjectStore()
        self.requests: list[RequestRecord] = []
        self.faults = Faults()
        self.ca_pem: bytes = certificate.cert_pem.bytes()
        self._authenticate = authenticate
        self._authorizer = Authorizer(self.store)
        self._api = ApiServer(self.store, version)
        self._users: dict[int, str] = {}
        self._server = TlsServer(certificate.issue_cert("127.0.0.1", "localhost"), self._answer, self._record)
        self.url = self._server.url
        bootstrap(self.store)
        self.store.admission[PODS] = pod_admission(self.store, mutate_pod)
        for manifest in rbac:
            self.apply(manifest, "bootstrap")

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def apply(self, manifest: Mapping[str, Any], manager: str) -> Object:
        """Create or apply an object, taking over fields of other managers."""
        return self.store.apply(resource_of(manifest), manifest, by=manager)

    def expire_continue_tokens(self) -> None:
        """Let every continue token issued so far answer 410."""
        self._api.pager.expire()

    def _answer(self, request: Request) -> Response | None:
        fault = self.faults.take(request)
        try:
            return self._served(request, fault)
        except ApiError as refused:
            headers = {} if refused.retry_after_s is None else {"Retry-After": str(refused.retry_after_s)}
            return json_response(refused.code, refused.status, headers)

    def _served(self, request: Request, fault: Fault | None) -> Response | None:
        if fault:
            self._apply_fault(fault, request)
        if fault and fault.close is ConnectionBreak.BEFORE:
            return None
        info = request_info(request)
        identity = self._identify(request)
        self._users[id(request)] = identity.username
        if fault and fault.status:
            raise refusal(fault)
        response = self_review(request, info, identity, self._authorizer)
        if response is None:
            self._authorizer.check(identity, info)
            response = self._api.serve(request, info)
        return None if fault and fault.close is ConnectionBreak.AFTER else response

    def _apply_fault(self, fault: Fault, request: Request) -> None:
        time.sleep(fault.delay_s)
        fault.meanwhile(request)
        if fault.expire_continue:
            self.expire_continue_tokens()

    def _identify(self, request: Request) -> Identity:
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return ANONYMOUS
        found = self._authenticate(token.strip())
        if found is None:
            raise unauthorized()
        return Identity(found.username, (*found.groups, AUTHENTICATED), found.extra)

    def _record(self, request: Request, status: int, response_bytes: int) -> None:
        user = self._users.pop(id(request), "")
        self.requests.append(
            RequestRecord(
                method=request.method,
                path=request.path,
                query=request.query,
                user=user,
                status=status,
                response_bytes=response_bytes,
                when=self.store.now(),
            )
        )
