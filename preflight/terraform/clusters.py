"""The clusters of a plan: which one an add-on is for, its mode and IP family, and the policies of the roles of its nodes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from preflight.context import ALONE, Context, lowest
from preflight.iam_policies import Access, cni_access
from preflight.network_plugins import names_network_plugin
from preflight.terraform.plan import Change, Plan, UnknownValue, fields, members, module_names, text
from preflight.terraform.references import changes_at, referred
from preflight.terraform.role_policies import ROLE, policies_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CLUSTER: Final = "aws_eks_cluster"
NODE_GROUP: Final = "aws_eks_node_group"
_PROFILE: Final = "aws_iam_instance_profile"
_SCALING_GROUP: Final = "aws_autoscaling_group"


def cluster_of(plan: Plan, addon: Change) -> Change | None:
    """Return the cluster of an add-on where it is in the plan: by name, by reference, or the only one of its module."""
    clusters = plan.of_type(CLUSTER)
    name = addon.after_value("cluster_name") if addon.after is not None else (addon.before or {}).get("cluster_name")
    if isinstance(name, str):
        return next((found for found in clusters if name in _names(found)), None)
    referred_to = list(changes_at(plan, referred(plan, addon, "cluster_name"), CLUSTER))
    same_module = [found for found in referred_to or clusters if found.module == addon.module]
    candidates = same_module or referred_to or list(clusters)
    return candidates[0] if len(candidates) == 1 else None


def cluster_name(change: Change) -> object:
    """Return the name of the cluster that a resource is of, or of a cluster itself; unknown where the plan does not hold it."""
    return change.after_value("name" if change.type == CLUSTER else "cluster_name")


def _names(cluster: Change) -> set[str]:
    return {text((cluster.after or {}).get("name")), text((cluster.before or {}).get("name"))} - {""}


def is_auto_mode(cluster: Change | None) -> bool:
    """Return whether EKS Auto Mode is on after the plan.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/automode.html
    """
    blocks = map(fields, members((cluster.after or {}).get("compute_config"))) if cluster else ()
    single = fields((cluster.after or {}).get("compute_config")) if cluster else {}
    return single.get("enabled") is True or any(block.get("enabled") is True for block in blocks)


def is_ipv6(cluster: Change | None) -> bool:
    """Return whether pods of the cluster get IPv6 addresses."""
    blocks = members((cluster.after or {}).get("kubernetes_network_config")) if cluster else ()
    return any(fields(block).get("ip_family") == "ipv6" for block in blocks)


def installs_other_plugin(plan: Plan) -> bool:
    """Return whether a Helm release or manifest of the plan installs a network plug-in."""
    for change in plan.changes:
        if change.after is None or change.type not in (
            "helm_release",
            "kubectl_manifest",
            "kubernetes_manifest",
            "kubernetes_daemon_set_v1",
        ):
            continue
        values = " ".join(text(change.after.get(name)) for name in ("chart", "name", "repository", "yaml_body"))
        if names_network_plugin(values):
            return True
    return False


def node_access(plan: Plan, addon: Change, context: Context = ALONE) -> Access | None:
    """Return whether the nodes of the add-on's cluster may make the calls of the VPC CNI; None where the plan holds no nodes.

    MISSING where the role of a node group is in the plan and no policy in the plan allows the calls. UNKNOWN where a role is elsewhere.
    """
    answers = {_group_access(plan, group, context) for group in _groups(plan, addon)}
    answers |= {cni_access(policies_after(plan, role)) for role in _instance_roles(plan)} if not answers else set()
    return lowest(answers)


def declared_nodes(plan: Plan) -> Iterator[tuple[str | None, Access]]:
    """Return the clusters of the node groups that the plan leaves, with whether their roles may make the calls of the VPC CNI."""
    for group in plan.of_type(NODE_GROUP):
        if group.after is not None:
            yield text(group.after_value("cluster_name")) or None, _group_access(plan, group)


def has_fargate_alone(plan: Plan) -> bool:
    """Return whether the plan runs pods on Fargate and holds no nodes. aws-node does not run on Fargate."""
    return bool(plan.of_type("aws_eks_fargate_profile")) and not plan.of_type(NODE_GROUP) and not _instance_roles(plan)


def _groups(plan: Plan, addon: Change) -> Iterator[Change]:
    cluster = cluster_name(addon)
    for group in plan.of_type(NODE_GROUP):
        name = group.after_value("cluster_name")
        if group.after is not None and (name == cluster or isinstance(name, UnknownValue) or isinstance(cluster, UnknownValue) or not name):
            yield group


def _group_access(plan: Plan, group: Change, context: Context = ALONE) -> Access:
    role = role_of_group(plan, group)
    if role is None:
        return context.access_of_role(text(group.after_value("node_role_arn")))
    return cni_access(policies_after(plan, role))


def role_of_group(plan: Plan, group: Change) -> Change | None:
    """Return the role of a node group where it is in the plan."""
    arn = group.after_value("node_role_arn")
    if isinstance(arn, str) and arn:
        return role_with_arn(plan, arn)
    roles = [role for role in changes_at(plan, referred(plan, group, "node_role_arn"), ROLE) if role.after is not None]
    same_module = [role for role in roles if role.module == group.module]
    candidates = same_module or roles or [role for role in plan.of_type(ROLE) if role.module == group.module and _is_for_nodes(role)]
    return candidates[0] if len(candidates) == 1 else None


def role_with_arn(plan: Plan, arn: str) -> Change | None:
    """Return the role that has this ARN after the plan, or the new role with this name: its ARN is not known yet."""
    name = arn.rsplit("/", 1)[-1]
    for role in plan.of_type(ROLE):
        if role.after is not None and arn in (text(role.after.get("arn")), text((role.before or {}).get("arn"))):
            return role
    named = [role for role in plan.of_type(ROLE) if role.is_created and role.after is not None and role.after.get("name") == name]
    return named[0] if len(named) == 1 else None


def _instance_roles(plan: Plan) -> list[Change]:
    """Return the roles of self-managed and Karpenter nodes: those of instance profiles, or all that trust EC2."""
    if not plan.of_type(_PROFILE) and not plan.of_type(_SCALING_GROUP):
        karpenter = [role for role in plan.of_type(ROLE) if "karpenter" in f"{role.module}{role.name}".lower()]
        return [role for role in karpenter if role.after is not None and _is_for_nodes(role)]
    return [role for role in plan.of_type(ROLE) if role.after is not None and _is_for_nodes(role)]


def _is_for_nodes(role: Change) -> bool:
    values: Mapping[str, Any] = role.after or {}
    return "ec2.amazonaws.com" in json.dumps(values.get("assume_role_policy", "")) or "node" in module_names(role.module)
