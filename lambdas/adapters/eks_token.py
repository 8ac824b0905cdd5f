"""The bearer token for an EKS cluster: a presigned STS URL, as `aws eks get-token` makes it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final

from lambdas.adapters.aws_errors import translated
from lambdas.contract.partitions import DNS_SUFFIXES
from lambdas.domain.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambdas.adapters.aws_session import AwsSession

PREFIX: Final = "k8s-aws-v1."
LIFETIME: Final = timedelta(minutes=10)
"""STS accepts the URL for 15 minutes from its date, regardless of its expiry parameter. The margin allows for clock skew.

Source: https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/HEAD/pkg/token/token.go
"""
_EXPIRES_S: Final = 60  # by convention; the authenticator accepts 0 to 900


@dataclass(frozen=True)
class _Token:
    text: str
    created_at: datetime
    expires_at: datetime


class Tokens:
    """Creates tokens by cluster name, and reuses each while it is valid."""

    def __init__(self, session: AwsSession, partition: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._session = session
        self._partition = partition
        self._now = now
        self._tokens: dict[str, _Token] = {}
        self._lock = Lock()

    def get(self, cluster: str) -> str:
        """A valid token, for the regional endpoint, since only the partition `aws` has a global one.

        Raises:
            AccessDenied: the process has no credentials.
            PermanentError: the partition is not known.
        """
        with self._lock:
            token = self._tokens.get(cluster)
            if token is None or self._now() >= token.expires_at:
                token = self._tokens[cluster] = self._create(cluster)
            return token.text

    def forget(self, cluster: str, rejected: str) -> bool:
        """Drop a token that a server rejected. True if a new token may be accepted, since this one was not created just now."""
        with self._lock:
            token = self._tokens.get(cluster)
            if token is None or token.text != rejected:
                return True
            del self._tokens[cluster]
            return self._now() - token.created_at > timedelta(seconds=5)

    def _create(self, cluster: str) -> _Token:
        from botocore.hooks import HierarchicalEmitter
        from botocore.model import ServiceId
        from botocore.signers import RequestSigner

        created_at = self._now()
        if self._partition not in DNS_SUFFIXES:
            raise PermanentError(f"the partition {self._partition} is not known; update the remediator")
        with translated(f"sign a token for cluster {cluster}"):
            credentials = self._session.credentials()
            credentials.get_frozen_credentials()  # refreshes them here, where `translated` catches an error
        emitter = HierarchicalEmitter()  # a local variable, because the signer holds a weak reference
        signer = RequestSigner(ServiceId("sts"), self._session.region, "sts", "v4", credentials, emitter)
        url = f"https://sts.{self._session.region}.{DNS_SUFFIXES[self._partition]}/?Action=GetCallerIdentity&Version=2011-06-15"
        request = {"method": "GET", "url": url, "body": {}, "headers": {"x-k8s-aws-id": cluster}, "context": {}}
        signed = signer.generate_presigned_url(request, operation_name="", expires_in=_EXPIRES_S, region_name=self._session.region)
        text = PREFIX + base64.urlsafe_b64encode(signed.encode()).decode().rstrip("=")
        # Refreshable credentials have an expiry time; a token must not outlive the credentials that signed it.
        expiry = getattr(credentials, "_expiry_time", None)
        return _Token(text, created_at, min(created_at + LIFETIME, expiry) if expiry else created_at + LIFETIME)
