"""AWS commands for people: each names its region, so that it does not depend on the shell of the reader."""

import json
from collections.abc import Mapping
from shlex import quote
from typing import Any


def aws_command(operation: str, region: str, *options: str) -> str:
    """The command of a regional service, such as `ssm get-parameter`. Options come quoted. Commands of IAM need no region."""
    return " ".join((f"aws {operation} --region {region}", *options))


def put_role_policy(role: str, policy: str, document: Mapping[str, Any]) -> str:
    """The command that adds this inline policy to a role, or replaces the one of the same name."""
    return (
        f"aws iam put-role-policy --role-name {quote(role)} --policy-name {quote(policy)} --policy-document {quote(json.dumps(document))}"
    )
