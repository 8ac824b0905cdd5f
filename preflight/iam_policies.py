"""The permissions policies of a role, as far as a file declares them: whether they allow the calls of the VPC CNI."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Final

from lambdas.contract.call_needs import Feature
from lambdas.domain.diagnosis.call_needs import needs_of, newest_policy

_AWS_MANAGED: Final = ":iam::aws:policy/"
_FULL: Final = {"AdministratorAccess": ("*",), "PowerUserAccess": ("*",), "AmazonEC2FullAccess": ("ec2:*",)}
_WORKER: Final = {
    "AmazonEKSWorkerNodePolicy": (
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVolumes",
        "ec2:DescribeVolumesModifications",
        "ec2:DescribeVpcs",
        "eks:DescribeCluster",
        "eks-auth:AssumeRoleForPodIdentity",
    )
}
"""Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKSWorkerNodePolicy.html"""
_CNI_NAMES: Final = ("eks_cni", "cni_ipv6", "cni-ipv6", "vpc-cni", "vpc_cni")
"""Parts of names that people and modules give to policies for the VPC CNI."""
_ESSENTIAL: Final = ("ec2:AssignPrivateIpAddresses", "ec2:AssignIpv6Addresses")
"""One of these calls, by IP family, is made by no other program of a node."""


class Access(Enum):
    """Whether a role may make the calls of the VPC CNI."""

    GRANTED = "granted"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One permissions policy. `actions` are the action patterns that it allows; None where its content is not known."""

    name: str
    actions: tuple[str, ...] | None


def policy_by_arn(arn: str) -> Policy:
    """Return the policy with this ARN. The content is known for AWS managed policies alone."""
    name = arn.rsplit("/", 1)[-1]
    if newest := newest_policy(name):
        return Policy(name=name, actions=tuple(sorted(newest.grants)))
    if _AWS_MANAGED in arn:
        return Policy(name=name, actions=(_FULL | _WORKER).get(name, ()))
    return Policy(name=name, actions=None)


def policy_by_document(name: str, document: object) -> Policy:
    """Return the policy with this document, as a mapping or as JSON text. Denials and conditions make its content unknown."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except (ValueError, RecursionError):
            return Policy(name=name, actions=None)
    statements = document.get("Statement") if isinstance(document, Mapping) else None
    listed = statements if isinstance(statements, list) else [statements]
    actions: list[str] = []
    for statement in listed:
        if not isinstance(statement, Mapping) or statement.get("Effect") != "Allow" or "NotAction" in statement:
            return Policy(name=name, actions=None)
        named = statement.get("Action")
        found = named if isinstance(named, list) else [named]
        if not all(isinstance(action, str) and "${" not in action for action in found):
            return Policy(name=name, actions=None)
        actions += map(str, found)
    return Policy(name=name, actions=tuple(actions))


def unknown_policy(name: str) -> Policy:
    """Return a policy whose content is not in the file."""
    return Policy(name=name, actions=None)


def cni_access(policies: Iterable[Policy]) -> Access:
    """Return whether these policies, all of one role, allow the VPC CNI to assign addresses."""
    listed = tuple(policies)
    if any(_allows(policy, call) for policy in listed for call in _ESSENTIAL):
        return Access.GRANTED
    if any(policy.actions is None and any(part in policy.name.lower() for part in _CNI_NAMES) for policy in listed):
        return Access.GRANTED
    return Access.UNKNOWN if any(policy.actions is None for policy in listed) else Access.MISSING


def missing_calls(policies: Iterable[Policy], version: str, *, ipv6: bool) -> tuple[str, ...]:
    """Return the calls that this version of the VPC CNI requires and the policies do not allow; empty where that is not known.

    The calls come from the measured records in `lambdas.contract.call_needs`.
    """
    listed = tuple(policies)
    needs = needs_of("vpc-cni", version, {Feature.IPV6 if ipv6 else Feature.IPV4})
    if needs is None or any(policy.actions is None for policy in listed):
        return ()
    return tuple(call for call in needs.required if not any(_allows(policy, call) for policy in listed))


def _allows(policy: Policy, call: str) -> bool:
    return any(fnmatchcase(call.lower(), pattern.lower()) for pattern in policy.actions or ())
