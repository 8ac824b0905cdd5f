"""Sizes of policies and environments in a template, compared with the limits of AWS.

CloudFormation replaces references when it deploys, so each size is an upper bound: a reference counts as the longest text it can become.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lambdas.contract.environment import MAX_ENVIRONMENT_BYTES

INLINE_POLICIES: Final = 10_240
"""Characters of all inline policies of a role together, without white space.

Source of the four limits of IAM: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""
MANAGED_POLICY: Final = 6_144
"""Characters of a managed policy, without white space. They do not count as inline policies."""
MANAGED_POLICIES: Final = 10
"""Managed policies of a role. An account can raise this quota."""
BUS_POLICY: Final = 10_240
"""Characters of the policy of an event bus. An account can raise this quota.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

_PSEUDO_PARAMETERS: Final = {
    "AWS::AccountId": 12,
    "AWS::Partition": len("aws-us-gov"),
    "AWS::Region": len("ap-southeast-1"),
    "AWS::URLSuffix": len("amazonaws.com.cn"),
}
_ARN_WITHOUT_NAME: Final = len("arn:aws-us-gov:dynamodb:ap-southeast-1:111122223333:log-group::*")
_GENERATED: Final = len("--1ABCDEFGHIJKL")
"""What CloudFormation adds to the stack's name and the logical id in a physical name: two hyphens and a random part.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
"""


@dataclass(frozen=True)
class Excess:
    """A resource of a template that AWS would reject because of its size."""

    stack: str
    resource: str
    what: str
    size: int
    limit: int
    remedy: str

    def __str__(self) -> str:
        return f"{self.stack}: {self.resource}: {self.what}: up to {self.size:,}, and AWS allows {self.limit:,}. {self.remedy}"


def size(value: object, stack: str) -> int:
    """Return the largest number of characters of a value as JSON without white space. `stack` is the name of its stack."""
    return len(json.dumps(_longest(value, stack), separators=(",", ":")))


def fill(sizes: Sequence[int], room: int) -> list[slice]:
    """Return consecutive groups of items, each as large as `room` allows. An item that is larger than `room` is a group of its own."""
    groups: list[slice] = []
    start, used = 0, 0
    for index, item in enumerate(sizes):
        if used + item > room and index > start:
            groups.append(slice(start, index))
            start, used = index, 0
        used += item
    return [*groups, slice(start, len(sizes))] if sizes else []


def find_excesses(stack: str, template: Mapping[str, Any]) -> Iterator[Excess]:
    """Yield each resource of a template that exceeds a limit."""
    for name, resource in template.get("Resources", {}).items():
        properties = resource.get("Properties", {})
        for what, found, limit, remedy in _measured(resource["Type"], properties, stack):
            if found > limit:
                yield Excess(stack, name, what, found, limit, remedy)


_FEWER_NAMES: Final = "Replace role ARNs in `bound_roles` by a path such as /eks/, or list some of the clusters in another environment."


def _measured(kind: str, properties: Mapping[str, Any], stack: str) -> Iterator[tuple[str, int, int, str]]:
    match kind:
        case "AWS::IAM::Role":
            inline = sum(size(policy["PolicyDocument"], stack) for policy in properties.get("Policies", ()))
            yield "characters of inline policies", inline, INLINE_POLICIES, _FEWER_NAMES
            yield "managed policies", len(properties.get("ManagedPolicyArns", ())), MANAGED_POLICIES, _FEWER_NAMES
        case "AWS::IAM::ManagedPolicy":
            remedy = f"{_FEWER_NAMES} Where it is the policy of a channel, use several channels."
            yield "characters of the policy", size(properties["PolicyDocument"], stack), MANAGED_POLICY, remedy
        case "AWS::Lambda::Function":
            variables = properties.get("Environment", {}).get("Variables", {})
            remedy = f"{_FEWER_NAMES} Shorten `settings_floor`."
            yield "bytes of environment variables", size(variables, stack), MAX_ENVIRONMENT_BYTES, remedy
        case "AWS::Events::EventBusPolicy":
            yield (
                "characters of the bus policy",
                size(properties["Statement"], stack),
                BUS_POLICY,
                "List fewer roles in `event_publishers`.",
            )
        case _:
            return


def _longest(value: object, stack: str) -> object:
    match value:
        case {"Ref": str(name)}:
            return "x" * _PSEUDO_PARAMETERS.get(name, _ARN_WITHOUT_NAME + len(stack) + len(name) + _GENERATED)
        case {"Fn::GetAtt": [str(name), _]}:
            return "x" * (_ARN_WITHOUT_NAME + len(stack) + len(name) + _GENERATED)
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(str(_longest(part, stack)) for part in parts)
        case dict():
            return {key: _longest(item, stack) for key, item in value.items()}
        case list():
            return [_longest(item, stack) for item in value]
        case _:
            return value
