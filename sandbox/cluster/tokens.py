"""EKS bearer tokens: checked for form, by STS for the signature, and against the access entries; STS results are cached.

Source: https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/master/pkg/token/token.go
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import urllib3

from sandbox.cluster.clock import utc_now
from sandbox.cluster.http_messages import Identity
from sandbox.cluster.presigned_url import CLUSTER_HEADER, TokenRejected, check_form, presigned_url

REMEMBERED: Final = timedelta(minutes=2)
"""How long an API server caches the result of the authenticator.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#webhook-token-authentication
"""

_CONNECTIONS: Final = partial(urllib3.PoolManager, maxsize=8, block=True, retries=False)
"""Connections to STS for the serving threads; a thread waits for a free one instead of opening an extra connection."""

AccessEntries = Callable[[], Iterable[Mapping[str, Any]]]
"""Entries as `eks:DescribeAccessEntry` returns them: principalArn, username, kubernetesGroups."""


@dataclass(frozen=True)
class Caller:
    """The signer of a token, as STS identifies it."""

    arn: str
    account: str
    user_id: str

    @property
    def principal_arn(self) -> str:
        """The IAM role of an assumed role; other principals unchanged."""
        found = re.match(r"^arn:([^:]+):sts::(\d{12}):assumed-role/(.+)/[^/]+$", self.arn)
        return f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}" if found else self.arn

    @property
    def session_name(self) -> str:
        return self.user_id.partition(":")[2]


@dataclass(frozen=True, kw_only=True)
class TokenVerifier:
    """Verifies tokens for one cluster; a call returns the identity, as `authenticate` of the embedded cluster needs it.

    Args:
        cluster: the name that a token must have been signed for.
        sts_url: the local AWS, which is called for `GetCallerIdentity` instead of the host in the token.
        access_entries: called for each token, so that a removed entry is effective at once.
    """

    cluster: str
    sts_url: str
    access_entries: AccessEntries
    partition: str = "aws"
    now: Callable[[], datetime] = utc_now
    _known: dict[str, tuple[datetime, Caller]] = field(default_factory=dict, init=False, repr=False)
    _sts: urllib3.PoolManager = field(default_factory=_CONNECTIONS, init=False, repr=False)

    def __call__(self, token: str) -> Identity | None:
        try:
            return self.identity(token)
        except TokenRejected:
            return None

    def identity(self, token: str) -> Identity:
        """The Kubernetes identity of a token.

        Raises:
            TokenRejected: with the reason.
        """
        url = presigned_url(token)
        check_form(url, self.partition, self.now())
        return mapped(self._remembered(token, url), self.access_entries())

    def _remembered(self, token: str, url: str) -> Caller:
        known = self._known.get(token)
        if known is None or self.now() - known[0] >= REMEMBERED:
            known = self._known[token] = (self.now(), self._caller(url))
        return known[1]

    def _caller(self, url: str) -> Caller:
        headers = {CLUSTER_HEADER: self.cluster, "Accept": "application/json", "Host": urlsplit(url).netloc}
        try:
            answer = self._sts.request("GET", f"{self.sts_url}/?{urlsplit(url).query}", headers=headers, timeout=5.0)
        except urllib3.exceptions.HTTPError as failed:
            raise TokenRejected("STS could not be reached") from failed
        if answer.status != 200:
            raise TokenRejected(f"STS answered {answer.status}: {answer.data[:200].decode(errors='replace')}")
        found = answer.json()["GetCallerIdentityResponse"]["GetCallerIdentityResult"]
        return Caller(arn=found["Arn"], account=found["Account"], user_id=found["UserId"])


def mapped(caller: Caller, entries: Iterable[Mapping[str, Any]]) -> Identity:
    """The Kubernetes user and groups of a caller.

    Raises:
        TokenRejected: the principal has no access entry.
    """
    entry = next((each for each in entries if each["principalArn"].lower() == caller.principal_arn.lower()), None)
    if entry is None:
        raise TokenRejected(f"no access entry for {caller.principal_arn}")
    # A session name may contain an `@`, a user name may not.
    username = str(entry["username"]).replace("{{SessionName}}", caller.session_name.replace("@", "-"))
    extra = {"arn": (caller.arn,), "canonicalArn": (caller.principal_arn,), "sessionName": (caller.session_name,)}
    return Identity(username, tuple(entry.get("kubernetesGroups") or ()), extra)
