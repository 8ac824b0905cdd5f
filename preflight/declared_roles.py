"""Findings about add-ons whose roles other files declare."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from preflight import rules
from preflight.iam_policies import Access
from preflight.role_trust import pod_identity_trust, service_account_trust

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.context import DeclaredRole
    from preflight.finding import Finding


def findings_of_declared_role(role: DeclaredRole, addon: Finding, provider: str | None, *, is_association: bool) -> Iterator[Finding]:
    """Return the findings about an add-on whose role is declared in another file.

    Args:
        addon: a finding at the place of the add-on, whose rule and message are replaced.
    """
    if role.trust is not None:
        answer = service_account_trust(role.trust, provider)
        allowed, reason = pod_identity_trust(role.trust) if is_association else (answer.allowed, answer.reason)
        if allowed is False:
            yield replace(addon, rule=rules.TRUST_WRONG, message=f"Role {role.name} is in another file. {reason}.")
    if role.access is Access.MISSING:
        message = f"Role {role.name} is in another file, without a policy that allows the calls of the VPC CNI."
        yield replace(addon, rule=rules.POLICY_MISSING, message=message)
