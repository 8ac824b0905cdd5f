"""The roles that may be written into annotations, pods and add-on records: decided by the deployment, not by parameters. Pure."""

from collections.abc import Iterable
from typing import Final

from lambdas.domain.trust.patterns import arn_matches

NOT_KNOWN: Final = "*"
"""The bounds of a run without a deployed stack: nothing says which roles are allowed."""


def why_outside(role_arn: str, *, account: str, bound_roles: Iterable[str]) -> str | None:
    """Why this role must not be written, or None where it may be.

    `bound_roles` bounds every role where it is configured. Without it, only roles of the deployment's own account are allowed.
    """
    patterns = [pattern for pattern in bound_roles if pattern not in ("", NOT_KNOWN)]
    if patterns:
        return None if _is_any(role_arn, patterns) else f"{role_arn} is outside bound_roles: {TO_ALLOW}"
    if account_of(role_arn) != account:
        return f"{role_arn} belongs to account {account_of(role_arn) or 'unknown'}, which is not configured: {TO_ALLOW}"
    return None


TO_ALLOW: Final = "correct the binding, or add the role to bound_roles and deploy"


def is_passable(role_arn: str, *, account: str, bound_roles: Iterable[str]) -> bool:
    """Whether IAM lets the remediator pass the role to EKS: a bound role of its own account."""
    patterns = tuple(bound_roles)
    return account_of(role_arn) == account and (NOT_KNOWN in patterns or _is_any(role_arn, patterns))


def account_of(role_arn: str) -> str:
    """The account of a role's ARN; empty where the text is no ARN."""
    parts = role_arn.split(":")
    return parts[4] if len(parts) > 5 else ""  # noqa: PLR2004  # an ARN has six parts


def _is_any(role_arn: str, patterns: Iterable[str]) -> bool:
    return any(arn_matches(pattern, role_arn, variables=False) is True for pattern in patterns)
