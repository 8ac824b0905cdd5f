"""Which calls a workload needs, and what is said when its role may not make them."""

from typing import Any

import pytest

from lambdas.contract import workloads
from lambdas.domain.diagnosis.permissions import (
    calls_in_event,
    managed_policy,
    missing,
    needed_calls,
    resource_to_simulate,
    statement_for,
)

CNI = ("kube-system", "aws-node")
EBS = ("kube-system", "ebs-csi-controller-sa")
LOAD_BALANCER = ("kube-system", "aws-load-balancer-controller")

# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKS_CNI_Policy.html, version 5
AMAZON_EKS_CNI_POLICY = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:AttachNetworkInterface",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeInstances",
    "ec2:DescribeTags",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeSubnets",
    "ec2:DetachNetworkInterface",
    "ec2:ModifyNetworkInterfaceAttribute",
    "ec2:UnassignPrivateIpAddresses",
    "ec2:CreateTags",
}
# https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html#cni-iam-role-create-ipv6-policy
IPV6_POLICY_OF_THE_GUIDE = {
    "ec2:AssignIpv6Addresses",
    "ec2:DescribeInstances",
    "ec2:DescribeTags",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeInstanceTypes",
    "ec2:CreateTags",
}
# The resources of these statements are narrower than "*" in the policies people attach.
NOT_ON_EVERY_RESOURCE = {
    *(("CreateTags", "network-interface"),),
    *((call, "volume") for call in ("AttachVolume", "DetachVolume", "CreateSnapshot", "ModifyVolume")),
}


def test_a_role_with_the_managed_policy_lacks_nothing_on_ipv4() -> None:
    needed = needed_calls(*CNI, "ipv4")

    assert set(needed) == AMAZON_EKS_CNI_POLICY - {"ec2:DescribeSubnets"}
    assert missing(dict.fromkeys(AMAZON_EKS_CNI_POLICY, "allowed"), needed) == ()


def test_a_role_with_the_guides_policy_lacks_nothing_on_ipv6() -> None:
    assert set(needed_calls(*CNI, "ipv6")) == IPV6_POLICY_OF_THE_GUIDE


def test_a_role_for_ipv4_lacks_the_ipv6_call_in_an_ipv6_cluster() -> None:
    needed = needed_calls(*CNI, "ipv6")
    simulated = {call: "allowed" if call in AMAZON_EKS_CNI_POLICY else "implicitDeny" for call in needed}

    assert missing(simulated, needed) == ("ec2:AssignIpv6Addresses",)


@pytest.mark.parametrize("known", workloads.KNOWN, ids=lambda item: item.service_account)
@pytest.mark.parametrize("ip_family", ["ipv4", "ipv6"])
def test_every_workload_we_know_by_name_has_its_calls_in_order_and_once(known: workloads.KnownWorkload, ip_family: str) -> None:
    needed = needed_calls(known.namespace, known.service_account, ip_family)

    assert needed
    assert list(needed) == sorted(set(needed))
    assert all(call.count(":") == 1 for call in needed)


@pytest.mark.parametrize("account", [("default", "aws-node"), ("kube-system", "coredns"), ("", "")], ids="/".join)
def test_of_other_workloads_we_claim_nothing(account: tuple[str, str]) -> None:
    assert needed_calls(*account, "ipv4") == ()
    assert managed_policy(*account, "ipv4") is None


@pytest.mark.parametrize("workload", [CNI, EBS])
def test_no_call_is_required_where_the_ip_family_is_unknown(workload: tuple[str, str]) -> None:
    assert needed_calls(*workload, "ipv7") == ()


POLICIES = {
    "cni-ipv4": (CNI, "ipv4", "aws", "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"),
    "cni-china": (CNI, "ipv4", "aws-cn", "arn:aws-cn:iam::aws:policy/AmazonEKS_CNI_Policy"),
    "cni-ipv6-has-none": (CNI, "ipv6", "aws", None),
    "ebs": (EBS, "ipv6", "aws-us-gov", "arn:aws-us-gov:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"),
    "load-balancer-has-none": (LOAD_BALANCER, "ipv4", "aws", None),
}


@pytest.mark.parametrize(("account", "family", "partition", "arn"), POLICIES.values(), ids=POLICIES)
def test_the_managed_policy_is_named_where_aws_has_one(account: tuple[str, str], family: str, partition: str, arn: str | None) -> None:
    assert managed_policy(*account, family, partition) == arn


DECISIONS = {
    "allowed": ({"ec2:A": "allowed", "ec2:B": "allowed"}, ()),
    "implicitly-denied": ({"ec2:A": "implicitDeny", "ec2:B": "allowed"}, ("ec2:A",)),
    "explicitly-denied": ({"ec2:A": "allowed", "ec2:B": "explicitDeny"}, ("ec2:B",)),
    "in-the-order-of-the-needed": ({"ec2:B": "implicitDeny", "ec2:A": "explicitDeny"}, ("ec2:A", "ec2:B")),
    "not-simulated": ({"ec2:A": "allowed"}, ()),
    "nothing-simulated": ({}, ()),
    "other-calls": ({"ec2:C": "implicitDeny"}, ()),
    "names-have-no-case": ({"EC2:a": "implicitDeny"}, ("ec2:A",)),
    "a-decision-we-do-not-know": ({"ec2:A": "perhaps"}, ()),
}


@pytest.mark.parametrize(("simulated", "expected"), DECISIONS.values(), ids=DECISIONS)
def test_only_what_the_simulation_refuses_is_missing(simulated: dict[str, str], expected: tuple[str, ...]) -> None:
    assert missing(simulated, ("ec2:A", "ec2:B")) == expected


STATEMENTS: dict[str, tuple[tuple[str, ...], str, dict[str, Any]]] = {
    "sorted-and-once": (
        ("ec2:DescribeTags", "ec2:CreateTags", "ec2:DescribeTags"),
        "aws",
        {"Effect": "Allow", "Action": ["ec2:CreateTags", "ec2:DescribeTags"], "Resource": "*"},
    ),
    "tags-alone": (
        ("ec2:CreateTags",),
        "aws-cn",
        {"Effect": "Allow", "Action": ["ec2:CreateTags"], "Resource": "arn:aws-cn:ec2:*:*:network-interface/*"},
    ),
}


@pytest.mark.parametrize(("calls", "partition", "statement"), STATEMENTS.values(), ids=STATEMENTS)
def test_one_statement_allows_what_is_missing(calls: tuple[str, ...], partition: str, statement: dict[str, Any]) -> None:
    assert statement_for(calls, partition) == statement


def test_calls_are_simulated_on_a_resource_that_the_usual_policies_cover() -> None:
    every_call = {call for account in (CNI, EBS, LOAD_BALANCER) for family in ("ipv4", "ipv6") for call in needed_calls(*account, family)}
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
    "at-the-end": ("failed to call ec2:CreateTags", "ec2:CreateTags"),
    "no-action": ("failed to call due to missing permissions", None),
    "address-only": ("Please refer https://github.com/aws/amazon-vpc-cni-k8s", None),
    "empty": ("", None),
}


@pytest.mark.parametrize(("note", "call"), NOTES.values(), ids=NOTES)
def test_an_event_of_the_plug_in_names_the_call(note: str, call: str | None) -> None:
    assert calls_in_event(note) == call
