"""The vpc-cni add-on in a plan: whether it has a role afterwards, and what is done to it on the way."""

from collections.abc import Iterator
from typing import Final

from lambdas.contract.names import CNI_ADDON
from preflight.finding import Finding
from preflight.rules import Rule
from preflight.rules import files as rules
from preflight.terraform.configuration import call_of, expression, module_names, resource_block, roles_behind
from preflight.terraform.fix import place_of, role_lines
from preflight.terraform.plan import UNKNOWN_VALUE, Change, Plan, UnknownValue, fields, members, text

ADDON: Final = "aws_eks_addon"
ROLE: Final = "service_account_role_arn"
BLOCK: Final = "pod_identity_association"
_ASSOCIATION: Final = "aws_eks_pod_identity_association"
_NAMESPACE, _ACCOUNT = "kube-system", "aws-node"


def cni_addons(plan: Plan) -> tuple[Change, ...]:
    """Changes of the vpc-cni add-on, by the name that it has or gets."""
    return tuple(
        item for item in plan.of_type(ADDON) if CNI_ADDON in (item.after_value("addon_name"), (item.before or {}).get("addon_name"))
    )


def addon_concerns(plan: Plan, file: str) -> Iterator[Finding]:
    """What there is to say about every vpc-cni add-on of the plan."""
    found = cni_addons(plan)
    for change in found:
        if change.is_deleted or "forget" in change.actions:
            yield _removed(plan, change, file)
        if change.after is not None:
            yield from _identity(plan, change, file)
            yield from _conflicts(plan, change, file)
    for change in plan.of_type(ADDON):
        if change.after_value("addon_name") is UNKNOWN_VALUE and change not in found:
            said = expression(plan, change, "addon_name")
            message = "The add-on's name is known only after the apply, so nobody can tell whether this is vpc-cni."
            yield _concern(rules.ADDON_UNKNOWN, change, file, message, said=said)
    if not found and not any(item.after_value("addon_name") is UNKNOWN_VALUE for item in plan.of_type(ADDON)):
        yield _absent(plan, file)


def _absent(plan: Plan, file: str) -> Finding:
    made = next((item for item in plan.of_type("aws_eks_cluster") if item.is_created), None)
    if made:
        message = "The plan makes this cluster and no vpc-cni add-on for it: it starts with the default aws-node, on the node role."
        return _concern(rules.ADDON_ABSENT, made, file, message)
    return Finding(rule=rules.ADDON_ABSENT, resource="", file=file, message="The plan holds no vpc-cni add-on, so it changes none.")


# --- the role


def role_before(change: Change) -> str:
    """The role in the record now; "" where there is none."""
    return text((change.before or {}).get(ROLE))


def role_after(change: Change) -> str | UnknownValue:
    """The role in the record afterwards; "" where there is none."""
    found = change.after_value(ROLE)
    return found if isinstance(found, UnknownValue) else text(found)


def associated(plan: Plan, change: Change) -> str | UnknownValue | None:
    """The role that a pod identity association gives aws-node afterwards, "" where it is not known yet; None: no association.

    Undecided: whether there is one at all.
    """
    own = change.after_value(BLOCK)
    if isinstance(own, UnknownValue):
        return UNKNOWN_VALUE
    blocks = [fields(member) for member in members(own)]
    blocks += [item.after for item in plan.of_type(_ASSOCIATION) if item.after is not None and _is_for(item, change)]
    meant = [block for block in blocks if block.get("service_account") in (_ACCOUNT, None)]
    return text(meant[0].get("role_arn")) if meant else None


def _is_for(association: Change, addon: Change) -> bool:
    clusters = association.after_value("cluster_name"), addon.after_value("cluster_name")
    same = clusters[0] == clusters[1] or UNKNOWN_VALUE in clusters
    after = association.after or {}
    return same and after.get("namespace") == _NAMESPACE and after.get("service_account") == _ACCOUNT


def _identity(plan: Plan, change: Change, file: str) -> Iterator[Finding]:
    role, association = role_after(change), associated(plan, change)
    said = expression(plan, change, ROLE)
    if isinstance(association, str):
        beside = f" {ROLE} is ignored beside it." if role else ""
        yield _concern(rules.POD_IDENTITY, change, file, f"A pod identity association gives aws-node its role.{beside}", said=said)
    elif isinstance(role, UnknownValue):
        if roles_behind(plan, change, ROLE) is None:
            message = f"{ROLE} is known only after the apply, and may be empty then."
            yield _concern(rules.ROLE_UNKNOWN, change, file, message, said=said)
    elif not role:
        yield _without_role(plan, change, file, said, maybe=association is UNKNOWN_VALUE)
    elif role_before(change) not in ("", role):
        message = f"The role changes from {role_before(change)} to {role}; pods keep the old one until aws-node is restarted."
        yield _concern(rules.ROLE_CHANGED, change, file, message, said=said)


def _without_role(plan: Plan, change: Change, file: str, said: str, *, maybe: bool) -> Finding:
    add, place = role_lines(plan, change), place_of(plan, change)
    if maybe:
        message = f"There is no {ROLE}, and whether there is a {BLOCK} is known only after the apply."
        return _concern(rules.ROLE_UNKNOWN, change, file, message, said=said, add=add, place=place)
    rule, message = _loss(change)
    return _concern(rule, change, file, message, said=said, add=add, place=place)


