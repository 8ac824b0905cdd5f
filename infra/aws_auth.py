"""The lines that give our roles access to a cluster which takes no access entries."""

from collections.abc import Mapping

from aws_cdk import aws_iam as iam

from lambdas.contract.access import GROUPS
from lambdas.contract.environment import Function
from lambdas.contract.names import PROJECT


def lines(roles: Mapping[Function, iam.IRole]) -> str:
    """Items of `mapRoles` in the ConfigMap `kube-system/aws-auth`, as YAML.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html
    """
    return "\n".join(
        f"- rolearn: {roles[function].role_arn}\n  username: {PROJECT}:{function}:{{{{SessionName}}}}\n  groups: ['{group}']"
        for function, group in GROUPS.items()
    )
