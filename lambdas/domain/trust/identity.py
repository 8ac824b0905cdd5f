"""The claims of a pod's token, and issuers as trust policies spell them."""

import re
from dataclasses import dataclass
from typing import Final

from lambdas.domain.trust.conditions import Context
from lambdas.domain.trust.statements import Request

ACTION: Final = "sts:AssumeRoleWithWebIdentity"
FEDERATED: Final = "Federated"
_PROVIDER: Final = "oidc-provider/"
_EKS_HOST: Final = re.compile(r"(^|[.-])eks([.-]|$)")
_OPAQUE: Final = ("aws:", "sts:")
_OTHER_CLAIMS: Final = ("amr", "email", "oaud")
"""Claims of a token, besides `aud` and `sub`, that IAM documents as condition keys."""


@dataclass(frozen=True, kw_only=True)
class WebIdentity:
    """The claims of the pod's token.

    `provider_arn` is `arn:<partition>:iam::<account>:oidc-provider/<issuer without https://>`, with the issuer of `DescribeCluster`.
    `subject` is `system:serviceaccount:<namespace>:<name>`.
    """

    provider_arn: str
    subject: str
    audience: str = "sts.amazonaws.com"

    @property
    def issuer(self) -> str:
        """The issuer without its scheme: the prefix of condition keys."""
        return issuer_in(self.provider_arn)

    @property
    def claims(self) -> dict[str, str]:
        """Condition key -> value, for the keys that IAM fills from an EKS token.

        Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
        """
        return {f"{self.issuer}:aud": self.audience, f"{self.issuer}:sub": self.subject}


def request_of(identity: WebIdentity) -> Request:
    """The call to STS that the pod's SDK makes.

    Global keys, STS keys and the further documented claims of the same issuer may be present with unknown values; `aws:SecureTransport` is
    always true. Keys of other issuers and services, and misspelt claims, are not part of the request.
    Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport
    """
    known = {key.lower(): value for key, value in identity.claims.items()} | {"aws:securetransport": "true"}
    context = Context(known=known, opaque=(*_OPAQUE, *(f"{identity.issuer.lower()}:{claim}" for claim in _OTHER_CLAIMS)))
    return Request(action=ACTION, kind=FEDERATED, principal=identity.provider_arn, context=context)


def issuer_in(text: str) -> str:
    """The issuer in a provider ARN, a URL or the prefix of a condition key; a bare issuer is returned unchanged."""
    return text.rpartition(_PROVIDER)[2].removeprefix("https://").rstrip("/")


def is_cluster_issuer(issuer: str) -> bool:
    """Whether an issuer looks like one of an EKS cluster, in either spelling of its host or a misspelt one."""
    return bool(_EKS_HOST.search(issuer.partition("/")[0].lower()))


def same_cluster(one: str, other: str) -> bool:
    """Whether two issuers have the same ID, so that only host or region differ."""
    return one.rpartition("/")[2] == other.rpartition("/")[2]


def difference(found: str, identity: WebIdentity) -> str:
    """A text on how a provider or issuer in a policy differs from the cluster's."""
    other, own = issuer_in(found), identity.issuer
    if other == own:
        return f"it names {found}, this cluster's provider is {identity.provider_arn}"
    if same_cluster(other, own):
        return f"it writes the issuer as {other}, EKS reports {own}: for IAM these are two providers"
    return f"it names the OIDC provider of another cluster ({_short(other)}, this cluster is {_short(own)})"


def _short(issuer: str) -> str:
    head, found, tail = issuer.rpartition("/id/")
    return f"…{found}{tail}" if head else issuer
