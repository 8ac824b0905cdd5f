"""Rules of cdk-nag that do not fit, each with its reason."""

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import Construct, IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept what a rule finds in this construct and under it; the reason stays with the construct."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def accept_wildcards(construct: Construct, reasons: Mapping[str, str]) -> None:
    """Accept each of these ARNs with a wildcard in the construct's policies: ARN -> reason. Any other is still found."""
    for arn, reason in reasons.items():
        accept(construct, f"AwsSolutions-IAM5[Resource::{_as_found(Stack.of(construct).resolve(arn))}]", reason)


def _as_found(value: object) -> str:
    """An ARN as cdk-nag writes it in a finding: references in angle brackets."""
    match value:
        case {"Fn::Join": [_, list(parts)]}:
            return "".join(map(_as_found, parts))
        case {"Ref": name}:
            return f"<{name}>"
        case _:
            return str(value)
