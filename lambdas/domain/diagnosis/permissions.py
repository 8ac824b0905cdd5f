"""Which AWS calls a workload needs, which of them its role may not make, and what to attach."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from lambdas.contract.workloads import IpFamily, RequiredCalls, known

_RESOURCES: Final = {
    "ec2:CreateTags": "network-interface/eni-00000000000000000",
    "ec2:AttachVolume": "volume/vol-00000000000000000",
    "ec2:DetachVolume": "volume/vol-00000000000000000",
    "ec2:CreateSnapshot": "volume/vol-00000000000000000",
    "ec2:ModifyVolume": "volume/vol-00000000000000000",
}
_DENIED: Final = {"implicitDeny", "explicitDeny"}
_CALL_IN_NOTE: Final = re.compile(r"failed to call ([a-z0-9-]+:[A-Za-z0-9]+)")


def needed_calls(namespace: str, service_account: str, ip_family: str) -> tuple[str, ...]:
    """The IAM actions without which the workload fails, sorted; empty where we do not know what it needs.

    Args:
        ip_family: `ipv4` or `ipv6`, as DescribeCluster says it; matters to the VPC CNI alone.
    """
    found = _required_calls(namespace, service_account, ip_family)
    return found.calls if found else ()


def managed_policy(namespace: str, service_account: str, ip_family: str, partition: str = "aws") -> str | None:
    """The ARN of AWS's managed policy that grants the needed calls; None where AWS has none, or we do not know the workload."""
    found = _required_calls(namespace, service_account, ip_family)
    return f"arn:{partition}:iam::aws:policy/{found.managed_policy}" if found and found.managed_policy else None


def resource_to_simulate(call: str, *, partition: str, region: str, account: str) -> str:
    """The `ResourceArns` value under which to simulate a call.

    `*` for most. Where the policies in use grant a call on one kind of resource alone, a simulation on `*` finds it refused,
    so these are simulated on a made-up resource of that kind.

    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    sample = _RESOURCES.get(call)
    return f"arn:{partition}:ec2:{region}:{account}:{sample}" if sample else "*"


def missing(simulated: Mapping[str, str], needed: Iterable[str]) -> tuple[str, ...]:
    """The needed calls that the simulation refuses, in the order of `needed`.

    Args:
        simulated: action -> `EvalDecision` of `iam:SimulatePrincipalPolicy`, action names in any case. A call that is not in it
            was not simulated and is not counted; leave out the refused ones whose answer carries `MissingContextValues`: a
            policy with tag conditions refuses them in a simulation and may allow them in truth.
    """
    decisions = {action.lower(): decision for action, decision in simulated.items()}
    return tuple(call for call in needed if decisions.get(call.lower()) in _DENIED)


def statement_for(calls: Iterable[str], partition: str = "aws") -> dict[str, object]:
    """One IAM statement that allows the calls. Tags may be set on network interfaces alone where it is only them that are tagged.

    Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/docs/iam-policy.md
    """
    actions = sorted(set(calls))
    only_tags = actions == ["ec2:CreateTags"]
    return {"Effect": "Allow", "Action": actions, "Resource": f"arn:{partition}:ec2:*:*:network-interface/*" if only_tags else "*"}


def calls_in_event(note: str) -> str | None:
    """The IAM action that a `MissingIAMPermissions` event of the VPC CNI names; None where the note names none.

    Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/pkg/awsutils/awsutils.go (checkAPIErrorAndBroadcastEvent)
    """
    found = _CALL_IN_NOTE.search(note)
    return found.group(1) if found else None


def calls_named(words: str) -> tuple[str, ...]:
    """IAM actions that a message names, `is not authorized to perform: ec2:CreateTags`, each once in the order of the text."""
    return tuple(dict.fromkeys(_ACTION.findall(words)))


_ACTION: Final = re.compile(r"\b[a-z][a-z0-9-]+:[A-Z][A-Za-z0-9]+\b")


def _required_calls(namespace: str, service_account: str, ip_family: str) -> RequiredCalls | None:
    workload = known(namespace, service_account)
    return workload.required_calls.get(IpFamily(ip_family)) if workload and ip_family in tuple(IpFamily) else None
