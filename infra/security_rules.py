"""Rules of cdk-nag that do not fit, each with its reason."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept what a rule finds in this construct and under it; the reason is written into the template's metadata."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))
