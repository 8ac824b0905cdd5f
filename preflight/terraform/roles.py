"""The roles behind the add-on: whether the plan removes them, their trust policies, and their permissions."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from lambdas.domain.trust import as_terraform, changed_lines, correct
from preflight import rules
from preflight.context import DeclaredRole
from preflight.declared_roles import findings_of_declared_role
from preflight.finding import Finding
from preflight.iam_policies import Access, cni_access, missing_calls
from preflight.role_trust import pod_identity_trust, service_account_trust
from preflight.terraform.addons import ASSOCIATION, associations_for, cni_addons, identity_of, is_for_aws_node, role_before
from preflight.terraform.addons import ROLE as ROLE_ARN
from preflight.terraform.clusters import CLUSTER, NODE_GROUP, cluster_of, is_ipv6, node_access, role_of_group, role_with_arn
from preflight.terraform.configuration import expression, roles_behind
from preflight.terraform.plan import Change, Plan, UnknownValue, fields, members, module_names, text
from preflight.terraform.references import changes_at, referred
from preflight.terraform.role_policies import ROLE, policies_after, policies_before

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from preflight.context import Context
    from preflight.rules import Rule

_PROVIDER: Final = "aws_iam_openid_connect_provider"
_DOCUMENT: Final = "aws_iam_policy_document"
_AUDIENCE: Final = "sts.amazonaws.com"
_POLICY: Final = "assume_role_policy"
_ARN_PARTS: Final = 6


def role_findings(plan: Plan, context: Context) -> Iterator[Finding]:
    """Return the findings about the roles that vpc-cni add-ons have or get."""
    for addon in cni_addons(plan):
        cluster = cluster_of(plan, addon)
        if addon.after is None or (cluster is not None and cluster.after is None):
            continue
        identity = identity_of(plan, addon, context)
        yield from _removed_roles(plan, addon, identity.role)
        if isinstance(identity.association, str):
            yield from _association_role(plan, addon, identity.association)
            yield from _declared_elsewhere(addon, identity.association, None, context, is_association=True)
        elif not isinstance(identity.association, UnknownValue) and identity.role:
            yield from _service_account_role(plan, addon, identity.role, context)
            yield from _providers(plan, addon)
        elif not identity.role:
            yield from _node_policies(plan, addon)
    if not cni_addons(plan):
        for association in plan.of_type(ASSOCIATION):
            if association.after is not None and is_for_aws_node(association):
                yield from _association_role(plan, association, text(association.after.get("role_arn")))


def _removed_roles(plan: Plan, addon: Change, role_after: str | UnknownValue) -> Iterator[Finding]:
    named = {role_before(addon), role_after if isinstance(role_after, str) else ""} - {""}
    for role in plan.of_type(ROLE):
        if role.is_deleted and text((role.before or {}).get("arn")) in named:
            action = "replaced" if role.after is not None else "deleted"
            message = f"{addon.address} uses this role, which is {action}: running aws-node pods lose their credentials."
            yield _finding(rules.ROLE_REMOVED, role.address, message)


def _service_account_role(plan: Plan, addon: Change, arn: str | UnknownValue, context: Context) -> Iterator[Finding]:
    role = role_with_arn(plan, arn) if isinstance(arn, str) else _role_behind(plan, addon)
    if role is not None:
        policy, deferred = _trust_policy(plan, role)
        if deferred and (foreign := _foreign_provider(plan, role, addon)):
            message = f"The trust policy refers to {foreign.address}, the OIDC provider of another cluster of this plan."
            yield _finding(rules.TRUST_WRONG, role.address, message, expression(plan, role, _POLICY))
        else:
            yield from _trust(plan, role, policy, _target(plan, addon, context), deferred=deferred)
        yield from _permissions(plan, addon, role)
    elif isinstance(arn, str):
        yield from _detached(plan, addon, arn)
        yield from _declared_elsewhere(addon, arn, _target(plan, addon, context).provider, context, is_association=False)
        for data in plan.prior:
            if data.type == ROLE and data.mode == "data" and data.values.get("arn") == arn:
                yield from _judged(data.address, _parsed(data.values.get(_POLICY)), _target(plan, addon, context), "")


def _declared_elsewhere(addon: Change, arn: str, provider: str | None, context: Context, *, is_association: bool) -> Iterator[Finding]:
    if declared := context.role_with_arn(arn):
        place = _finding(rules.TRUST_WRONG, addon.address, "")
        yield from findings_of_declared_role(declared, place, provider, is_association=is_association)


def declared_roles(plan: Plan) -> Iterator[DeclaredRole]:
    """Return the roles that the plan leaves, by name. A role that exists may have policies outside of the plan."""
    for role in plan.of_type(ROLE):
        name = text((role.after or {}).get("name"))
        if name:
            arn = text((role.after or {}).get("arn")).split(":")
            access = cni_access(policies_after(plan, role))
            is_open = access is Access.MISSING and (not role.is_created or _has_policies_elsewhere(plan, role))
            yield DeclaredRole(
                name=name,
                account=arn[4] if len(arn) >= _ARN_PARTS else "",
                trust=_trust_policy(plan, role)[0],
                access=Access.UNKNOWN if is_open else access,
            )


def declared_providers(plan: Plan) -> Iterator[tuple[str, str]]:
    """Return the clusters of the plan and its prior state whose issuers are known, with the ARNs of their OIDC providers."""
    known = [(change.after or change.before or {}) for change in plan.of_type(CLUSTER)]
    for cluster in [*known, *(resource.values for resource in plan.prior if resource.type == CLUSTER)]:
        if arn := _provider_arn(cluster):
            yield text(cluster.get("name")), arn


def _provider_arn(cluster: Mapping[str, Any]) -> str:
    issuer = _issuer(cluster).removeprefix("https://")
    arn = text(cluster.get("arn")).split(":")
    return f"arn:{arn[1]}:iam::{arn[4]}:oidc-provider/{issuer}" if issuer and len(arn) >= _ARN_PARTS else ""


def _detached(plan: Plan, addon: Change, arn: str) -> Iterator[Finding]:
    """A policy that the plan detaches from a role that it does not hold."""
    values = {"name": arn.rpartition("/")[2]}
    role = replace(addon, address=arn, type=ROLE, name="", actions=("no-op",), before=values, after=values, after_unknown={})
    if cni_access(policies_before(plan, role)) is Access.GRANTED and cni_access(policies_after(plan, role)) is Access.MISSING:
        yield _finding(rules.POLICY_MISSING, addon.address, f"The plan detaches the CNI policy from {arn}.")


def _role_behind(plan: Plan, addon: Change) -> Change | None:
    """Return the one role whose ARN the add-on gets, where the ARN is not known yet but its origin is."""
    behind = roles_behind(plan, addon, ROLE_ARN) or referred(plan, addon, ROLE_ARN)
    found = [role for role in plan.of_type(ROLE) if role.after is not None and (module_names(role.module), role.config_address) in behind]
    origin = expression(plan, addon, ROLE_ARN)
    named = [role for role in found if role.module == addon.module and role.index and f'{role.config_address}["{role.index}"].' in origin]
    candidates = named or found
    return candidates[0] if len(candidates) == 1 else None


def _association_role(plan: Plan, addon: Change, arn: str) -> Iterator[Finding]:
    if arn:
        role = role_with_arn(plan, arn)
    else:
        origins = referred(plan, addon, "pod_identity_association", "role_arn")
        for association in associations_for(plan, addon):
            origins |= referred(plan, association, "role_arn")
        roles = [role for role in changes_at(plan, origins, ROLE) if role.after is not None]
        role = roles[0] if len(roles) == 1 else None
    if role is None:
        return
    policy, _ = _trust_policy(plan, role)
    if policy is not None:
        allowed, reason = pod_identity_trust(policy)
        if allowed is False:
            yield _finding(rules.TRUST_WRONG, role.address, f"{reason}.", expression(plan, role, _POLICY))
    yield from _permissions(plan, addon, role)


# --- trust


def _trust_policy(plan: Plan, role: Change) -> tuple[Mapping[str, Any] | None, bool]:
    """Return the trust policy, None where it is not known, and whether it is made from resources of the plan.

    A policy document that refers to a new cluster is a deferred data source: the plan holds the parts that are known.
    """
    policy = role.after_value(_POLICY)
    if not isinstance(policy, UnknownValue):
        return _parsed(policy), False
    addresses = referred(plan, role, _POLICY)
    documents = list(changes_at(plan, addresses, _DOCUMENT))
    if documents:
        same_module = [document for document in documents if document.module == role.module] or documents
        return _document(same_module[0]), True
    kinds = {address.removeprefix("data.").partition(".")[0] for _, address in addresses}
    return None, bool(kinds & {_DOCUMENT, _PROVIDER, CLUSTER})


def _foreign_provider(plan: Plan, role: Change, addon: Change) -> Change | None:
    """Return the OIDC provider that a deferred trust policy refers to, where every such provider is of other clusters of the plan."""
    cluster = cluster_of(plan, addon)
    addresses = referred(plan, role, _POLICY)
    for document in changes_at(plan, addresses, _DOCUMENT):
        addresses |= referred(plan, document, "statement")
    providers = list(changes_at(plan, addresses, _PROVIDER))
    owners = [list(changes_at(plan, referred(plan, provider, "url"), CLUSTER)) for provider in providers]
    if cluster is None or not providers or not all(owners) or any(cluster in listed for listed in owners):
        return None
    return providers[0]


def _parsed(policy: object) -> Mapping[str, Any]:
    try:
        return fields(json.loads(policy) if isinstance(policy, str) else policy)
    except (ValueError, RecursionError):
        return {}


def _document(read: Change) -> Mapping[str, Any]:
    """Return the policy of a deferred policy document. Unknown parts are `${...}`.

    Source: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document
    """
    statements = [_statement(fields(block)) for block in members((read.after or {}).get("statement"))]
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(block: Mapping[str, Any]) -> dict[str, Any]:
    principals: dict[str, list[str]] = {}
    for principal in map(fields, members(block.get("principals"))):
        names = [text(name) or "${provider}" for name in members(principal.get("identifiers"))] or ["${provider}"]
        principals.setdefault(text(principal.get("type")) or "Federated", []).extend(names)
    statement: dict[str, Any] = {"Effect": text(block.get("effect")) or "Allow", "Principal": principals}
    statement["Action"] = [text(action) or "${action}" for action in members(block.get("actions"))]
    conditions: dict[str, dict[str, list[str]]] = {}
    for condition in map(fields, members(block.get("condition"))):
        values = [text(value) or "${value}" for value in members(condition.get("values"))] or ["${value}"]
        key = text(condition.get("variable")) or _claim(values)
        conditions.setdefault(text(condition.get("test")) or "StringEquals", {})[key] = values
    return {**statement, **({"Condition": conditions} if conditions else {})}


def _claim(values: list[str]) -> str:
    """Return the condition key of an unknown variable, by its values: an issuer that is not known yet begins the key."""
    if any(value.startswith("system:serviceaccount:") for value in values):
        return "${issuer}:sub"
    return "${issuer}:aud" if _AUDIENCE in values else "${issuer}:claim"


def _trust(plan: Plan, role: Change, policy: Mapping[str, Any] | None, target: _Target, *, deferred: bool) -> Iterator[Finding]:
    origin = expression(plan, role, _POLICY)
    if policy is None:
        if deferred and role.is_created:
            message = "The trust policy is known after the apply. Run `irsa-remediator check` then."
            yield _finding(rules.TRUST_DEFERRED, role.address, message, origin)
        else:
            message = "The assume_role_policy of the role is not known to this plan. Run `irsa-remediator check` after the apply."
            yield _finding(rules.TRUST_UNKNOWN, role.address, message, origin)
        return
    yield from _judged(role.address, policy, target, origin, deferred=deferred)


@dataclass(frozen=True, kw_only=True)
class _Target:
    """The cluster that a role must trust: the ARN of its OIDC provider where it is known, and whether the plan creates the cluster."""

    provider: str | None
    is_new: bool


def _target(plan: Plan, addon: Change, context: Context) -> _Target:
    name = addon.after_value("cluster_name")
    cluster = cluster_of(plan, addon)
    if cluster is not None and cluster.is_created:
        return _Target(provider=None, is_new=True)
    return _Target(provider=_provider(plan, addon) or context.provider_of(name if isinstance(name, str) else None), is_new=False)


def _judged(address: str, policy: Mapping[str, Any], target: _Target, origin: str, *, deferred: bool = False) -> Iterator[Finding]:
    answer = service_account_trust(policy, target.provider, new_cluster=target.is_new)
    if answer.allowed is False:
        corrected = correct(answer.policy, answer.identity)
        lines = changed_lines(answer.policy, corrected)[:2]
        changed = "; ".join(f"{old or '(nothing)'} → {new or '(nothing)'}" for old, new in lines)
        message = f"{answer.reason}. Change: {changed}." if changed else f"{answer.reason}."
        add = tuple(as_terraform(corrected).splitlines())
        yield _finding(rules.TRUST_WRONG, address, message, origin, add=add, place=f"as the {_POLICY} of {address}")
    elif answer.allowed is None:
        rule = rules.TRUST_DEFERRED if deferred else rules.TRUST_UNKNOWN
        yield _finding(rule, address, f"{answer.reason}.", origin)


def _provider(plan: Plan, addon: Change) -> str | None:
    """Return the ARN of the cluster's OIDC provider, by the issuer in the plan or its prior state; None where neither holds it."""
    name = addon.after_value("cluster_name")
    return next((arn for cluster, arn in declared_providers(plan) if cluster == name), None)


