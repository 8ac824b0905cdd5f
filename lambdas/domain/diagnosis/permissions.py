"""Names of AWS calls in events and messages, resources to simulate them on, and policies that allow them."""

import re
from collections.abc import Iterable
from typing import Final

from lambdas.contract.call_needs import MISNAMED_CALLS

_RESOURCES: Final = {
    "ec2:CreateTags": "network-interface/eni-00000000000000000",
    "ec2:AttachVolume": "volume/vol-00000000000000000",
    "ec2:DetachVolume": "volume/vol-00000000000000000",
    "ec2:CreateSnapshot": "volume/vol-00000000000000000",
    "ec2:ModifyVolume": "volume/vol-00000000000000000",
}
CREATE_TAGS: Final = "ec2:CreateTags"
_CALL_IN_NOTE: Final = re.compile(r"failed to call ([a-z0-9-]+:[A-Za-z0-9]+)")


def resource_to_simulate(call: str, *, partition: str, region: str, account: str) -> str:
    """The `ResourceArns` value for the simulation of a call.

    It is `*` for most calls. Policies grant some calls on one kind of resource only; a simulation on `*` would refuse them, so these are
    simulated on an invented resource of that kind.

    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    sample = _RESOURCES.get(call)
    return f"arn:{partition}:ec2:{region}:{account}:{sample}" if sample else "*"


def policy_document(calls: Iterable[str], partition: str) -> dict[str, object]:
    """An IAM policy that allows the calls. It allows tags on network interfaces alone, as the policies of AWS and of the plug-in do.

    Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/docs/iam-policy.md
    """
    actions = sorted(set(calls))
    tags, others = [call for call in actions if call == CREATE_TAGS], [call for call in actions if call != CREATE_TAGS]
    statements = [{"Effect": "Allow", "Action": others, "Resource": "*"}] if others else []
    if tags:
        statements.append({"Effect": "Allow", "Action": tags, "Resource": f"arn:{partition}:ec2:*:*:network-interface/*"})
    return {"Version": "2012-10-17", "Statement": statements}


def actual_call(call: str) -> str:
    """The IAM action of a call, where releases of an add-on name it wrongly."""
    return MISNAMED_CALLS.get(call, call)


def calls_in_event(note: str) -> str | None:
    """The IAM action that a `MissingIAMPermissions` event of the VPC CNI means; None where the note names none.

    Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/pkg/awsutils/awsutils.go (checkAPIErrorAndBroadcastEvent)
    """
    found = _CALL_IN_NOTE.search(note)
    return actual_call(found.group(1)) if found else None


def calls_named(words: str) -> tuple[str, ...]:
    """IAM actions in a message such as `is not authorized to perform: ec2:CreateTags`, each once, in the order of the text."""
    return tuple(dict.fromkeys(_ACTION.findall(words)))


# The look-behind and the limits keep a search linear: `a-a-a-...` took time that grew with the square of its length.
_ACTION: Final = re.compile(r"(?<![A-Za-z0-9_-])[a-z][a-z0-9-]{1,62}:[A-Z][A-Za-z0-9]{1,127}\b")
