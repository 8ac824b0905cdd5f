"""The corrected trust policy as documents to copy."""

import json
from dataclasses import dataclass

from lambdas.domain.trust import MalformedPolicyError, as_terraform


@dataclass(frozen=True, kw_only=True)
class Document:
    """Lines to copy unchanged, with a title."""

    title: str
    lines: tuple[str, ...]


def documents(corrected: str, role: str) -> tuple[Document, ...]:
    """The corrected trust policy as JSON and as Terraform; empty where nothing has to be corrected.

    Args:
        corrected: the policy as JSON text, or empty.
        role: the name of the role.
    """
    try:
        policy = json.loads(corrected)
        terraform = as_terraform(policy)
    except (ValueError, MalformedPolicyError):  # empty, or a document that IAM would reject
        return ()
    as_json = json.dumps(policy, indent=2, ensure_ascii=False)
    return (
        Document(title=f"Corrected trust policy of {role}", lines=tuple(as_json.splitlines())),
        Document(title="The same in Terraform, for assume_role_policy", lines=tuple(terraform.splitlines())),
    )
