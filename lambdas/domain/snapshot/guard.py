"""The guard and the warning of a ServiceAccount, compared with its binding. Pure.

Few ServiceAccounts have them, so what they evaluate is loaded only where one is installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lambdas.contract.policy_kinds import policy_name
from lambdas.domain.snapshot.bindings import wants_association
from lambdas.domain.snapshot.snapshot import Binding, InstalledPolicy, InvalidBinding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.contract.policy_kinds import PolicyKind


class GuardState(StrEnum):
    """The state of one policy of a ServiceAccount."""

    INSTALLED = "installed"
    ABSENT = "absent"
    STALE = "stale"
    DIFFERS = "differs"
    FOREIGN = "foreign"
    UNBOUND = "unbound"
    NOT_SERVED = "not-served"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class GuardComparison:
    """A policy compared with the binding. `detail` is the reason of the state; empty where the policy follows the binding or is absent."""

    state: GuardState
    detail: str = ""


def installed_policy(kind: PolicyKind, policy: Mapping[str, Any] | None, binding: Mapping[str, Any] | None) -> InstalledPolicy | None:
    """The facts of a policy and of its policy binding, each as the API server returned it; None where neither exists."""
    if policy is None and binding is None:
        return None
    from lambdas.contract import admission, guard

    return InstalledPolicy(
        kind=kind,
        is_ours=all(admission.is_managed(item) for item in (policy, binding) if item is not None),
        role_arn=guard.declared_role(policy) if policy else "",
        spec=None if policy is None else policy.get("spec") or {},
        binding_spec=None if binding is None else binding.get("spec") or {},
    )


def compare(kind: PolicyKind, account: tuple[str, str], binding: object, found: InstalledPolicy | None) -> GuardComparison:
    """Compare the policy of a ServiceAccount, `(namespace, name)`, with its binding. Whatever is no binding of a role wants no policy."""
    if found is None:
        return GuardComparison(state=GuardState.ABSENT)
    if not found.is_ours:
        name = policy_name(kind, *account)
        return GuardComparison(state=GuardState.FOREIGN, detail=f"a policy or binding named {name} belongs to another owner")
    if isinstance(binding, InvalidBinding):
        return GuardComparison(state=GuardState.UNKNOWN, detail=f"its binding {binding.reason}")
    if not isinstance(binding, Binding) or wants_association(binding):
        is_bound = isinstance(binding, Binding)
        detail = "its binding names Pod Identity, which needs no annotation" if is_bound else "it has no binding"
        return GuardComparison(state=GuardState.UNBOUND, detail=detail)
    if found.role_arn and found.role_arn != binding.role_arn:
        return GuardComparison(state=GuardState.STALE, detail=f"it keeps {found.role_arn}, and the binding names {binding.role_arn}")
    if difference := _difference(kind, account, binding, found):
        return GuardComparison(state=GuardState.DIFFERS, detail=difference)
    return GuardComparison(state=GuardState.INSTALLED)


def _difference(kind: PolicyKind, account: tuple[str, str], binding: Binding, found: InstalledPolicy) -> str:
    """What of the policy or its binding is not as the binding asks for; empty where both are."""
    if found.spec is None:
        return "its policy does not exist"
    if found.binding_spec is None:
        return "its policy binding does not exist, so it has no effect"
    from lambdas.contract import admission, guard

    expected = guard.manifests(kind, *account, binding.role_arn, binding.path)
    specs = zip(expected, (found.spec, found.binding_spec), strict=True)
    if any(not admission.is_installed(manifest, {"spec": spec}) for manifest, spec in specs):
        return "its spec is not that of this binding and version"
    return ""
