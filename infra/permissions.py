"""Creates policy statements from the contract's grants. The stack has no other permissions."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from infra.regions import partition
from infra.size_limits import INLINE_POLICIES, MANAGED_POLICY, fill, size
from lambdas.contract.access import ENI_ACTIONS, IAM, NETWORK, SERVICE_IAM, IamGrant, Target
from lambdas.contract.environment import Function
from lambdas.contract.partitions import DNS_SUFFIXES

_AMAZONAWS: Final = "amazonaws.com"

Arns = Mapping[Target, Sequence[str]]
"""ARNs of each target in a stack. A target without ARNs gives no statement."""


def granted(function: Function, optional: Collection[str]) -> tuple[IamGrant, ...]:
    """Return the contract's grants to a function, with the optional grants that the configuration enables."""
    grants = (*IAM, *SERVICE_IAM)
    return tuple(grant for grant in grants if function in grant.by and (grant.optional is None or grant.optional in optional))


def statements(function: Function, arns: Arns, optional: Collection[str], region: str) -> list[iam.PolicyStatement]:
    """Return one statement for each target and condition, in the contract's order."""
    grouped: dict[tuple[Target, str], list[IamGrant]] = defaultdict(list)
    for grant in granted(function, optional):
        grouped[grant.on, repr(grant.condition)].append(grant)
    created = [
        iam.PolicyStatement(
            actions=[grant.action for grant in grants],
            resources=list(arns[target]),
            conditions=_conditions(grants[0], region),
        )
        for (target, _), grants in grouped.items()
        if arns[target]
    ]
    return [*created, _deny_interfaces()] if NETWORK in optional else created


def document(created: Sequence[iam.PolicyStatement]) -> iam.PolicyDocument:
    """Return a policy of these statements, unchanged and in this order."""
    return iam.PolicyDocument(statements=list(created), minimize=False)


def distribute(created: Sequence[iam.PolicyStatement], stack: Stack) -> tuple[list[iam.PolicyStatement], list[iam.PolicyStatement]]:
    """Return the statements of the inline policy, and one statement for each managed policy of the role.

    A list of many clusters or roles exceeds the limit of inline policies. The statements with the longest lists then become managed
    policies, so that the permissions stay the same.
    """

    def measured(items: Sequence[iam.PolicyStatement]) -> int:
        return size(stack.resolve(document(items).to_json()), stack.stack_name)

    inline, managed = list(created), []
    while measured(inline) > INLINE_POLICIES:
        largest = max(inline, key=lambda statement: measured([statement]))
        inline.remove(largest)
        managed += _split(largest, stack)
    return inline, managed


def _split(statement: iam.PolicyStatement, stack: Stack) -> list[iam.PolicyStatement]:
    """Return statements that are equal to one statement together, each small enough for a managed policy."""
    resources = statement.resources
    empty = size(stack.resolve(document([statement.copy(resources=[""])]).to_json()), stack.stack_name)
    sizes = [size(resource, stack.stack_name) + 1 for resource in stack.resolve(resources)]  # and a comma
    brackets = 2  # a list with one item is written without brackets
    return [statement.copy(resources=resources[part]) for part in fill(sizes, MANAGED_POLICY - empty - brackets)]


def wildcards(function: Function, arns: Arns, optional: Collection[str]) -> dict[str, str]:
    """Return the resource ARNs with a wildcard, each with the contract's reasons."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for grant in granted(function, optional):
        for arn in arns[grant.on]:
            if "*" in arn:
                reasons[arn].append(f"{grant.action}: {grant.why}")
    return {arn: ". ".join(whys) for arn, whys in reasons.items()}


def _conditions(grant: IamGrant, region: str) -> dict[str, dict[str, str | list[str]]] | None:
    if grant.condition is None:
        return None
    return {
        operator: {key: _in_region(key, value.replace("{region}", region), region) for key, value in pairs.items()}
        for operator, pairs in grant.condition.items()
    }


def _in_region(key: str, value: str, region: str) -> str | list[str]:
    """A condition's value. Of a partition with an own domain it is not documented which one KMS compares, so both are allowed."""
    suffix = DNS_SUFFIXES.get(partition(region) or "", _AMAZONAWS)
    if key != "kms:ViaService" or suffix == _AMAZONAWS:
        return value
    return [value, value.replace(_AMAZONAWS, suffix)]


def _deny_interfaces() -> iam.PolicyStatement:
    # Calls by a function's code have this key; calls by the Lambda service do not.
    # Source: https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
    return iam.PolicyStatement(
        effect=iam.Effect.DENY,
        actions=list(ENI_ACTIONS),
        resources=["*"],
        conditions={"Null": {"lambda:SourceFunctionArn": "false"}},
    )
