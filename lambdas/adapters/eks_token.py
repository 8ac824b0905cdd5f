"""The bearer token for an EKS cluster: a presigned STS URL, as `aws eks get-token` makes it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final

from lambdas.adapters.aws_errors import translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambdas.adapters.aws_session import AwsSession

PREFIX: Final = "k8s-aws-v1."
LIFETIME: Final = timedelta(minutes=10)
"""STS takes the URL for 15 minutes from its date, whatever it says itself; the rest is for clocks that differ.

Source: https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/HEAD/pkg/token/token.go
"""
_EXPIRES_S: Final = 60  # by convention; the authenticator takes 0 to 900
_DNS_SUFFIX: Final = {"aws-cn": "amazonaws.com.cn"}


@dataclass(frozen=True)
class _Made:
    token: str
    at: datetime
    until: datetime


class Tokens:
    """Makes tokens by cluster name, and gives the same one again while it is valid."""

    def __init__(self, session: AwsSession, partition: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._session = session
        self._url = (
            f"https://sts.{session.region}.{_DNS_SUFFIX.get(partition, 'amazonaws.com')}/?Action=GetCallerIdentity&Version=2011-06-15"
        )
        self._now = now
        self._made: dict[str, _Made] = {}
        self._lock = Lock()

    def get(self, cluster: str) -> str:
        """A token that is valid now. The regional endpoint is used, since only the partition `aws` has a global one.

        Raises:
            AccessDenied: the process has no credentials.
        """
        with self._lock:
            made = self._made.get(cluster)
            if made is None or self._now() >= made.until:
                made = self._made[cluster] = self._make(cluster)
            return made.token

    def forget(self, cluster: str, refused: str) -> bool:
        """Drop a token that a server refused. True where another may fare better: it was not made just now."""
        with self._lock:
            made = self._made.get(cluster)
            if made is None or made.token != refused:
                return True
            del self._made[cluster]
            return self._now() - made.at > timedelta(seconds=5)

    def _make(self, cluster: str) -> _Made:
        from botocore.hooks import HierarchicalEmitter
        from botocore.model import ServiceId
        from botocore.signers import RequestSigner

        at = self._now()
        with translated(f"sign a token for cluster {cluster}"):
            credentials = self._session.credentials()
            credentials.get_frozen_credentials()  # refreshes them now, where what goes wrong is translated
        emitter = HierarchicalEmitter()  # the signer holds it by a weak reference
        signer = RequestSigner(ServiceId("sts"), self._session.region, "sts", "v4", credentials, emitter)
        request = {"method": "GET", "url": self._url, "body": {}, "headers": {"x-k8s-aws-id": cluster}, "context": {}}
        signed = signer.generate_presigned_url(request, operation_name="", expires_in=_EXPIRES_S, region_name=self._session.region)
        token = PREFIX + base64.urlsafe_b64encode(signed.encode()).decode().rstrip("=")
        # Credentials that are refreshed tell when they end; a token lives no longer than the credentials that signed it.
        end = getattr(credentials, "_expiry_time", None)
        return _Made(token, at, min(at + LIFETIME, end) if end else at + LIFETIME)
