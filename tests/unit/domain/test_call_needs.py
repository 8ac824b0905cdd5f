"""Needs by release: each row is a measured fact about a real release."""

import pytest

from lambdas.contract.call_needs import ADDON_NEEDS, BAD_RELEASES, AddonNeeds, CallNeed, Effect, Feature
from lambdas.domain.diagnosis.call_needs import bad_release, lacking, needs_of, newest_policy, parse_release, policy_gap, unproven

IPV4 = (Feature.IPV4,)
IPV6 = (Feature.IPV6,)
CUSTOM = (Feature.IPV4, Feature.CUSTOM_NETWORKING)


PROVISIONING = ("CreateTags", "AssignPrivateIpAddresses", "CreateNetworkInterface", "AttachNetworkInterface", "DeleteNetworkInterface")
"""Calls of a plug-in that attaches network interfaces itself."""


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("v1.22.1-eksbuild.1", (1, 22, 1)),
        ("1.12", (1, 12, 0)),
        ("v1.9.3", (1, 9, 3)),
        ("", None),
        ("latest", None),
        ("v1.22.1; rm", None),
    ],
)
def test_a_release_parses_to_numbers(text: str, release: tuple[int, ...] | None) -> None:
    assert parse_release(text) == release


@pytest.mark.parametrize(
    ("version", "features", "call", "effect"),
    [
        ("v1.15.1-eksbuild.1", IPV4, "DescribeSubnets", None),
        ("v1.17.9", IPV4, "DescribeSubnets", None),
        ("v1.18.0", IPV4, "DescribeSubnets", Effect.SURVIVED),
        ("v1.21.2", IPV4, "DescribeSubnets", Effect.SURVIVED),
        ("v1.21.2", IPV6, "DescribeSubnets", None),
        ("v1.22.0", IPV4, "DescribeSubnets", Effect.DEGRADED),
        ("v1.23.1", CUSTOM, "DescribeSubnets", Effect.FATAL),
        ("v1.22.0", IPV6, "DescribeSubnets", Effect.FATAL),
        ("v1.23.1", IPV6, "DescribeSubnets", Effect.FATAL),
        ("v1.23.1", (*IPV6, Feature.NO_SUBNET_DISCOVERY), "DescribeSubnets", None),
        ("v1.23.1", (*IPV4, Feature.NO_SUBNET_DISCOVERY), "DescribeSubnets", Effect.SURVIVED),
        ("v1.23.2", IPV6, "DescribeSubnets", Effect.SURVIVED),
        ("v1.21.9", IPV4, "DescribeSecurityGroups", None),
        ("v1.22.0", IPV4, "DescribeSecurityGroups", Effect.FATAL),
        ("v1.22.1-eksbuild.1", IPV6, "DescribeSecurityGroups", Effect.FATAL),
        ("v1.22.1", (*IPV4, Feature.NO_SUBNET_DISCOVERY), "DescribeSecurityGroups", None),
        ("v1.22.2", IPV4, "DescribeSecurityGroups", None),
        ("v1.20.5", IPV4, "DescribeTags", None),
        ("v1.19.3", IPV6, "ModifyNetworkInterfaceAttribute", None),
        ("v1.20.0", IPV6, "ModifyNetworkInterfaceAttribute", Effect.SURVIVED),
        ("v1.20.0", IPV4, "ModifyNetworkInterfaceAttribute", Effect.DEGRADED),
        ("v1.15.1", IPV6, "AssignPrivateIpv6Addresses", Effect.DEGRADED),
        ("v1.15.1", IPV6, "AssignPrivateIpAddresses", None),
        ("v1.19.6", (*IPV4, Feature.IMDS_ONLY), "DescribeNetworkInterfaces", None),
        *(("v1.20.5", (*IPV4, Feature.IMDS_ONLY), call, None) for call in PROVISIONING),
        *(("v1.20.5", (*IPV4, Feature.NO_PROVISIONING), call, None) for call in PROVISIONING),
        ("v1.20.5", (*IPV4, Feature.NO_PROVISIONING), "DescribeNetworkInterfaces", Effect.FATAL),
        ("v1.23.1", (*IPV4, Feature.CUSTOM_NETWORKING, Feature.NO_PROVISIONING), "CreateNetworkInterface", None),
        ("v1.23.1", (*IPV4, Feature.IMDS_ONLY), "DescribeSubnets", Effect.DEGRADED),
    ],
)
def test_the_vpc_cni_needs_a_call_by_release_and_configuration(
    version: str, features: tuple[Feature, ...], call: str, effect: Effect | None
) -> None:
    needs = needs_of("vpc-cni", version, features)
    assert needs is not None
    need = needs.of(f"ec2:{call}")
    assert (need.effect if need else None) == effect