def _loss(change: Change) -> tuple[Rule, str]:
    versions = (change.before or {}).get("addon_version"), change.after_value("addon_version")
    to = f" to {versions[1]}" if isinstance(versions[1], str) else ""
    moved = f" while the version goes from {versions[0]}{to}" if change.before and versions[0] != versions[1] else ""
    if before := role_before(change):
        return rules.ROLE_DROPPED, f"The record holds {before}; the plan takes it out{moved}."
    if members((change.before or {}).get(BLOCK)):
        return rules.ROLE_DROPPED, f"The record holds a pod identity association; the plan takes it out{moved} and names no role."
    if change.actions in (("no-op",), ("read",), ()):
        return rules.ROLE_ABSENT, "The add-on has no role, and this plan leaves it so."
    if change.is_created:
        return rules.ROLE_MISSING, f"The add-on is made without {ROLE} and without a pod identity association."
    return rules.ROLE_MISSING, f"The add-on is updated without a role{moved}: an annotation that was set by hand goes with it."


# --- conflicts and removal


def _conflicts(plan: Plan, change: Change, file: str) -> Iterator[Finding]:
    after, place = change.after or {}, place_of(plan, change)
    if after.get("resolve_conflicts_on_update") == "OVERWRITE":
        said = expression(plan, change, "resolve_conflicts_on_update")
        message = "resolve_conflicts_on_update is OVERWRITE" + _default(plan, change)
        line = ('resolve_conflicts_on_update = "PRESERVE"',)
        yield _concern(rules.OVERWRITE, change, file, message, said=said, add=line, place=place)
    if old := text(after.get("resolve_conflicts")):
        create = "NONE" if old == "PRESERVE" else old
        add = (f'resolve_conflicts_on_create = "{create}"', 'resolve_conflicts_on_update = "PRESERVE"')
        message = f"resolve_conflicts = {old!r} holds for creation and updates alike; write both apart."
        yield _concern(rules.RESOLVE_CONFLICTS, change, file, message, add=add, place=place)


def _default(plan: Plan, change: Change) -> str:
    call = call_of(plan, module_names(change.module))
    if call and (call.is_cluster_module or call.is_blueprint):
        return f", which is what module {call.path[-1]} says where nothing else is given."
    return "."


def _removed(plan: Plan, change: Change, file: str) -> Finding:
    said = "deleted and made again" if change.after is not None or _made_elsewhere(plan, change) else "deleted"
    if "forget" in change.actions:
        return _concern(rules.ADDON_RELEASED, change, file, "Terraform forgets the add-on; it stays in the cluster as it is.")
    if (change.before or {}).get("preserve") is True:
        return _concern(rules.ADDON_RELEASED, change, file, f"The add-on is {said}; `preserve` leaves aws-node in the cluster.")
    message = f"The add-on is {said}, and aws-node with it."
    if move := _made_elsewhere(plan, change):
        block = ("moved {", f"  from = {change.address}", f"  to   = {move.address}", "}")
        return _concern(rules.ADDON_REMOVED, change, file, message, add=block, place="in the root module")
    setting = ("preserve = true",)
    return _concern(rules.ADDON_REMOVED, change, file, message, add=setting, place=f"{place_of(plan, change)}, in an apply before this one")


def _made_elsewhere(plan: Plan, change: Change) -> Change | None:
    """The same add-on under another address: moved from `this` to `before_compute`, for instance."""
    where = (change.before or {}).get("cluster_name")
    others = (
        cni_addon
        for cni_addon in cni_addons(plan)
        if cni_addon.address != change.address and cni_addon.is_created and cni_addon.before is None
    )
    return next((other for other in others if other.after_value("cluster_name") in (where, UNKNOWN_VALUE)), None)


def made_after_nodes(plan: Plan, file: str) -> Iterator[Finding]:
    """Add-ons that are made only when nodes are there already."""
    nodes = [item for item in plan.changes if item.type == "aws_eks_node_group" and item.is_created]
    for change in cni_addons(plan):
        if not change.is_created or not nodes or change.before is not None:
            continue
        call = call_of(plan, module_names(change.module))
        place, add = place_of(plan, change), ("before_compute = true",)
        if call and call.is_cluster_module and change.name != "before_compute":
            message = f"Module {call.path[-1]} makes this add-on when its node groups are ready; before_compute turns that round."
            yield _concern(rules.AFTER_COMPUTE, change, file, message, add=add, place=place)
        elif call and call.is_blueprint:
            message = f"Module {call.path[-1]} makes add-ons after the cluster's nodes; leave vpc-cni to the cluster module."
            line = ("vpc-cni = { before_compute = true, service_account_role_arn = ... }",)
            yield _concern(rules.AFTER_COMPUTE, change, file, message, add=line, place="in the add-ons of the cluster module")
        elif late := [item for item in _waits_for(plan, change) if item.startswith("aws_eks_node_group.")]:
            message = f"The add-on waits for {late[0]} by depends_on, so the nodes join without it."
            line = (f"depends_on = [{change.config_address}]",)
            yield _concern(rules.AFTER_COMPUTE, change, file, message, add=line, place=f"in {late[0]}, instead of the one in the add-on")


def _waits_for(plan: Plan, change: Change) -> list[str]:
    return [member for member in members(resource_block(plan, change).get("depends_on")) if isinstance(member, str)]


def _concern(rule: Rule, change: Change, file: str, message: str, *, said: str = "", add: tuple[str, ...] = (), place: str = "") -> Finding:
    return Finding(rule=rule, resource=change.address, file=file, message=message, expression=said, add=add, place=place)
