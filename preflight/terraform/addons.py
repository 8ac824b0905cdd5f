"""The vpc-cni add-on in a plan: whether aws-node has a role after the apply, and what the apply does to the add-on.

The provider calls UpdateAddon only for changes of four attributes, and passes the role whenever it is set or changes. An empty role is
passed as "", which EKS rejects.

Source: https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/eks/addon.go
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lambdas.contract.names import CNI_ADDON, POD_IDENTITY_AGENT_ADDON
from preflight import rules
from preflight.context import NAMESPACE, SERVICE_ACCOUNT, Association, Context
from preflight.finding import Finding
from preflight.iam_policies import Access
from preflight.role_arn import fault_of_arn
from preflight.terraform.clusters import (
    CLUSTER,
    NODE_GROUP,
    cluster_name,
    cluster_of,
    has_fargate_alone,
    installs_other_plugin,
    is_auto_mode,
    node_access,
)
from preflight.terraform.configuration import call_of, expression, resource_block, roles_behind
from preflight.terraform.fix import place_of, role_lines
from preflight.terraform.order import waits_for
from preflight.terraform.plan import UNKNOWN_VALUE, Change, Plan, UnknownValue, fields, members, module_names, text
from preflight.terraform.references import referred

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.rules import Rule

ADDON: Final = "aws_eks_addon"
ROLE: Final = "service_account_role_arn"
BLOCK: Final = "pod_identity_association"
ASSOCIATION: Final = "aws_eks_pod_identity_association"
_UPDATING: Final = ("addon_version", ROLE, "configuration_values", BLOCK)
"""Attributes whose changes make the provider call UpdateAddon."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The identity of aws-node after the apply.

    `role` and `association` are ARNs, "" for none, or unknown. `association` is None where there is no association, and "" where
    there is one whose role is not known yet.
    """

    role: str | UnknownValue
    association: str | UnknownValue | None
    mismatches: tuple[str, ...] = ()


def cni_addons(plan: Plan) -> tuple[Change, ...]:
    """Return the changes of vpc-cni add-ons, by the name before or after."""
    return tuple(
        change for change in plan.of_type(ADDON) if CNI_ADDON in (change.after_value("addon_name"), (change.before or {}).get("addon_name"))
    )


def addon_findings(plan: Plan, context: Context) -> Iterator[Finding]:
    """Return the findings about every vpc-cni add-on of the plan, and about clusters without one."""
    addons = cni_addons(plan)
    for change in addons:
        cluster = cluster_of(plan, change)
        if cluster is not None and cluster.after is None:
            yield _finding(rules.CLUSTER_DELETED, change, "The plan deletes the cluster with the add-on.")
            continue
        if cluster is not None and cluster.is_deleted and change.is_deleted:
            yield _finding(rules.CLUSTER_DELETED, change, "The plan replaces the cluster with the add-on.")
        elif change.is_deleted or "forget" in change.actions:
            yield _removed(plan, change)
        if change.after is not None:
            yield from _identity_findings(plan, change, context)
            yield from _conflicts(plan, change)
    unnamed = [change for change in plan.of_type(ADDON) if change.after_value("addon_name") is UNKNOWN_VALUE and change not in addons]
    for change in unnamed:
        message = "The name of the add-on is known after the apply, so it may be vpc-cni."
        yield _finding(rules.ADDON_UNKNOWN, change, message, expression(plan, change, "addon_name"))
    if not addons and not unnamed:
        yield from _absent(plan, context)


def _absent(plan: Plan, context: Context) -> Iterator[Finding]:
    created = [change for change in plan.of_type(CLUSTER) if change.is_created]
    for cluster in created:
        if is_auto_mode(cluster):
            message = "The plan creates a cluster in Auto Mode, which needs no vpc-cni add-on."
            yield _finding(rules.AUTO_MODE, cluster, message)
        elif context.has_addon(text(cluster.after_value("name")) or None):
            continue
        elif cluster.after_value("bootstrap_self_managed_addons") is False and not installs_other_plugin(plan):
            message = "The plan creates the cluster with bootstrap_self_managed_addons = false, and installs no network plug-in."
            add = ("vpc-cni = { before_compute = true }",) if call_of(plan, module_names(cluster.module)) else ()
            yield _finding(rules.NO_CNI, cluster, message, add=add, place=place_of(plan, cluster) if add else "")
        elif node_access(plan, cluster, context) is Access.MISSING and not associations_for(plan, cluster):
            message = "The plan creates the cluster without a vpc-cni add-on, and the node role lacks the CNI policy."
            yield _finding(rules.ROLE_MISSING, cluster, message)
        else:
            message = "The plan creates the cluster and no vpc-cni add-on for it. It starts with the default aws-node, on the node role."
            yield _finding(rules.ADDON_ABSENT, cluster, message)
    if not created:
        yield Finding(rule=rules.ADDON_ABSENT, message="The plan holds no vpc-cni add-on, so it changes none.")


# --- the role


def role_before(change: Change) -> str:
    """Return the role in the record now; "" where there is none."""
    return text((change.before or {}).get(ROLE))


def identity_of(plan: Plan, change: Change, context: Context) -> Identity:
    """Return the identity that aws-node has after the apply, by add-on, association resources and associations of other files."""
    value = change.after_value(ROLE)
    role = value if isinstance(value, UnknownValue) else text(value)
    own = change.after_value(BLOCK)
    if isinstance(own, UnknownValue):
        return Identity(role=role, association=UNKNOWN_VALUE)
    blocks = [fields(member) for member in members(own)]
    right = [block for block in blocks if block.get("service_account") in (SERVICE_ACCOUNT, None)]
    wrong = tuple(text(block.get("service_account")) for block in blocks if block not in right)
    right += [fields(entry.after) for entry in associations_for(plan, change)]
    if not right and any(_may_be_for(entry, change) for entry in plan.of_type(ASSOCIATION)):
        return Identity(role=role, association=UNKNOWN_VALUE, mismatches=wrong)
    if right:
        return Identity(role=role, association=text(right[0].get("role_arn")), mismatches=wrong)
    name = change.after_value("cluster_name")
    elsewhere = context.association_for(name if isinstance(name, str) else None)
    return Identity(role=role, association=(elsewhere.role or "") if elsewhere else None, mismatches=wrong)


def associations_for(plan: Plan, addon: Change) -> tuple[Change, ...]:
    """Return the association resources for aws-node of the add-on's cluster that the plan leaves."""
    return tuple(entry for entry in plan.of_type(ASSOCIATION) if entry.after is not None and _is_for(entry, addon))


