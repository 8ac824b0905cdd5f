"""The role behind the add-on: whether the plan takes it away, and whether its trust policy lets aws-node in."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambdas.domain.trust import Allowed, Refused, WebIdentity, as_terraform, changed_lines, correct, evaluate, evaluate_pod_identity
from preflight.finding import Finding
from preflight.oidc_providers import Providers, provider_for
from preflight.rules import Rule
from preflight.rules import files as rules
from preflight.terraform.addons import ROLE, associated, cni_addons, role_after, role_before
from preflight.terraform.configuration import expression, module_names, roles_behind
from preflight.terraform.plan import Change, Plan, UnknownValue, fields, members, text

_SUBJECT: Final = "system:serviceaccount:kube-system:aws-node"
_CLUSTER: Final = "aws_eks_cluster"
_ROLE: Final = "aws_iam_role"
_POLICY: Final = "assume_role_policy"


@dataclass(frozen=True, kw_only=True)
class RoleTrust:
    """A role with its trust policy as the plan leaves it: JSON text, None where it is decided later. `changes`: whether the plan does."""

    address: str
    policy: str | None
    expression: str = ""
    changes: bool = False


def role_concerns(plan: Plan, file: str, providers: Providers) -> Iterator[Finding]:
    """What there is to say about the roles that vpc-cni add-ons have or get."""
    for change in cni_addons(plan):
        if change.after is None:
            continue
        yield from _taken_away(plan, change, file)
        association, role = associated(plan, change), role_after(change)
        if isinstance(association, str):
            for trusted in _roles_with(plan, association):
                yield from _pod_trust(trusted, file)
        elif not isinstance(association, UnknownValue):
            for trusted in _roles_with(plan, role) if isinstance(role, str) else _roles_of(plan, change):
                yield from _trust(plan, change, trusted, file, providers)


def _taken_away(plan: Plan, addon: Change, file: str) -> Iterator[Finding]:
    named = {role_before(addon), role_after(addon)} - {""}
    for role in plan.of_type(_ROLE):
        if role.is_deleted and text((role.before or {}).get("arn")) in named:
            how = "replaced" if role.after is not None else "deleted"
            message = f"{addon.address} uses this role, which is {how}: running aws-node pods lose their credentials."
            yield _concern(rules.ROLE_REMOVED, role.address, file, message)


def _roles_with(plan: Plan, arn: str) -> Iterator[RoleTrust]:
    """The roles of the plan with this ARN, managed ones first; data sources too, since a plan reads them."""
    if not arn:
        return
    for role in plan.of_type(_ROLE):
        if role.after is not None and arn in (text(role.after.get("arn")), text((role.before or {}).get("arn"))):
            yield _trusted(plan, role)
    for data in plan.prior:
        if data.type == _ROLE and data.mode == "data" and data.values.get("arn") == arn:
            yield RoleTrust(address=data.address, policy=text(data.values.get(_POLICY)))


def _roles_of(plan: Plan, addon: Change) -> Iterator[RoleTrust]:
    """The one role whose ARN the add-on gets, where the ARN is not known yet but its source is."""
    behind = roles_behind(plan, addon, ROLE) or frozenset()
    found = [item for item in plan.of_type(_ROLE) if item.after is not None and (module_names(item.module), item.config_address) in behind]
    if len(found) == 1:
        yield _trusted(plan, found[0])


def _trusted(plan: Plan, role: Change) -> RoleTrust:
    policy = role.after_value(_POLICY)
    return RoleTrust(
        address=role.address,
        policy=None if isinstance(policy, UnknownValue) else text(policy),
        expression=expression(plan, role, _POLICY),
        changes=role.actions != ("no-op",),
    )


def _trust(plan: Plan, addon: Change, role: RoleTrust, file: str, providers: Providers) -> Iterator[Finding]:
    cluster = addon.after_value("cluster_name")
    provider = _provider(plan, addon) or (provider_for(cluster, providers) if isinstance(cluster, str) else None)
    whose = f"of cluster {cluster}" if isinstance(cluster, str) else "of the cluster"
    if role.policy is not None and provider is None and not role.changes and not _is_planned(plan, cluster):
        return  # the cluster is not in this plan, and the policy stays as it is: nothing of it is decided here
    if role.policy is None or provider is None:
        part = "The role's assume_role_policy" if role.policy is None else f"The OIDC issuer {whose}"
        message = f"{part} is not known to this plan; run `irsa-remediator check` after the apply."
        yield _concern(rules.TRUST_UNKNOWN, role.address, file, message, said=role.expression)
        return
    policy = _policy(role.policy)
    identity = WebIdentity(provider_arn=provider, subject=_SUBJECT)
    answer = evaluate(policy, identity)
    if isinstance(answer, Refused):
        corrected = correct(policy, identity)
        changed = "; ".join(f"{old or '(nothing)'} → {new or '(nothing)'}" for old, new in changed_lines(policy, corrected)[:2])
        message = f"{answer.reason}. Change: {changed}." if changed else f"{answer.reason}."
        add = tuple(as_terraform(corrected).splitlines())
        place = f"as the {_POLICY} of {role.address}"
        yield _concern(rules.TRUST_WRONG, role.address, file, message, said=role.expression, add=add, place=place)
    elif not isinstance(answer, Allowed):
        yield _concern(rules.TRUST_UNKNOWN, role.address, file, f"{answer.reason}.", said=role.expression)


def _pod_trust(role: RoleTrust, file: str) -> Iterator[Finding]:
    if role.policy is None:
        yield _concern(rules.TRUST_UNKNOWN, role.address, file, "The role's assume_role_policy is known only after the apply.")
        return
    answer = evaluate_pod_identity(_policy(role.policy))
    if isinstance(answer, Refused):
        yield _concern(rules.TRUST_WRONG, role.address, file, f"{answer.reason}.", said=role.expression)


def _policy(source: str) -> Mapping[str, Any]:
    try:
        return fields(json.loads(source))
    except (ValueError, RecursionError):
        return {}


def _is_planned(plan: Plan, name: object) -> bool:
    return any(name in ((item.after or {}).get("name"), (item.before or {}).get("name")) for item in plan.of_type(_CLUSTER))


def _provider(plan: Plan, addon: Change) -> str | None:
    """The ARN of the cluster's OIDC provider, from the issuer that the plan or its prior state knows; None where neither does."""
    name = addon.after_value("cluster_name")
    known = [(item.after or item.before or {}) for item in plan.of_type(_CLUSTER)]
    known += [item.values for item in plan.prior if item.type == _CLUSTER]
    for cluster in known:
        issuer = _issuer(cluster).removeprefix("https://")
        arn = text(cluster.get("arn")).split(":")
        if name == cluster.get("name") and issuer and len(arn) > 5:  # noqa: PLR2004 an ARN has six parts, the account is the fifth
            return f"arn:{arn[1]}:iam::{arn[4]}:oidc-provider/{issuer}"
    return None


def _issuer(cluster: Mapping[str, Any]) -> str:
    """Source: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/eks_cluster#attribute-reference"""
    for identity in map(fields, members(cluster.get("identity"))):
        for oidc in map(fields, members(identity.get("oidc"))):
            return text(oidc.get("issuer"))
    return ""


def _concern(rule: Rule, resource: str, file: str, message: str, *, said: str = "", add: tuple[str, ...] = (), place: str = "") -> Finding:
    return Finding(rule=rule, resource=resource, file=file, message=message, expression=said, add=add, place=place)
