"""Reads Kubernetes manifests of ACK and Crossplane as a plan that creates their resources.

ACK: https://aws-controllers-k8s.github.io/community/reference/eks/v1alpha1/addon/
Crossplane: https://marketplace.upbound.io/providers/upbound/provider-aws-eks/latest/resources/eks.aws.upbound.io/Addon/v1beta1
(made from the Terraform provider)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from preflight import rules
from preflight.context import ALONE, Context, Declarations
from preflight.finding import Finding, MalformedFile, by_severity
from preflight.source_tree import SourceNode, duplicate_keys, load_all
from preflight.terraform import reader as terraform
from preflight.terraform.plan import Change, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

_ACK: Final = ".services.k8s.aws/"
_CROSSPLANE: Final = re.compile(r"^(eks|iam)\.aws(?:\.m)?\.(?:upbound\.io|crossplane\.io)/")
_TYPES: Final = {
    "Addon": "aws_eks_addon",
    "Cluster": "aws_eks_cluster",
    "Nodegroup": "aws_eks_node_group",
    "NodeGroup": "aws_eks_node_group",
    "PodIdentityAssociation": "aws_eks_pod_identity_association",
    "Role": "aws_iam_role",
    "Policy": "aws_iam_policy",
    "RolePolicy": "aws_iam_role_policy",
    "RolePolicyAttachment": "aws_iam_role_policy_attachment",
    "OpenIDConnectProvider": "aws_iam_openid_connect_provider",
}
_ACK_NAMES: Final = {
    "aws_eks_addon": {
        "name": "addon_name",
        "cluster": "cluster_name",
        "service_account_role": "service_account_role_arn",
        "pod_identity_associations": "pod_identity_association",
        "resolve_conflicts": "resolve_conflicts_on_update",
    },
    "aws_eks_node_group": {"cluster": "cluster_name", "node_role": "node_role_arn"},
    "aws_eks_pod_identity_association": {"cluster": "cluster_name", "role": "role_arn"},
    "aws_iam_role": {"assume_role_policy_document": "assume_role_policy", "policies": "managed_policy_arns"},
    "aws_iam_policy": {"policy_document": "policy"},
    "aws_iam_openid_connect_provider": {"client_ids": "client_id_list"},
}
_CROSSPLANE_NAMES: Final = {
    "aws_eks_addon": {"pod_identity_associations": "pod_identity_association"},
    "aws_iam_role": {"inline_policies": "inline_policy"},
}
_SUFFIX: Final = re.compile(r"_(?:ref|refs|selector)$")
_LISTED: Final = ("compute_config", "kubernetes_network_config")
_DEEPEST: Final = 20


@dataclass(frozen=True, kw_only=True)
class Manifests:
    """The manifests as a plan, and the keys that they hold twice with their positions."""

    plan: Plan
    duplicates: tuple[tuple[str, tuple[int, int]], ...]


def parse(source: str, file: str) -> Manifests:
    """Return the manifests as a plan.

    Raises:
        MalformedFile: the text holds no manifest of ACK or Crossplane for EKS.
    """
    roots = load_all(source, file)
    documents = [entry for root in roots for entry in _entries(root)]
    changes = [pair for document in documents if (pair := _change(document))]
    if not changes:
        raise MalformedFile(f"{file}:1:1 holds no manifest of ACK or Crossplane for EKS or IAM")
    plan = Plan(
        changes=tuple(change for change, _ in changes),
        data_reads=(),
        prior=(),
        configuration={"resources": [block for _, block in changes]},
        complete=True,
    )
    return Manifests(plan=plan, duplicates=tuple(found for root in roots for found in duplicate_keys(root)))


def declarations(manifests: Manifests) -> Declarations:
    """Return what the manifests declare that matters to other files."""
    return terraform.declarations(manifests.plan)


def findings(manifests: Manifests, context: Context) -> tuple[Finding, ...]:
    """Return the findings about manifests, most severe first, at the lines of the resources."""
    places = {change.address: (change.line, change.column) for change in manifests.plan.changes}
    found = [
        Finding(
            rule=rules.DUPLICATE_KEY,
            line=line,
            column=column,
            message=f"The key {key!r} is written twice: strict parsers refuse it, others keep the last value.",
        )
        for key, (line, column) in manifests.duplicates
    ]
    for finding in terraform.findings(manifests.plan, context):
        line, column = places.get(finding.resource, (0, 0))
        found.append(replace(finding, line=line, column=column, add=(), place=""))
    return by_severity(found)


def read(source: str, file: str, context: Context = ALONE) -> tuple[Finding, ...]:
    """Return the findings about the text of manifests.

    Raises:
        MalformedFile: the text holds no manifest of ACK or Crossplane for EKS.
    """
    return findings(parse(source, file), context)


def _entries(document: SourceNode) -> list[SourceNode]:
    """Return the manifests of a list, or the document itself."""
    listed = document.at("items")
    return listed.items if listed and _text(document, "kind").endswith("List") else [document]


def _change(document: SourceNode) -> tuple[Change, dict[str, Any]] | None:
    version, kind = _text(document, "apiVersion"), _text(document, "kind")
    is_ack = _ACK in version
    if not (is_ack or _CROSSPLANE.match(version)) or kind not in _TYPES:
        return None
    declared = _TYPES[kind]
    spec = document.at("spec") if is_ack else document.at("spec", "forProvider")
    names = (_ACK_NAMES if is_ack else _CROSSPLANE_NAMES).get(declared, {})
    label = _text(document.at("metadata") or document, "name")
    values: dict[str, Any] = {}
    unknown: dict[str, Any] = {"arn": True}
    expressions: dict[str, Any] = {}
    for key, node in (spec.fields if spec else {}).items():
        snake = _snake(key)
        name = names.get(snake, snake)
        if _SUFFIX.search(snake):
            target = _SUFFIX.sub("", snake)
            target = names.get(target, target)
            unknown[target] = True
            expressions[target] = {"references": list(_references(target, node, declared))}
            continue
        plain = _plain(node)
        values[name] = [plain] if name in _LISTED and isinstance(plain, dict) else plain
    _complete(declared, values, unknown, label, document, is_ack=is_ack)
    change = Change(
        address=f"{kind}/{label}",
        module="",
        type=declared,
        declared_type=declared,
        name=re.sub(r"\W", "_", label),
        index="",
        actions=("create",),
        before=None,
        after=values,
        after_unknown={name: True for name in unknown if not values.get(name)},
        line=document.line,
        column=document.column,
    )
    return change, {"address": change.config_address, "expressions": expressions}


def _complete(declared: str, values: dict[str, Any], unknown: dict[str, Any], label: str, document: SourceNode, *, is_ack: bool) -> None:
    """Add the name that a resource has by default, and associations whose roles are references."""
    if not is_ack:
        external = document.at("metadata", "annotations", "crossplane.io/external-name")
        if declared in ("aws_eks_cluster", "aws_iam_role"):
            values.setdefault("name", (external.text if external else "") or label)
    if declared == "aws_iam_role" and isinstance(values.get("inline_policies"), dict):
        values["inline_policy"] = [{"name": name, "policy": policy} for name, policy in values.pop("inline_policies").items()]
    if declared == "aws_iam_role" and "policy_refs" in values:
        unknown["managed_policy_arns"] = True
    for block in values.get("pod_identity_association") or []:
        if isinstance(block, dict) and "role_ref" in block:
            block.setdefault("role_arn", "")


def _references(target: str, node: SourceNode, declared: str) -> Iterator[str]:
    """Return references to the resources that a `Ref` names: ACK nests the name under `from`."""
    kinds = {"cluster_name": "aws_eks_cluster", "cluster": "aws_eks_cluster", "policy_arn": "aws_iam_policy"}
    kind = kinds.get(target, "aws_iam_role" if "role" in target else declared)
    for entry in node.items or [node]:
        name = _text(entry.at("from") or entry, "name")
        if name:
            label = re.sub(r"\W", "_", name)
            yield f"{kind}.{label}.arn"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name.replace("ARNs", "Arns").replace("ARN", "Arn")).lower()


def _plain(node: SourceNode, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        return None
    if node.items:
        return [_plain(entry, depth + 1) for entry in node.items]
    if node.fields:
        return {_snake(key) if not _is_policy(node) else key: _plain(entry, depth + 1) for key, entry in node.fields.items()}
    return [] if isinstance(node.value, list) else {} if isinstance(node.value, dict) else node.value


def _is_policy(node: SourceNode) -> bool:
    return bool({"Statement", "Effect", "Principal", "Condition"} & set(node.fields)) or any(":" in key for key in node.fields)


def _text(node: SourceNode, key: str) -> str:
    found = node.at(key)
    return (found.text or "") if found else ""
