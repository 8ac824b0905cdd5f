"""The calls that a workload needs, and the sentences for a role that lacks them."""

from typing import Any

import pytest

from lambdas.contract import workloads
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.diagnosis.permissions import calls_in_event, policy_document, resource_to_simulate
from lambdas.domain.diagnosis.workload_needs import calls_to_simulate

# The resources of these statements are narrower than "*" in the policies people attach.
NOT_ON_EVERY_RESOURCE = {
    *(("CreateTags", "network-interface"),),
    *((call, "volume") for call in ("AttachVolume", "DetachVolume", "CreateSnapshot", "ModifyVolume")),
}


@pytest.mark.parametrize("known", workloads.KNOWN, ids=lambda item: item.service_account)
def test_each_known_workload_has_calls_to_simulate(known: workloads.KnownWorkload) -> None:
    calls = calls_to_simulate(ServiceAccountRef("demo", known.namespace, known.service_account))
    assert calls
    assert list(calls) == sorted(set(calls))
    assert all(call.count(":") == 1 for call in calls)


@pytest.mark.parametrize("account", [("default", "aws-node"), ("kube-system", "coredns"), ("", "")], ids="/".join)
def test_nothing_is_claimed_of_other_workloads(account: tuple[str, str]) -> None:
    assert calls_to_simulate(ServiceAccountRef("demo", *account)) == ()


def statement(*actions: str, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


INTERFACES = "arn:aws-cn:ec2:*:*:network-interface/*"
DOCUMENTS: dict[str, tuple[tuple[str, ...], list[dict[str, Any]]]] = {
    "sorted and once": (("ec2:B", "ec2:A", "ec2:B"), [statement("ec2:A", "ec2:B")]),
    "tags alone": (("ec2:CreateTags",), [statement("ec2:CreateTags", resource=INTERFACES)]),
    "tags and others": (("ec2:CreateTags", "ec2:A"), [statement("ec2:A"), statement("ec2:CreateTags", resource=INTERFACES)]),
}


@pytest.mark.parametrize(("calls", "statements"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_one_document_allows_everything_that_is_missing(calls: tuple[str, ...], statements: list[dict[str, Any]]) -> None:
    assert policy_document(calls, "aws-cn") == {"Version": "2012-10-17", "Statement": statements}


def test_calls_are_simulated_on_a_resource_that_the_usual_policies_cover() -> None:
    every_call = {need.call for known in workloads.KNOWN for need in known.needs.calls if need.simulated}
    arns = {call: resource_to_simulate(call, partition="aws-cn", region="cn-north-1", account="111122223333") for call in every_call}

    narrow = {(call.removeprefix("ec2:"), arn.split(":", 5)[5].split("/")[0]) for call, arn in arns.items() if arn != "*"}

    assert narrow == NOT_ON_EVERY_RESOURCE
    assert arns["ec2:CreateTags"] == "arn:aws-cn:ec2:cn-north-1:111122223333:network-interface/eni-00000000000000000"


# The wording: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/pkg/awsutils/awsutils.go
NOTES = {
    "as-the-plug-in-writes-it": (
        "Unauthorized operation: failed to call ec2:DescribeNetworkInterfaces due to missing permissions. Please refer "
        "https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/iam-policy.md to attach relevant policy to IAM role",
        "ec2:DescribeNetworkInterfaces",
    ),
    "ipv6": ("Unauthorized operation: failed to call ec2:AssignIpv6Addresses due to missing permissions.", "ec2:AssignIpv6Addresses"),
    "a release that names the call wrongly": (
        "Unauthorized operation: failed to call ec2:AssignPrivateIpv6Addresses due to missing permissions.",
        "ec2:AssignIpv6Addresses",
    ),
    "at-the-end": ("failed to call ec2:CreateTags", "ec2:CreateTags"),
    "no-action": ("failed to call due to missing permissions", None),
    "address-only": ("Please refer https://github.com/aws/amazon-vpc-cni-k8s", None),
    "empty": ("", None),
}


@pytest.mark.parametrize(("note", "call"), NOTES.values(), ids=NOTES)
def test_an_event_of_the_plug_in_names_the_call(note: str, call: str | None) -> None:
    assert calls_in_event(note) == call