def _issuer(cluster: Mapping[str, Any]) -> str:
    """Source: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/eks_cluster#attribute-reference"""
    for identity in map(fields, members(cluster.get("identity"))):
        for oidc in map(fields, members(identity.get("oidc"))):
            return text(oidc.get("issuer"))
    return ""


# --- permissions and the provider


def _permissions(plan: Plan, addon: Change, role: Change) -> Iterator[Finding]:
    """A role that exists may have policies outside of the plan: only what the plan removes from it is known to be missing."""
    policies = policies_after(plan, role)
    access = cni_access(policies)
    if access is Access.MISSING and role.is_created and not _has_policies_elsewhere(plan, role):
        message = f"The plan creates the role of {addon.address} without a policy that allows the calls of the VPC CNI."
        yield _finding(rules.POLICY_MISSING, role.address, message, add=_attachment(role), place="in the module of the role")
    elif access is Access.MISSING and cni_access(policies_before(plan, role)) is Access.GRANTED:
        message = f"The plan detaches the CNI policy from the role of {addon.address}."
        yield _finding(rules.POLICY_MISSING, role.address, message)
    elif access is Access.GRANTED and (role.is_created or policies):
        yield from _missing_calls(plan, addon, role)


def _has_policies_elsewhere(plan: Plan, role: Change) -> bool:
    """Return whether an attachment of the plan is for a role that the plan does not show, so that it may be for this one."""
    kinds = ("aws_iam_role_policy_attachment", "aws_iam_role_policy", "aws_iam_policy_attachment")
    for change in plan.changes:
        if change.type in kinds and change.after is not None and isinstance(change.after_value("role"), UnknownValue):
            roles = list(changes_at(plan, referred(plan, change, "role"), ROLE))
            if not roles and change.module == role.module:
                return True
    return any(
        isinstance(role.after_value(name), UnknownValue) and name in _written(plan, role)
        for name in ("managed_policy_arns", "inline_policy")
    )


