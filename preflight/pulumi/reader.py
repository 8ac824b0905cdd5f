"""Reads the JSON of `pulumi preview --json` as a plan: the AWS provider of Pulumi is made from the Terraform provider.

Source: https://www.pulumi.com/docs/iac/cli/commands/pulumi_preview/ and https://www.pulumi.com/registry/packages/aws/api-docs/eks/addon/
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from preflight.context import ALONE, Context, Declarations
from preflight.finding import Finding, MalformedFile
from preflight.source_tree import json_fault
from preflight.terraform import reader as terraform
from preflight.terraform.other_providers import aws_attributes, aws_type
from preflight.terraform.plan import Change, Plan, fields, members, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The placeholder for a value that is known after the update.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/plugin/rpc.go
"""
_TYPES: Final = {
    "aws:eks/addon:Addon": "aws_eks_addon",
    "aws:eks/cluster:Cluster": "aws_eks_cluster",
    "aws:eks/nodeGroup:NodeGroup": "aws_eks_node_group",
    "aws:eks/fargateProfile:FargateProfile": "aws_eks_fargate_profile",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": "aws_eks_pod_identity_association",
    "aws:iam/role:Role": "aws_iam_role",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "aws_iam_role_policy_attachment",
    "aws:iam/rolePolicy:RolePolicy": "aws_iam_role_policy",
    "aws:iam/policy:Policy": "aws_iam_policy",
    "aws:iam/policyAttachment:PolicyAttachment": "aws_iam_policy_attachment",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": "aws_iam_openid_connect_provider",
    "aws:iam/instanceProfile:InstanceProfile": "aws_iam_instance_profile",
    "aws-native:eks:Addon": "awscc_eks_addon",
    "aws-native:eks:Cluster": "awscc_eks_cluster",
    "aws-native:eks:Nodegroup": "awscc_eks_nodegroup",
    "aws-native:eks:PodIdentityAssociation": "awscc_eks_pod_identity_association",
    "aws-native:iam:Role": "awscc_iam_role",
    "aws-native:iam:OidcProvider": "awscc_iam_oidc_provider",
    "kubernetes:helm.sh/v3:Release": "helm_release",
}
_NAMES: Final = {
    "pod_identity_associations": "pod_identity_association",
    "inline_policies": "inline_policy",
    "client_id_lists": "client_id_list",
}
_LISTED: Final = ("pod_identity_association", "compute_config", "kubernetes_network_config", "identity")
_DEEPEST: Final = 20
"""Levels of nesting that are read: no resource has as many."""
_ACTIONS: Final = {
    "create": ("create",),
    "update": ("update",),
    "same": ("no-op",),
    "refresh": ("no-op",),
    "read": ("read",),
    "import": ("no-op",),
    "delete": ("delete",),
    "replace": ("delete", "create"),
    "create-replacement": ("delete", "create"),
    "delete-replaced": ("delete", "create"),
}


def parse(source: str, file: str) -> Plan:
    """Return the preview as a plan.

    Raises:
        MalformedFile: the text is not the JSON of a preview.
    """
    try:
        found = json.loads(source)
    except json.JSONDecodeError as error:
        raise MalformedFile(json_fault(source, file, error)) from error
    except (RecursionError, ValueError) as error:
        raise MalformedFile(f"{file} cannot be read as JSON: {type(error).__name__}") from error
    if not isinstance(found, dict) or not isinstance(found.get("steps"), list):
        raise MalformedFile(f"{file}:1:1 is no Pulumi preview: run `pulumi preview --json > preview.json` and give preview.json")
    steps: dict[str, dict[str, Any]] = {}
    for step in map(fields, found["steps"]):
        steps[text(step.get("urn"))] = {**steps.get(text(step.get("urn")), {}), **step}
    return Plan(
        changes=tuple(_changes(steps)),
        data_reads=(),
        prior=(),
        configuration={"resources": list(_configuration(steps))},
        complete=True,
    )


def declarations(plan: Plan) -> Declarations:
    """Return what the preview declares that matters to other files."""
    return terraform.declarations(plan)


def findings(plan: Plan, context: Context) -> tuple[Finding, ...]:
    """Return the findings about a preview, most severe first. Lines to add are those of Terraform, so they are left out."""
    return tuple(replace(finding, add=(), place="") for finding in terraform.findings(plan, context))


