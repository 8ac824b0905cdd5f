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
    "FargateProfile": "aws_eks_fargate_profile",
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
_ONLY: Final = "*"
"""The name in a reference to the only resource of a kind."""
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
    found = [(entry, pair) for entry in documents if (pair := _change(entry))]
    if not found:
        raise MalformedFile(f"{file}:1:1 holds no manifest of ACK or Crossplane for EKS or IAM")
    plan = Plan(
        changes=tuple(change for entry, (change, _) in found if not entry.is_read_only),
        data_reads=(),
        prior=(),
        configuration={"resources": _resolved([block for _, (_, block) in found])},
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


@dataclass(frozen=True, kw_only=True)
class _Manifest:
    """One resource, with the attributes that a composition fills in."""

    document: SourceNode
    patched: tuple[str, ...] = ()

    @property
    def is_read_only(self) -> bool:
        """Return whether the controller reads the resource and never writes it.

        Source: https://aws-controllers-k8s.github.io/community/docs/user-docs/read-only-resources/ and
        https://docs.crossplane.io/latest/managed-resources/managed-resources/#managementpolicies
        """
        policies = self.document.at("spec", "managementPolicies")
        observed = policies is not None and [entry.text for entry in policies.items] == ["Observe"]
        notes = self.document.at("metadata", "annotations")
        return observed or any((notes is not None and _text(notes, name) == "true") for name in _READ_ONLY)


_READ_ONLY: Final = ("services.k8s.aws/read-only", "crossplane.io/paused")


def _entries(document: SourceNode) -> list[_Manifest]:
    """Return the manifests of a list or of a composition, or the document itself."""
    if _text(document, "kind") == "Composition":
        return list(_composed(document))
    listed = document.at("items")
    return [_Manifest(document=entry) for entry in (listed.items if listed and _text(document, "kind").endswith("List") else [document])]


def _composed(composition: SourceNode) -> Iterator[_Manifest]:
    """Return the resources of a composition, in both of its modes.

    Source: https://docs.crossplane.io/latest/composition/compositions/ and https://github.com/crossplane-contrib/function-patch-and-transform
    """
    pipeline = composition.at("spec", "pipeline")
    inputs = [step.at("input") for step in (pipeline.items if pipeline else [])]
    for owner in (composition.at("spec"), *inputs):
        listed = owner.at("resources") if owner else None
        for entry in listed.items if listed else []:
            base, patches = entry.at("base"), entry.at("patches")
            paths = [_text(patch, "toFieldPath") or _text(patch, "fromFieldPath") for patch in (patches.items if patches else [])]
            if base is not None and base.fields:
                patched = tuple(path.removeprefix(_PATCHED) for path in paths if path.startswith(_PATCHED))
                yield _Manifest(document=replace(base, value={**base.fields, "metadata": _named(entry)}), patched=patched)


def _resolved(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the blocks in which a selector of the composition's own resources names the only one of its kind, or none."""
    addresses = [str(block["address"]) for block in blocks]
    for block in blocks:
        for expression in block["expressions"].values():
            resolved = []
            for reference in expression["references"]:
                kind, name, attribute = reference.split(".")
                labels = [address.partition(".")[2] for address in addresses if address.startswith(f"{kind}.")]
                if name != _ONLY:
                    resolved.append(reference)
                elif len(labels) == 1:
                    resolved.append(f"{kind}.{labels[0]}.{attribute}")
            expression["references"] = resolved
    return blocks


_PATCHED: Final = "spec.forProvider."


def _named(entry: SourceNode) -> SourceNode:
    """Return metadata with the name of an entry of a composition, whose base has none."""
    name = entry.at("name") or SourceNode("resource", entry.line, entry.column)
    own = entry.at("base", "metadata")
    return SourceNode({**(own.fields if own else {}), "name": name}, entry.line, entry.column)


def _change(manifest: _Manifest) -> tuple[Change, dict[str, Any]] | None:
    document = manifest.document
    version, kind = _text(document, "apiVersion"), _text(document, "kind")
    is_ack = _ACK in version
    if not (is_ack or _CROSSPLANE.match(version)) or kind not in _TYPES:
        return None
    declared = _TYPES[kind]
    parts = [document.at("spec")] if is_ack else [document.at("spec", "initProvider"), document.at("spec", "forProvider")]
    spec = {key: node for part in parts if part for key, node in part.fields.items()}
    names = (_ACK_NAMES if is_ack else _CROSSPLANE_NAMES).get(declared, {})
    label = _text(document.at("metadata") or document, "name")
    values: dict[str, Any] = {}
    unknown: dict[str, Any] = {"arn": True}
    expressions: dict[str, Any] = {}
    for key, node in spec.items():
        snake = _snake(key)
        name = names.get(snake, snake)
        if snake == "policy_refs":
            values.setdefault("managed_policy_arns", []).append(None)
            continue
        if _SUFFIX.search(snake):
            target = _SUFFIX.sub("", snake)
            target = names.get(target, target)
            unknown[target] = True
            expressions[target] = {"references": list(_references(target, node, declared))}
            continue
        plain = _plain(node)
        listed = values.get(name) if name == "managed_policy_arns" else None
        values[name] = [*plain, *listed] if listed and isinstance(plain, list) else [plain] if _is_block(name, plain) else plain
    for path in manifest.patched:
        name = _snake(path.partition(".")[0].partition("[")[0])
        unknown[names.get(name, name)] = True
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


def _is_block(name: str, value: object) -> bool:
    return name in _LISTED and isinstance(value, dict)


def _complete(declared: str, values: dict[str, Any], unknown: dict[str, Any], label: str, document: SourceNode, *, is_ack: bool) -> None:
    """Add the name that a resource has by default, and associations whose roles are references."""
    if not is_ack:
        external = document.at("metadata", "annotations", "crossplane.io/external-name")
        if declared in ("aws_eks_cluster", "aws_iam_role"):
            values.setdefault("name", (external.text if external else "") or label)
    if declared == "aws_iam_role" and isinstance(values.get("inline_policies"), dict):
        values["inline_policy"] = [{"name": name, "policy": policy} for name, policy in values.pop("inline_policies").items()]
    for block in values.get("pod_identity_association") or []:
        if isinstance(block, dict) and "role_ref" in block:
            block.setdefault("role_arn", "")


def _references(target: str, node: SourceNode, declared: str) -> Iterator[str]:
    """Return references to the resources that a `Ref` names: ACK nests the name under `from`."""
    kinds = {"cluster_name": "aws_eks_cluster", "cluster": "aws_eks_cluster", "policy_arn": "aws_iam_policy"}
    kind = kinds.get(target, "aws_iam_role" if "role" in target else declared)
    controller = node.at("matchControllerRef")
    if controller is not None and controller.value is True:
        yield f"{kind}.{_ONLY}.arn"
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