def _written(plan: Plan, role: Change) -> Mapping[str, Any]:
    from preflight.terraform.configuration import resource_block

    return fields(resource_block(plan, role).get("expressions"))


def _attachment(role: Change) -> tuple[str, ...]:
    return (
        'resource "aws_iam_role_policy_attachment" "vpc_cni" {',
        '  policy_arn = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"',
        f"  role       = {role.config_address}.name",
        "}",
    )


def _missing_calls(plan: Plan, addon: Change, role: Change) -> Iterator[Finding]:
    version = addon.after_value("addon_version")
    before = (addon.before or {}).get("addon_version")
    if not isinstance(version, str) or version == before:
        return
    if calls := missing_calls(policies_after(plan, role), version, ipv6=is_ipv6(cluster_of(plan, addon))):
        message = f"vpc-cni {version} needs {', '.join(calls)}, which the policies of the role do not allow."
        yield _finding(rules.CALLS_MISSING, role.address, message)


def _node_policies(plan: Plan, addon: Change) -> Iterator[Finding]:
    """A node role that loses the CNI policy, where the add-on has no role of its own."""
    if node_access(plan, addon) is not Access.MISSING:
        return
    for group in plan.of_type(NODE_GROUP):
        role = role_of_group(plan, group)
        if role and cni_access(policies_before(plan, role)) is Access.GRANTED and cni_access(policies_after(plan, role)) is Access.MISSING:
            yield _finding(rules.POLICY_MISSING, role.address, "The plan detaches the CNI policy from the node role, which aws-node uses.")
            return


