"""Permission policies of IAM roles, read with the caller's own rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.adapters.aws_errors import translated
from lambdas.domain.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambdas.adapters.aws_session import AwsSession


class IamRolePolicies:
    """Implements `RolePolicies`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def documents(self, role_arn: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the documents of the role's inline and attached policies, by the name of the policy.

        Of a managed policy, the default version applies.
        Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
        """
        role = role_arn.rpartition("/")[2]
        with translated(f"read the policies of role {role}"):
            return dict((*self._inline(role), *self._attached(role)))

    def _inline(self, role: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        client = self._session.client("iam")
        for page in client.get_paginator("list_role_policies").paginate(RoleName=role):
            for name in page["PolicyNames"]:
                yield name, _document(name, client.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])

    def _attached(self, role: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        client = self._session.client("iam")
        for page in client.get_paginator("list_attached_role_policies").paginate(RoleName=role):
            for policy in page["AttachedPolicies"]:
                arn = policy["PolicyArn"]
                version = client.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
                answer = client.get_policy_version(PolicyArn=arn, VersionId=version)
                yield arn, _document(arn, answer["PolicyVersion"]["Document"])


def _document(name: str, document: Any) -> Mapping[str, Any]:
    """The document as botocore decodes it from URL-encoded JSON.

    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html
    """
    if not isinstance(document, dict):
        raise PermanentError(f"policy {name} is no JSON object")
    return document
