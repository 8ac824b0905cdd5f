"""The webhook as an HTTPS server that answers `AdmissionReview`s."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Self

import orjson

from sandbox.cluster.http_messages import Request, Response, json_response
from sandbox.cluster.tls_server import TlsServer
from sandbox.webhook.identity_webhook import Outage

if TYPE_CHECKING:
    import trustme

    from sandbox.webhook.identity_webhook import IdentityWebhook

NAME = "pod-identity-webhook"
_PATH = "/mutate"


class WebhookServer:
    """Serves an identity webhook on a free loopback port; a context manager."""

    def __init__(self, webhook: IdentityWebhook, certificate: trustme.CA) -> None:
        self.webhook = webhook
        self._ca_pem: bytes = certificate.cert_pem.bytes()
        self._server = TlsServer(certificate.issue_cert("127.0.0.1", "localhost"), self._answer)
        self.url = self._server.url

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def configuration(self) -> dict[str, Any]:
        """The `MutatingWebhookConfiguration` for this server, with the failure policy of EKS."""
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": NAME},
            "webhooks": [
                {
                    "name": "iam-for-pods.amazonaws.com",
                    "clientConfig": {"url": f"{self.url}{_PATH}", "caBundle": base64.b64encode(self._ca_pem).decode()},
                    "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "*"}],
                    "failurePolicy": "Ignore",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "timeoutSeconds": 10,
                }
            ],
        }

    def _answer(self, request: Request) -> Response | None:
        if self.webhook.faults.drop_connections:
            return None
        if request.method != "POST" or request.path != _PATH:
            return Response(status=404, body=b"404 page not found\n", content_type="text/plain; charset=utf-8")
        try:
            return json_response(200, self.webhook.review(orjson.loads(request.body)))
        except Outage as out:
            return Response(status=500, body=str(out).encode(), content_type="text/plain; charset=utf-8")