def _is_for(association: Change, addon: Change) -> bool:
    return is_for_aws_node(association) and _is_same_cluster(association, addon)


def _is_same_cluster(association: Change, addon: Change) -> bool:
    clusters = association.after_value("cluster_name"), cluster_name(addon)
    return clusters[0] == clusters[1] or UNKNOWN_VALUE in clusters


def _may_be_for(association: Change, addon: Change) -> bool:
    """Return whether namespace or ServiceAccount are not known yet, and the association may be for aws-node of the add-on's cluster."""
    names = association.after_value("namespace"), association.after_value("service_account")
    expected = zip(names, (NAMESPACE, SERVICE_ACCOUNT), strict=True)
    return (
        UNKNOWN_VALUE in names and all(name in (UNKNOWN_VALUE, value) for name, value in expected) and _is_same_cluster(association, addon)
    )


def is_for_aws_node(association: Change) -> bool:
    """Return whether the plan leaves the association for the ServiceAccount aws-node of some cluster."""
    after = association.after or {}
    return after.get("namespace") == NAMESPACE and after.get("service_account") == SERVICE_ACCOUNT


def declared_associations(plan: Plan) -> Iterator[Association]:
    """Return the association resources that the plan leaves."""
    for change in plan.of_type(ASSOCIATION):
        if change.after is not None:
            cluster, role = change.after_value("cluster_name"), change.after_value("role_arn")
            yield Association(
                cluster=text(cluster) or None,
                namespace=text(change.after.get("namespace")) or None,
                service_account=text(change.after.get("service_account")) or None,
                role=text(role) or None,
            )


