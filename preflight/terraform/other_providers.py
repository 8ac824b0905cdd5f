"""Resources of the AWSCC provider as resources of the AWS provider: the same APIs under other names.

Source: https://registry.terraform.io/providers/hashicorp/awscc/latest/docs/resources/eks_addon
"""

from collections.abc import Mapping
from typing import Any, Final

_TYPES: Final = {
    "awscc_eks_addon": "aws_eks_addon",
    "awscc_eks_cluster": "aws_eks_cluster",
    "awscc_eks_nodegroup": "aws_eks_node_group",
    "awscc_eks_pod_identity_association": "aws_eks_pod_identity_association",
    "awscc_iam_oidc_provider": "aws_iam_openid_connect_provider",
    "awscc_iam_role": "aws_iam_role",
}
_ATTRIBUTES: Final = {
    "awscc_eks_addon": {
        "pod_identity_associations": "pod_identity_association",
        "preserve_on_delete": "preserve",
        "resolve_conflicts": "resolve_conflicts_on_update",
    },
    "awscc_eks_nodegroup": {"node_role": "node_role_arn"},
    "awscc_iam_oidc_provider": {"client_ids": "client_id_list"},
    "awscc_iam_role": {
        "role_name": "name",
        "assume_role_policy_document": "assume_role_policy",
        "policies": "inline_policy",
    },
}


def aws_type(declared: str) -> str:
    """Return the type of the AWS provider for the same resource; the type itself for all others."""
    return _TYPES.get(declared, declared)


def aws_attributes(declared: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes under the names of the AWS provider."""
    names = _ATTRIBUTES.get(declared)
    return {names.get(name, name): value for name, value in values.items()} if names else values
