"""The lines that let our roles into a cluster which takes no access entries."""

from collections.abc import Mapping

from lambdas.contract.access import GROUPS
from lambdas.contract.environment import Function
from lambdas.contract.names import PROJECT


def map_roles(roles: Mapping[Function, str]) -> str:
    """Items of `mapRoles` in the ConfigMap `kube-system/aws-auth`, as YAML. `roles` are ARNs by function.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html
    """
    return "\n".join(
        f"- rolearn: {roles[function]}\n  username: {PROJECT}:{function}:{{{{SessionName}}}}\n  groups: ['{group}']"
        for function, group in GROUPS.items()
    )
