"""The corrected trust policy in full, to be put where the role is declared: as JSON and as Terraform."""

import json
from dataclasses import dataclass

from lambdas.domain.trust import MalformedPolicyError, as_terraform


@dataclass(frozen=True, kw_only=True)
class Document:
    """Lines to copy as they are. `title` says what they are."""

    title: str
    lines: tuple[str, ...]


def documents(corrected: str, role: str) -> tuple[Document, ...]:
    """The documents of one corrected trust policy, JSON first; none where nothing is to be corrected.

    Args:
        corrected: the policy as JSON text, empty where there is none.
        role: the role's name.
    """
    try:
        policy = json.loads(corrected)
        terraform = as_terraform(policy)
    except (ValueError, MalformedPolicyError):  # empty, or nothing that IAM would take
        return ()
    as_json = json.dumps(policy, indent=2, ensure_ascii=False)
    return (
        Document(title=f"The corrected trust policy of {role}", lines=tuple(as_json.splitlines())),
        Document(title="In Terraform, for assume_role_policy", lines=tuple(terraform.splitlines())),
    )
