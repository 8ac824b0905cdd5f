"""The lines that give our roles access to a cluster which takes no access entries."""

from collections.abc import Mapping

from aws_cdk import aws_iam as iam

from lambdas.contract.aws_auth import map_roles
from lambdas.contract.environment import Function


def lines(roles: Mapping[Function, iam.IRole]) -> str:
    """Items of `mapRoles`, with the ARNs of the stack's own roles."""
    return map_roles({function: role.role_arn for function, role in roles.items()})