def _identity_findings(plan: Plan, change: Change, context: Context) -> Iterator[Finding]:
    identity = identity_of(plan, change, context)
    origin = expression(plan, change, ROLE)
    for account in identity.mismatches:
        message = f"The association is for ServiceAccount {account!r}; aws-node gets nothing from it."
        yield _finding(
            rules.ASSOCIATION_MISMATCH, change, message, add=(f'service_account = "{SERVICE_ACCOUNT}"',), place=place_of(plan, change)
        )
    if isinstance(identity.association, str):
        beside = f" aws-node then ignores {ROLE}." if identity.role else ""
        yield _finding(rules.POD_IDENTITY, change, f"A Pod Identity association gives aws-node its role.{beside}", origin)
        if identity.association and (fault := fault_of_arn(identity.association)):
            yield _finding(rules.ROLE_NOT_ARN, change, f"The role of the association: {fault}.")
        yield from _agent(plan, change, context)
    elif isinstance(identity.role, UnknownValue):
        if roles_behind(plan, change, ROLE) is None:
            yield _finding(rules.ROLE_UNKNOWN, change, f"{ROLE} is known after the apply, and may be empty then.", origin)
    elif not identity.role:
        yield from _without_role(plan, change, identity, context, origin)
    elif fault := fault_of_arn(identity.role):
        yield _finding(rules.ROLE_NOT_ARN, change, f"{fault}.", origin, add=role_lines(plan, change), place=place_of(plan, change))
    elif role_before(change) not in ("", identity.role):
        message = f"The role changes from {role_before(change)} to {identity.role}. Pods keep the old role until aws-node is restarted."
        yield _finding(rules.ROLE_CHANGED, change, message, origin)


def _agent(plan: Plan, change: Change, context: Context) -> Iterator[Finding]:
    """Warn where the plan creates the association of a new add-on and no file holds the agent. Old clusters may have one already."""
    name = change.after_value("cluster_name")
    cluster = cluster_of(plan, change)
    agents = [
        entry for entry in plan.of_type(ADDON) if entry.after is not None and entry.after.get("addon_name") == POD_IDENTITY_AGENT_ADDON
    ]
    known = agents or context.has_agent(name if isinstance(name, str) else None) or is_auto_mode(cluster)
    if not known and cluster is not None and cluster.is_created:
        yield _finding(rules.AGENT_MISSING, change, f"The plan creates the cluster without the add-on {POD_IDENTITY_AGENT_ADDON}.")


def _without_role(plan: Plan, change: Change, identity: Identity, context: Context, origin: str) -> Iterator[Finding]:
    add, place = role_lines(plan, change), place_of(plan, change)
    if identity.association is UNKNOWN_VALUE:
        message = f"There is no {ROLE}, and it is known after the apply whether there is a {BLOCK}."
        yield _finding(rules.ROLE_UNKNOWN, change, message, origin, add=add, place=place)
        return
    rule, message = _loss(plan, change, context)
    if rule in (rules.NODE_ROLE, rules.AUTO_MODE):
        add, place = (), ""
    yield _finding(rule, change, message, origin, add=add, place=place)


def _loss(plan: Plan, change: Change, context: Context) -> tuple[Rule, str]:
    """Return the rule and the message about an add-on that has no role after the apply."""
    versions = (change.before or {}).get("addon_version"), change.after_value("addon_version")
    target = f" to {versions[1]}" if isinstance(versions[1], str) else ""
    moved = f" while the version changes from {versions[0]}{target}" if change.before and versions[0] != versions[1] else ""
    if before := role_before(change):
        return rules.ROLE_DROPPED, f"The record holds {before}; the plan removes it{moved}."
    if members((change.before or {}).get(BLOCK)):
        return rules.ROLE_DROPPED, f"The record holds a Pod Identity association; the plan removes it{moved} and names no role."
    if removed := next(_removed_associations(plan, change), None):
        return rules.ROLE_DROPPED, f"The plan deletes the association {removed.address}, which gives aws-node its role, and names no role."
    if is_auto_mode(cluster_of(plan, change)):
        return rules.AUTO_MODE, "The add-on has no role. The cluster is in Auto Mode, whose own nodes do not use aws-node."
    if not change.is_created and not _is_updated(change):
        return rules.ROLE_ABSENT, "The add-on has no role, and this plan does not call UpdateAddon."
    name = change.after_value("cluster_name")
    access = node_access(plan, change, context) or context.node_access(name if isinstance(name, str) else None)
    if access is None and has_fargate_alone(plan):
        return rules.ROLE_ABSENT, "The add-on gets no role. The plan has Fargate profiles alone, and aws-node does not run on Fargate."
    return _on_node_role(change, access, moved)


