"""EKS bearer tokens: checked for form, for signature, at STS, and against the access entries; STS is asked once a token.

Source: https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/master/pkg/token/token.go
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import urllib3

from sandbox.cluster.clock import utc_now
from sandbox.cluster.presigned import CLUSTER_HEADER, TokenRefused, check_form, presigned_url
from sandbox.cluster.sigv4 import presigned_signature
from sandbox.cluster.wire import Identity

REMEMBERED: Final = timedelta(minutes=2)
"""How long an API server remembers what the authenticator said of a token.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#webhook-token-authentication
"""

AccessEntries = Callable[[], Iterable[Mapping[str, Any]]]
"""Entries as `eks:DescribeAccessEntry` gives them: principalArn, username, kubernetesGroups."""


@dataclass(frozen=True)
class Caller:
    """Who signed a token, as STS tells it."""

    arn: str
    account: str
    user_id: str

    @property
    def principal_arn(self) -> str:
        """The IAM role behind an assumed role; any other principal as it is."""
        found = re.match(r"^arn:([^:]+):sts::(\d{12}):assumed-role/(.+)/[^/]+$", self.arn)
        return f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}" if found else self.arn

    @property
    def session_name(self) -> str:
        return self.user_id.partition(":")[2]


@dataclass(frozen=True, kw_only=True)
class TokenVerifier:
    """Checks tokens for one cluster; called with a token, it is an `authenticate` of the embedded cluster.

    Args:
        cluster: the name that a token must have been signed for.
        sts_url: where `GetCallerIdentity` is asked, instead of the host inside the token.
        secret_of: access key id -> secret access key, None for an unknown one.
        access_entries: read anew for each token, so that a removed entry counts at once.
    """

    cluster: str
    sts_url: str
    secret_of: Callable[[str], str | None]
    access_entries: AccessEntries
    partition: str = "aws"
    now: Callable[[], datetime] = utc_now
    _known: dict[str, tuple[datetime, Caller]] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, token: str) -> Identity | None:
        try:
            return self.identity(token)
        except TokenRefused:
            return None

    def identity(self, token: str) -> Identity:
        """The Kubernetes identity behind a token.

        Raises:
            TokenRefused: says why.
        """
        url = presigned_url(token)
        query = check_form(url, self.partition, self.now())
        self._check_signature(urlsplit(url).netloc, query)
        return mapped(self._remembered(token, url), self.access_entries())

    def _remembered(self, token: str, url: str) -> Caller:
        known = self._known.get(token)
        if known is None or self.now() - known[0] >= REMEMBERED:
            known = self._known[token] = (self.now(), self._caller(url))
        return known[1]

    def _check_signature(self, host: str, query: Mapping[str, str]) -> None:
        """moto answers whatever the signature is; STS does not."""
        secret = self.secret_of(query.get("X-Amz-Credential", "").split("/")[0])
        if secret is None:
            raise TokenRefused("the access key is unknown")
        headers = {"host": host, CLUSTER_HEADER: self.cluster}
        try:
            wanted = presigned_signature(query, headers, secret)
        except (KeyError, ValueError) as missing:
            raise TokenRefused("the signature cannot be computed from what the URL carries") from missing
        if not hmac.compare_digest(wanted, query["X-Amz-Signature"]):
            raise TokenRefused(f"the signature does not hold for cluster {self.cluster}")

    def _caller(self, url: str) -> Caller:
        headers = {CLUSTER_HEADER: self.cluster, "Accept": "application/json", "Host": urlsplit(url).netloc}
        # moto finds the caller by the Authorization header alone; STS reads the same from the query of a presigned URL.
        credential = dict(parse_qsl(urlsplit(url).query)).get("X-Amz-Credential", "")
        headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=presigned"
        try:
            answer = urllib3.request("GET", f"{self.sts_url}/?{urlsplit(url).query}", headers=headers, timeout=5.0, retries=False)
        except urllib3.exceptions.HTTPError as failed:
            raise TokenRefused("STS could not be reached") from failed
        if answer.status != 200:
            raise TokenRefused(f"STS answered {answer.status}")
        return _parse_caller(answer.data)


def _parse_caller(body: bytes) -> Caller:
    """JSON is what was asked for, and what STS and the sandbox's gateway give; moto alone answers in XML."""
    if body.lstrip().startswith(b"{"):
        found = json.loads(body)["GetCallerIdentityResponse"]["GetCallerIdentityResult"]
    else:
        namespace = "{https://sts.amazonaws.com/doc/2011-06-15/}"
        root = ET.fromstring(body)  # noqa: S314 - the answer of the sandbox's own STS
        found = {each.tag.removeprefix(namespace): each.text or "" for each in root.iter()}
    return Caller(arn=found["Arn"], account=found["Account"], user_id=found["UserId"])


def mapped(caller: Caller, entries: Iterable[Mapping[str, Any]]) -> Identity:
    """The Kubernetes user and groups of a caller.

    Raises:
        TokenRefused: no entry is for this principal.
    """
    entry = next((each for each in entries if each["principalArn"].lower() == caller.principal_arn.lower()), None)
    if entry is None:
        raise TokenRefused(f"no access entry for {caller.principal_arn}")
    # A session name may hold an `@`, a user name may not.
    username = str(entry["username"]).replace("{{SessionName}}", caller.session_name.replace("@", "-"))
    extra = {"arn": (caller.arn,), "canonicalArn": (caller.principal_arn,), "sessionName": (caller.session_name,)}
    return Identity(username, tuple(entry.get("kubernetesGroups") or ()), extra)
