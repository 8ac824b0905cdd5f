"""Turns the contract's grants into policy statements. No permission is written anywhere else."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from aws_cdk import aws_iam as iam

from lambdas.contract.access import ENI_ACTIONS, IAM, NETWORK, SERVICE_IAM, IamGrant, Target
from lambdas.contract.environment import Function

Arns = Mapping[Target, Sequence[str]]
"""What each target is in this stack. A target without ARNs gives no statement."""


def granted(function: Function, optional: Collection[str]) -> tuple[IamGrant, ...]:
    """The contract's grants to a function, with the optional ones that the configuration asks for."""
    return tuple(item for item in (*IAM, *SERVICE_IAM) if function in item.by and (item.optional is None or item.optional in optional))


def statements(function: Function, arns: Arns, optional: Collection[str], region: str) -> list[iam.PolicyStatement]:
    """One statement for each target and condition, in the contract's order."""
    grouped: dict[tuple[Target, str], list[IamGrant]] = defaultdict(list)
    for grant in granted(function, optional):
        grouped[grant.on, repr(grant.condition)].append(grant)
    made = [
        iam.PolicyStatement(
            actions=[item.action for item in grants],
            resources=list(arns[target]),
            conditions=_conditions(grants[0], region),
        )
        for (target, _), grants in grouped.items()
        if arns[target]
    ]
    return [*made, _deny_interfaces()] if NETWORK in optional else made


def wildcards(function: Function, arns: Arns, optional: Collection[str]) -> dict[str, str]:
    """The ARNs with a wildcard among a function's resources, each with the contract's reasons for it."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for grant in granted(function, optional):
        for arn in arns[grant.on]:
            if "*" in arn:
                reasons[arn].append(f"{grant.action}: {grant.why}")
    return {arn: ". ".join(whys) for arn, whys in reasons.items()}


def _conditions(grant: IamGrant, region: str) -> dict[str, dict[str, str]] | None:
    if grant.condition is None:
        return None
    return {operator: {key: value.replace("{region}", region) for key, value in item.items()} for operator, item in grant.condition.items()}


def _deny_interfaces() -> iam.PolicyStatement:
    # The key is set on calls that a function's code makes, and absent on those that Lambda makes for it.
    # Source: https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
    return iam.PolicyStatement(
        effect=iam.Effect.DENY,
        actions=list(ENI_ACTIONS),
        resources=["*"],
        conditions={"Null": {"lambda:SourceFunctionArn": "false"}},
    )
