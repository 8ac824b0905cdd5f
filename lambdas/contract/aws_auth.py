"""The `aws-auth` entries for clusters that do not support access entries."""

from collections.abc import Mapping

from lambdas.contract.access import GROUPS
from lambdas.contract.environment import Function
from lambdas.contract.names import PROJECT


def map_roles(roles: Mapping[Function, str]) -> str:
    """Items of `mapRoles` in the ConfigMap `kube-system/aws-auth`, as YAML. `roles` maps functions to role ARNs.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html
    """
    return "\n".join(
        f"- rolearn: {roles[function]}\n  username: {PROJECT}:{function}:{{{{SessionName}}}}\n  groups: ['{group}']"
        for function, group in GROUPS.items()
    )