def _removed_associations(plan: Plan, addon: Change) -> Iterator[Change]:
    """Return the association resources for aws-node of the add-on's cluster that the plan deletes."""
    for entry in plan.of_type(ASSOCIATION):
        before = entry.before or {}
        account = before.get("namespace"), before.get("service_account")
        if (
            entry.after is None
            and account == (NAMESPACE, SERVICE_ACCOUNT)
            and before.get("cluster_name") == addon.after_value("cluster_name")
        ):
            yield entry


def _on_node_role(change: Change, access: Access | None, moved: str) -> tuple[Rule, str]:
    """Return the rule and the message about an add-on that is created or updated without a role and had none."""
    nodes = ", and the node role lacks the CNI policy" if access is Access.MISSING else ""
    if not change.is_created and access is Access.GRANTED:
        message = (
            f"The add-on is updated without a role{moved}; the node role has the CNI policy. An annotation that was set manually is lost."
        )
        return rules.ROLE_ABSENT, message
    if not change.is_created and access is Access.UNKNOWN:
        return rules.ROLE_UNKNOWN, f"The add-on is updated without a role{moved}, and the node role is defined elsewhere."
    if not change.is_created:
        return rules.ROLE_MISSING, f"The add-on is updated without a role{moved}{nodes}: an annotation that was set manually is lost."
    if access is Access.GRANTED:
        return rules.NODE_ROLE, "The add-on gets no role. The node role has the CNI policy."
    if access is Access.UNKNOWN:
        return rules.ROLE_UNKNOWN, "The add-on gets no role, and the plan does not show whether the node role has the CNI policy."
    return rules.ROLE_MISSING, f"The add-on is created without {ROLE} and without a Pod Identity association{nodes}."


def _is_updated(change: Change) -> bool:
    """Return whether the provider calls UpdateAddon."""
    before = change.before or {}
    if change.actions != ("update",):
        return False
    if change.declared_type != ADDON:  # AWSCC passes the whole model for any change
        return True
    return any(_is_different(before.get(name), change.after_value(name)) for name in _UPDATING)


def _is_different(before: object, after: object) -> bool:
    return before != after and bool(before or after)


# --- conflicts and removal


def _conflicts(plan: Plan, change: Change) -> Iterator[Finding]:
    after, place = change.after or {}, place_of(plan, change)
    if after.get("resolve_conflicts_on_update") == "OVERWRITE":
        origin = expression(plan, change, "resolve_conflicts_on_update")
        message = "resolve_conflicts_on_update is OVERWRITE" + _default(plan, change)
        line = ('resolve_conflicts_on_update = "PRESERVE"',)
        yield _finding(rules.OVERWRITE, change, message, origin, add=line, place=place)
    if old := text(after.get("resolve_conflicts")):
        create = "NONE" if old == "PRESERVE" else old
        add = (f'resolve_conflicts_on_create = "{create}"', 'resolve_conflicts_on_update = "PRESERVE"')
        message = f"resolve_conflicts = {old!r} is for creation and updates alike. Set both separately."
        yield _finding(rules.RESOLVE_CONFLICTS, change, message, add=add, place=place)


def _default(plan: Plan, change: Change) -> str:
    call = call_of(plan, module_names(change.module))
    if call and (call.is_cluster_module or call.is_blueprint):
        return f", which is the default of module {call.path[-1]}."
    return "."


