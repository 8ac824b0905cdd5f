"""Makes foreign text safe for errors, log lines and messages: without credentials, on one line."""

import re
from typing import Final

REDACTED: Final = "[redacted]"
_EKS_PREFIX: Final = "k8s-aws-v1."

_CREDENTIALS: Final = re.compile(
    r"""
    (?P<eks>k8s-aws-v1\.)[\w\-=%.+/]+                              # a presigned URL of STS: valid as this role for 15 minutes
    | (?P<bearer>\bBearer\s+)[\w\-=.~+/]{8,}
    | (?P<query>\bX-Amz-(?:Signature|Security-Token|Credential)(?:=|%3D))[^\s&"'<>]*
    | (?P<jwt>\beyJ)[\w\-]{8,}\.[\w\-]+\.[\w\-]*                   # the token of a ServiceAccount
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


def redacted(text: str, *secrets: str) -> str:
    """The text without bearer tokens, presigned signatures and session tokens, and without the given secrets.

    The prefix stays, so that a reader sees what kind of credential was there. Redacting twice changes nothing more.

    Source: https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html
    """
    for secret in secrets:
        for part in (secret, secret.removeprefix(_EKS_PREFIX)):
            text = text.replace(part, REDACTED) if part else text
    return _CREDENTIALS.sub(lambda match: f"{match[match.lastgroup or 0]}{REDACTED}", text)


def printable(text: str) -> str:
    """One line of any length: white space becomes a blank, and any other control character a replacement character."""
    joined = " ".join(text.split())
    return joined if joined.isprintable() else "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in joined)