def read(source: str, file: str, context: Context = ALONE) -> tuple[Finding, ...]:
    """Return the findings about the text of a preview.

    Raises:
        MalformedFile: the text is not the JSON of a preview.
    """
    return findings(parse(source, file), context)


def _changes(steps: Mapping[str, Mapping[str, Any]]) -> Iterator[Change]:
    for urn, step in steps.items():
        declared = _TYPES.get(_kind(urn))
        if declared is None:
            continue
        old, new = fields(step.get("oldState")), fields(step.get("newState"))
        before, _ = _attributes(declared, {**fields(old.get("inputs")), **fields(old.get("outputs"))})
        if old.get("retainOnDelete") is True:  # https://www.pulumi.com/docs/iac/concepts/options/retainondelete/
            before["preserve"] = True
        after, unknown = _attributes(declared, fields(new.get("inputs")))
        outputs = fields(old.get("outputs")) if text(step.get("op")) in ("same", "update", "refresh") else {}
        known = {name: value for name, value in _attributes(declared, outputs)[0].items() if name in ("arn", "name", "identity", "url")}
        unknown |= {"arn": True} if "arn" not in known and new else {}
        yield Change(
            address=urn.rsplit("::", 1)[-1] if urn else "",
            module="",
            type=aws_type(declared),
            declared_type=aws_type(declared),
            name=_name(urn),
            index="",
            actions=_ACTIONS.get(text(step.get("op")), ("no-op",)),
            before=before if old else None,
            after={**known, **after} if new and text(step.get("op")) != "delete" else None,
            after_unknown=unknown,
        )


def _kind(urn: str) -> str:
    """`urn:pulumi:stack::project::parent$aws:eks/addon:Addon::cni` is of the type after the last `$`."""
    parts = urn.split("::")
    return parts[2].rsplit("$", 1)[-1] if len(parts) > 3 else ""  # noqa: PLR2004  # stack, project, type, name


def _name(urn: str) -> str:
    return re.sub(r"\W", "_", urn.rsplit("::", 1)[-1])


def _attributes(declared: str, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the attributes under the names of Terraform, and those whose value is not known."""
    values: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for key, value in inputs.items():
        name = _snake(key)
        name = _NAMES.get(name, name)
        if value == _UNKNOWN:
            unknown[name] = True
            continue
        plain = _plain(value, is_document=name in _DOCUMENTS)
        values[name] = [plain] if name in _LISTED and isinstance(plain, dict) else plain
    return dict(aws_attributes(declared, values)), dict(aws_attributes(declared, unknown))


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
"""The key that marks a secret or an output in a state.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig/sig.go
"""
_HIDDEN: Final = "[secret]"
_DOCUMENTS: Final = ("assume_role_policy", "assume_role_policy_document", "policy", "policy_document")
"""Attributes that hold policies, whose keys keep their case."""


def _plain(value: Any, depth: int = 0, *, is_document: bool = False) -> Any:
    """Return the value under the names of Terraform. A secret that is not shown is `${secret}`: it has some value."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict) and _SIGNATURE in value:
        return _revealed(value)
    if isinstance(value, dict):
        keys = {key: str(key) if is_document else _snake(str(key)) for key in value}
        return {keys[key]: _plain(entry, depth + 1, is_document=is_document or keys[key] in _DOCUMENTS) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry, depth + 1, is_document=is_document) for entry in value]
    return None if value == _UNKNOWN else "${secret}" if value == _HIDDEN else value


def _revealed(secret: Mapping[str, Any]) -> Any:
    try:
        return json.loads(text(secret.get("plaintext")))
    except ValueError:
        return "${secret}"


def _configuration(steps: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return the resources with their references: Pulumi lists for each input the resources that it depends on."""
    for urn, step in steps.items():
        declared = _TYPES.get(_kind(urn))
        if declared is None:
            continue
        dependencies = fields(fields(step.get("newState")).get("propertyDependencies"))
        yield {
            "address": f"{aws_type(declared)}.{_name(urn)}",
            "expressions": {
                _NAMES.get(_snake(key), _snake(key)): {
                    "references": [reference for other in members(urns) for reference in _reference(other)]
                }
                for key, urns in dependencies.items()
            },
        }


def _reference(urn: object) -> list[str]:
    declared = _TYPES.get(_kind(urn)) if isinstance(urn, str) else None
    return [f"{aws_type(declared)}.{_name(str(urn))}.arn"] if declared else []