@pytest.mark.parametrize(
    ("version", "effect"), [("v1.48.0", Effect.DEGRADED), ("v1.49.0", Effect.FATAL)], ids=["before its probe", "with its probe"]
)
def test_the_ebs_driver_needs_availability_zones_to_start_from_1_49_on(version: str, effect: Effect) -> None:
    needs = needs_of("AWS-EBS-CSI-Driver", version, ())
    assert needs is not None
    need = needs.of("ec2:describeavailabilityzones")
    assert need is not None
    assert need.effect is effect


def test_an_unknown_addon_or_version_has_unknown_needs() -> None:
    assert needs_of("coredns", "v1.11.1", IPV4) is None
    assert needs_of("vpc-cni", "unknown", IPV4) is None


def test_needs_of_an_unexamined_release_are_marked() -> None:
    known, newer = needs_of("vpc-cni", "v1.23.1", IPV4), needs_of("vpc-cni", "v1.99.0", IPV4)
    assert known is not None
    assert newer is not None
    assert (known.extrapolated, newer.extrapolated) == (False, True)


def test_missing_calls_start_with_the_fatal_ones() -> None:
    needs = needs_of("vpc-cni", "v1.22.1", IPV4)
    assert needs is not None
    refused = {"ec2:DescribeSubnets": False, "ec2:DescribeSecurityGroups": False, "ec2:CreateTags": None, "ec2:DescribeInstances": True}
    assert [need.call for need in lacking(needs, refused)] == ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"]


def test_a_role_is_unproven_until_every_required_call_is_allowed() -> None:
    needs = needs_of("vpc-cni", "v1.20.5", IPV4)
    assert needs is not None
    assert set(unproven(needs, {})) == set(needs.required)
    assert unproven(needs, dict.fromkeys(needs.required, True)) == ()
    assert unproven(needs, {**dict.fromkeys(needs.required, True), "ec2:CreateTags": None}) == ("ec2:CreateTags",)


@pytest.mark.parametrize("version", ["v1.15.1", "v1.21.2", "v1.22.0", "v1.22.1", "v1.22.2", "v1.23.1"])
def test_the_newest_cni_policy_grants_every_required_call_on_ipv4(version: str) -> None:
    needs = needs_of("vpc-cni", version, IPV4)
    assert needs is not None
    assert policy_gap("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy", needs) == ()


def test_the_newest_version_of_a_policy_is_the_highest() -> None:
    newest = newest_policy("AmazonEKS_CNI_Policy")
    assert newest is not None
    assert newest.version == 6
    assert newest_policy("MyOwnPolicy") is None


@pytest.mark.parametrize("needs", ADDON_NEEDS.values(), ids=ADDON_NEEDS)
def test_advice_names_only_managed_policies_whose_versions_are_known(needs: AddonNeeds) -> None:
    assert needs.managed_policy == "" or newest_policy(needs.managed_policy) is not None


@pytest.mark.parametrize(
    ("addon", "version"),
    [
        ("aws-ebs-csi-driver", "v1.20.0"),
        ("aws-ebs-csi-driver", "v1.59.0"),
        ("aws-efs-csi-driver", "v2.1.0"),
        ("aws-fsx-csi-driver", "v1.9.0"),
    ],
)
def test_the_newest_policy_of_a_storage_driver_grants_every_required_call(addon: str, version: str) -> None:
    needs = needs_of(addon, version, {Feature.VOLUME_INITIALIZATION, Feature.FAST_SNAPSHOT_RESTORE})
    assert needs is not None
    assert policy_gap(ADDON_NEEDS[addon].managed_policy, needs) == ()


@pytest.mark.parametrize(
    ("version", "features", "fixed_in"),
    [
        ("v1.22.1-eksbuild.1", IPV4, (1, 22, 2)),
        ("v1.22.2", IPV4, None),
        ("v1.22.2", IPV6, (1, 23, 2)),
        ("v1.12.6", IPV4, (1, 13, 0)),
        ("v1.15.1-eksbuild.1", IPV4, None),
    ],
)
def test_a_bad_release_names_the_release_that_fixes_it(
    version: str, features: tuple[Feature, ...], fixed_in: tuple[int, ...] | None
) -> None:
    bad = bad_release("vpc-cni", version, features)
    assert (bad.fixed_in if bad else None) == fixed_in


def test_every_record_names_a_call_and_a_range_that_is_not_empty() -> None:
    for needs in ADDON_NEEDS.values():
        for need in needs.calls:
            assert isinstance(need, CallNeed)
            assert need.addon == needs.addon
            assert ":" in need.call
            assert need.until is None or need.since < need.until
    assert all(bad.since < bad.fixed_in for bad in BAD_RELEASES)