def _providers(plan: Plan, addon: Change) -> Iterator[Finding]:
    """OIDC providers that the plan deletes, or leaves without the audience of the tokens."""
    provider = _provider(plan, addon)
    for change in plan.of_type(_PROVIDER):
        values = change.after or change.before or {}
        url = text(values.get("url")).removeprefix("https://")
        if url and provider and not provider.endswith(url):
            continue
        audiences = change.after_value("client_id_list")
        if change.after is None and "delete" in change.actions:
            recreated = any(
                other.is_created and text((other.after or {}).get("url")).endswith(url) for other in plan.of_type(_PROVIDER) if url
            )
            if not recreated:
                yield _finding(
                    rules.PROVIDER_REMOVED, change.address, f"The plan deletes the OIDC provider; {addon.address} keeps its role."
                )
        elif isinstance(audiences, list) and audiences and all(isinstance(name, str) for name in audiences) and _AUDIENCE not in audiences:
            message = f"client_id_list is {', '.join(audiences)}; tokens of ServiceAccounts are for {_AUDIENCE}."
            yield _finding(rules.PROVIDER_REMOVED, change.address, message, add=(f'client_id_list = ["{_AUDIENCE}"]',))


def _finding(rule: Rule, resource: str, message: str, origin: str = "", *, add: tuple[str, ...] = (), place: str = "") -> Finding:
    return Finding(rule=rule, resource=resource, message=message, expression=origin, add=add, place=place)
