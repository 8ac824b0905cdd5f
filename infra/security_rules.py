"""Accepted cdk-nag findings, each with its reason."""

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import Construct, IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept the findings of a rule in this construct and its children."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def accept_wildcards(construct: Construct, reasons: Mapping[str, str]) -> None:
    """Accept these wildcard ARNs in the construct's policies: ARN -> reason. Other wildcards are still findings."""
    for arn, reason in reasons.items():
        accept(construct, f"AwsSolutions-IAM5[Resource::{_finding_format(Stack.of(construct).resolve(arn))}]", reason)


def _finding_format(value: object) -> str:
    """Return an ARN as cdk-nag formats it in a finding: references in angle brackets."""
    match value:
        case {"Fn::Join": [_, list(parts)]}:
            return "".join(map(_finding_format, parts))
        case {"Ref": name}:
            return f"<{name}>"
        case _:
            return str(value)