def _removed(plan: Plan, change: Change) -> Finding:
    action = "deleted and created again" if change.after is not None or _created_elsewhere(plan, change) else "deleted"
    if "forget" in change.actions:
        return _finding(rules.ADDON_RELEASED, change, "Terraform forgets the add-on; it stays in the cluster as it is.")
    if (change.before or {}).get("preserve") is True:
        return _finding(rules.ADDON_RELEASED, change, f"The add-on is {action}; `preserve` leaves aws-node in the cluster.")
    message = f"The add-on is {action}, and aws-node with it."
    if move := _created_elsewhere(plan, change):
        block = ("moved {", f"  from = {change.address}", f"  to   = {move.address}", "}")
        return _finding(rules.ADDON_REMOVED, change, message, add=block, place="in the root module")
    setting = ("preserve = true",)
    return _finding(rules.ADDON_REMOVED, change, message, add=setting, place=f"{place_of(plan, change)}, in an apply before this one")


def _created_elsewhere(plan: Plan, change: Change) -> Change | None:
    """Return the same add-on under another address, such as one that moves from `this` to `before_compute`."""
    cluster = (change.before or {}).get("cluster_name")
    others = (other for other in cni_addons(plan) if other.address != change.address and other.is_created and other.before is None)
    return next((other for other in others if other.after_value("cluster_name") in (cluster, UNKNOWN_VALUE)), None)


def late_addons(plan: Plan) -> Iterator[Finding]:
    """Return findings about add-ons that are created only when nodes exist already."""
    nodes = [change for change in plan.changes if change.type == NODE_GROUP and change.is_created]
    for change in cni_addons(plan):
        if not change.is_created or not nodes or change.before is not None:
            continue
        call = call_of(plan, module_names(change.module))
        place, add = place_of(plan, change), ("before_compute = true",)
        if call and call.is_cluster_module and change.name != "before_compute":
            message = f"Module {call.path[-1]} creates this add-on when its node groups are ready; before_compute reverses the order."
            yield _finding(rules.AFTER_COMPUTE, change, message, add=add, place=place)
        elif call and call.is_blueprint:
            message = f"Module {call.path[-1]} creates add-ons after the nodes of the cluster; leave vpc-cni to the cluster module."
            line = ("vpc-cni = { before_compute = true, service_account_role_arn = ... }",)
            yield _finding(rules.AFTER_COMPUTE, change, message, add=line, place="in the add-ons of the cluster module")
        elif late := [address for address in _dependencies(plan, change) if address.startswith("aws_eks_node_group.")]:
            message = f"The add-on waits for {late[0]} by depends_on, so the nodes join without it."
            line = (f"depends_on = [{change.config_address}]",)
            yield _finding(rules.AFTER_COMPUTE, change, message, add=line, place=f"in {late[0]}, instead of the one in the add-on")
        elif unordered := [group for group in nodes if _is_unordered(plan, group, change)]:
            message = f"{unordered[0].config_address} does not wait for the add-on, so its nodes may join before the add-on exists."
            line = (f"depends_on = [{change.config_address}]",)
            yield _finding(rules.AFTER_COMPUTE, change, message, add=line, place=place_of(plan, unordered[0]))


def _is_unordered(plan: Plan, group: Change, addon: Change) -> bool:
    """Whether a node group of the same cluster and module is shown not to wait for the add-on."""
    path = module_names(addon.module)
    if module_names(group.module) != path or not resource_block(plan, group) or not resource_block(plan, addon):
        return False
    names = {group.after_value("cluster_name"), addon.after_value("cluster_name")}
    is_same = len(names) == 1 and UNKNOWN_VALUE not in names
    if not is_same and referred(plan, group, "cluster_name").isdisjoint(referred(plan, addon, "cluster_name")):
        return False
    return waits_for(plan, (path, group.config_address), (path, addon.config_address)) is False


def _dependencies(plan: Plan, change: Change) -> list[str]:
    return [member for member in members(resource_block(plan, change).get("depends_on")) if isinstance(member, str)]


def _finding(rule: Rule, change: Change, message: str, origin: str = "", *, add: tuple[str, ...] = (), place: str = "") -> Finding:
    return Finding(rule=rule, resource=change.address, message=message, expression=origin, add=add, place=place)
