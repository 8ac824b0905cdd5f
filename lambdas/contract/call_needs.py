"""AWS API calls that each add-on release makes, and what a refused call does to it.

One record is one change: a call, the releases that make it, the configuration under which they make it, and the measured effect of a
refusal. Releases are compared as numbers; `v1.22.1-eksbuild.1` is `(1, 22, 1)`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Release = tuple[int, ...]


class Effect(StrEnum):
    """What a refused call does to the add-on."""

    FATAL = "fatal"  # the process exits at start; for the VPC CNI, new nodes stay NotReady
    DEGRADED = "degraded"  # the process runs, and a part of its work fails
    SURVIVED = "survived"  # the process logs the refusal and continues


class Phase(StrEnum):
    """When the add-on makes a call. A pod that starts shows nothing about the calls of a later phase."""

    START = "start"
    POOL_CHANGE = "pool-change"  # the VPC CNI, when a node needs more addresses, or fewer


class EventDelivery(StrEnum):
    """Whether a refusal produces a `MissingIAMPermissions` event on the pod."""

    SENT = "sent"
    LOST = "lost"  # the process usually exits before the event is sent
    NEVER = "never"


class Feature(StrEnum):
    """Configuration that decides whether a release makes a call."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    PREFIX_DELEGATION = "prefix-delegation"
    CUSTOM_NETWORKING = "custom-networking"
    IMDS_ONLY = "imds-only"
    NO_SUBNET_DISCOVERY = "no-subnet-discovery"
    NO_PROVISIONING = "no-provisioning"
    VOLUME_INITIALIZATION = "volume-initialization"
    FAST_SNAPSHOT_RESTORE = "fast-snapshot-restore"
    MUTUAL_TLS = "mutual-tls"
    RULE_REORDERING = "rule-reordering"
    CAPACITY_RESERVATION = "capacity-reservation"
    SUBNETS_WITHOUT_ROLE_TAGS = "subnets-without-role-tags"


FEATURE_VARIABLES: Final = {
    "ENABLE_PREFIX_DELEGATION": ("true", Feature.PREFIX_DELEGATION),
    "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": ("true", Feature.CUSTOM_NETWORKING),
    "ENABLE_IMDS_ONLY_MODE": ("true", Feature.IMDS_ONLY),
    "ENABLE_SUBNET_DISCOVERY": ("false", Feature.NO_SUBNET_DISCOVERY),
    "DISABLE_NETWORK_RESOURCE_PROVISIONING": ("true", Feature.NO_PROVISIONING),
}
"""Environment variable of the VPC CNI -> (value, the feature that the value switches on). Security groups for pods (`ENABLE_POD_ENI`) are
not here: the VPC resource controller makes their calls, with the role of the cluster.

Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/README.md (CNI Configuration Variables)
"""


@dataclass(frozen=True, kw_only=True)
class CallNeed:
    """One call of one add-on.

    `since` is the first release that makes the call, `until` the first one that no longer does (None: still made). The call is made where
    all of `requires` and none of `unless` are configured. Of several records about one call, the one with the most `requires` applies.
    `log` is a text of the add-on's own log that shows the refusal. `simulated` is False where policies grant the call under tag
    conditions alone, so that a policy simulation without those tags refuses it.
    """

    addon: str
    call: str
    effect: Effect
    event: EventDelivery = EventDelivery.NEVER
    since: Release = (0,)
    until: Release | None = None
    requires: frozenset[Feature] = frozenset()
    unless: frozenset[Feature] = frozenset()
    phase: Phase = Phase.START
    log: str = ""
    simulated: bool = True
    measured: bool = False


@dataclass(frozen=True, kw_only=True)
class AddonNeeds:
    """All calls of one add-on.

    `read_until` is the newest release whose source or behavior was examined. `container` is the container of the workload that makes the
    calls; the tag of its image names the release. `managed_policy` is the path of the AWS managed policy for the add-on, if any.
    `source` links to the facts.
    """

    addon: str
    read_until: Release
    calls: tuple[CallNeed, ...]
    source: str
    container: str
    managed_policy: str = ""


@dataclass(frozen=True, kw_only=True)
class PolicyVersion:
    """One version of an AWS managed policy. `date` is the day of its creation (ISO), `grants` the calls of its add-on that it allows."""

    policy: str
    version: int
    date: str
    grants: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class BadRelease:
    """Releases that fail for a known reason, `since <= release < fixed_in`, where all of `requires` and none of `unless` are configured.

    `call` is set where the release fails only for a role that does not allow this call.
    """

    addon: str
    since: Release
    fixed_in: Release
    reason: str
    source: str
    call: str = ""
    requires: frozenset[Feature] = frozenset()
    unless: frozenset[Feature] = frozenset()


_CNI: Final = "vpc-cni"
_IPV4: Final = frozenset({Feature.IPV4})
_IPV6: Final = frozenset({Feature.IPV6})
_CUSTOM: Final = frozenset({Feature.IPV4, Feature.CUSTOM_NETWORKING})
_NO_DISCOVERY: Final = frozenset({Feature.NO_SUBNET_DISCOVERY})
_IMDS: Final = frozenset({Feature.IMDS_ONLY})
_NOT_PROVISIONED: Final = _IMDS | {Feature.NO_PROVISIONING}
"""Configurations in which the VPC CNI attaches no network interfaces and changes no pool of addresses.

Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/pkg/ipamd/ipamd.go (disableENIProvisioning, nodeInit, StartNodeIPPoolManager)
"""


def _cni(
    call: str,
    effect: Effect,
    event: EventDelivery,
    *,
    since: Release = (0,),
    until: Release | None = None,
    requires: frozenset[Feature] = frozenset(),
    unless: frozenset[Feature] = frozenset(),
    phase: Phase = Phase.START,
    log: str = "",
    measured: bool = True,
) -> CallNeed:
    return CallNeed(
        addon=_CNI,
        call=f"ec2:{call}",
        effect=effect,
        event=event,
        since=since,
        until=until,
        requires=requires,
        unless=unless,
        phase=phase,
        log=log,
        measured=measured,
    )


VPC_CNI: Final = AddonNeeds(
    addon=_CNI,
    read_until=(1, 23, 1),
    container="aws-node",
    managed_policy="AmazonEKS_CNI_Policy",
    source="https://github.com/aws/amazon-vpc-cni-k8s/blob/b52188387f2e2f10bf289ace929d6a63b176a4fa/pkg/awsutils/awsutils.go",
    calls=(
        _cni(
            "DescribeNetworkInterfaces",
            Effect.FATAL,
            EventDelivery.SENT,
            unless=_IMDS,
            log="failed to retrieve attached ENIs info",
        ),
        _cni("CreateTags", Effect.FATAL, EventDelivery.SENT, since=(1, 8), unless=_NOT_PROVISIONED, log="failed to tag managed ENI"),
        _cni(
            "AssignPrivateIpAddresses",
            Effect.FATAL,
            EventDelivery.SENT,
            requires=_IPV4,
            unless=_NOT_PROVISIONED,
            log="error while trying to increase datastore pool",
        ),
        _cni("DescribeInstanceTypes", Effect.FATAL, EventDelivery.SENT, log="Failed calling DescribeInstanceTypes"),
        _cni(
            "DescribeSubnets",
            Effect.SURVIVED,
            EventDelivery.SENT,
            since=(1, 18),
            until=(1, 22),
            requires=_IPV4,
            log="Defaulting to same subnet as the primary interface",
        ),
        _cni(
            "DescribeSubnets",
            Effect.DEGRADED,
            EventDelivery.SENT,
            since=(1, 22),
            until=(1, 23, 2),
            requires=_IPV4,
            log="failed to check subnet exclusion",
        ),
        _cni(
            "DescribeSubnets",
            Effect.FATAL,
            EventDelivery.SENT,
            since=(1, 22),
            until=(1, 23, 2),
            requires=_CUSTOM,
            log="Failed to attach any ENIs for custom networking",
        ),
        _cni(
            "DescribeSubnets",
            Effect.FATAL,
            EventDelivery.LOST,
            since=(1, 22),
            until=(1, 23, 2),
            requires=_IPV6,
            unless=_NO_DISCOVERY,
            log="checking to exclude configured subnet",
        ),
        _cni(
            "DescribeSubnets",
            Effect.SURVIVED,
            EventDelivery.SENT,
            since=(1, 22),
            until=(1, 23, 2),
            requires=_IPV4 | _NO_DISCOVERY,
            log="Failed to check if primary subnet is excluded",
        ),
        _cni("DescribeSubnets", Effect.SURVIVED, EventDelivery.NEVER, since=(1, 23, 2), log="SubnetExclusionCheckFailed", measured=False),
        _cni(
            "DescribeSecurityGroups",
            Effect.FATAL,
            EventDelivery.NEVER,
            since=(1, 22, 0),
            until=(1, 22, 1),
            unless=_NO_DISCOVERY,
            log="discoverCustomSecurityGroups",
        ),
        _cni(
            "DescribeSecurityGroups",
            Effect.FATAL,
            EventDelivery.NEVER,
            since=(1, 22, 1),
            until=(1, 22, 2),
            unless=_NO_DISCOVERY | {Feature.CUSTOM_NETWORKING},
            log="discoverCustomSecurityGroups",
        ),
        _cni(
            "ModifyNetworkInterfaceAttribute",
            Effect.DEGRADED,
            EventDelivery.SENT,
            requires=_IPV4,
            unless=_NOT_PROVISIONED,
            phase=Phase.POOL_CHANGE,
            log="giving up trying to retrieve ENIs from metadata service",
        ),
        _cni(
            "ModifyNetworkInterfaceAttribute",
            Effect.SURVIVED,
            EventDelivery.SENT,
            since=(1, 20),
            requires=_IPV6,
            log="unable to update ENI",
        ),
        _cni(
            "CreateNetworkInterface",
            Effect.DEGRADED,
            EventDelivery.SENT,
            requires=_IPV4,
            unless=_NOT_PROVISIONED,
            phase=Phase.POOL_CHANGE,
            log="Failed to CreateNetworkInterface",
        ),
        _cni(
            "CreateNetworkInterface",
            Effect.FATAL,
            EventDelivery.LOST,
            since=(1, 13),
            requires=_CUSTOM,
            unless=_NOT_PROVISIONED,
            log="Failed to attach any ENIs for custom networking",
        ),
        _cni(
            "DescribeInstances",
            Effect.DEGRADED,
            EventDelivery.SENT,
            requires=_IPV4,
            unless=_NOT_PROVISIONED,
            phase=Phase.POOL_CHANGE,
            log="awsGetFreeDeviceNumber",
        ),
        _cni(
            "AttachNetworkInterface",
            Effect.DEGRADED,
            EventDelivery.SENT,
            requires=_IPV4,
            unless=_NOT_PROVISIONED,
            phase=Phase.POOL_CHANGE,
            log="Failed to attach ENI",
        ),
        _cni(
            "UnassignPrivateIpAddresses",
            Effect.DEGRADED,
            EventDelivery.SENT,
            requires=_IPV4,
            unless=_IMDS,
            phase=Phase.POOL_CHANGE,
            log="Failed to deallocate a private IP",
        ),
        _cni(
            "DeleteNetworkInterface",
            Effect.DEGRADED,
            EventDelivery.SENT,
            requires=_IPV4,
            unless=_NOT_PROVISIONED,
            phase=Phase.POOL_CHANGE,
            log="Not able to delete ENI",
        ),
        _cni(
            "DetachNetworkInterface",
            Effect.DEGRADED,
            EventDelivery.NEVER,
            requires=_IPV4,
            unless=_NOT_PROVISIONED,
            phase=Phase.POOL_CHANGE,
            log="Failed to detach ENI",
            measured=False,
        ),
        _cni(
            "AssignIpv6Addresses",
            Effect.DEGRADED,
            EventDelivery.SENT,
            since=(1, 10),
            requires=_IPV6,
            log="Failed to allocate IPv6 Prefixes",
        ),
        _cni(
            "UnassignIpv6Addresses",
            Effect.SURVIVED,
            EventDelivery.SENT,
            since=(1, 22),
            requires=_IPV6,
            log="Failed to deallocate IPv6 Prefixes",
            measured=False,
        ),
    ),
)
"""Measured by running the plug-in (v1.12.6 to v1.23.1) against refused calls; `measured=False` was read in its source.

`ec2:DescribeTags` is not here: the plug-in never calls it (the metrics helper does). v1.11.3 to v1.19.3 name the non-existent
`ec2:AssignPrivateIpv6Addresses` in their event; the call is `ec2:AssignIpv6Addresses`.
"""

MISNAMED_CALLS: Final = {"ec2:AssignPrivateIpv6Addresses": "ec2:AssignIpv6Addresses"}
"""Calls that an add-on names wrongly in its events -> the call that it makes."""


def _ebs(
    call: str, effect: Effect, *, since: Release = (0,), requires: frozenset[Feature] = frozenset(), simulated: bool = True
) -> CallNeed:
    return CallNeed(addon="aws-ebs-csi-driver", call=f"ec2:{call}", effect=effect, since=since, requires=requires, simulated=simulated)


EBS_CSI: Final = AddonNeeds(
    addon="aws-ebs-csi-driver",
    read_until=(1, 59, 0),
    container="ebs-plugin",
    managed_policy="service-role/AmazonEBSCSIDriverPolicy",
    source="https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/HEAD/docs/example-iam-policy.json",
    calls=(
        *(
            _ebs(call, Effect.DEGRADED)
            for call in (
                "AttachVolume",
                "CreateSnapshot",
                "DescribeInstances",
                "DescribeSnapshots",
                "DescribeVolumes",
                "DescribeVolumesModifications",
                "DetachVolume",
                "ModifyVolume",
            )
        ),
        *(_ebs(call, Effect.DEGRADED, simulated=False) for call in ("CreateVolume", "DeleteVolume", "DeleteSnapshot", "CreateTags")),
        _ebs("DescribeAvailabilityZones", Effect.DEGRADED),
        CallNeed(
            addon="aws-ebs-csi-driver",
            call="ec2:DescribeAvailabilityZones",
            effect=Effect.FATAL,
            since=(1, 49),
            log="Failed health check (verify network connection and IAM credentials)",
        ),
        _ebs("DescribeVolumeStatus", Effect.DEGRADED, since=(1, 46), requires=frozenset({Feature.VOLUME_INITIALIZATION})),
        _ebs("DescribeInstanceTypes", Effect.SURVIVED, since=(1, 59)),
        _ebs("EnableFastSnapshotRestores", Effect.DEGRADED, since=(1, 18), requires=frozenset({Feature.FAST_SNAPSHOT_RESTORE})),
    ),
)
"""Read in the driver's source and change log; not run."""

EFS_CSI: Final = AddonNeeds(
    addon="aws-efs-csi-driver",
    read_until=(2, 1, 0),
    container="efs-plugin",
    managed_policy="service-role/AmazonEFSCSIDriverPolicy",
    source="https://github.com/kubernetes-sigs/aws-efs-csi-driver/blob/HEAD/docs/iam-policy-example.json",
    calls=(
        *(
            CallNeed(addon="aws-efs-csi-driver", call=call, effect=Effect.DEGRADED)
            for call in (
                "elasticfilesystem:DescribeAccessPoints",
                "elasticfilesystem:DescribeFileSystems",
                "elasticfilesystem:DescribeMountTargets",
                "ec2:DescribeAvailabilityZones",
            )
        ),
        *(
            CallNeed(
                addon="aws-efs-csi-driver",
                call=call,
                effect=Effect.DEGRADED,
                simulated=False,
            )
            for call in (
                "elasticfilesystem:CreateAccessPoint",
                "elasticfilesystem:DeleteAccessPoint",
                "elasticfilesystem:TagResource",
            )
        ),
    ),
)
"""Calls of the controller, which provisions access points. Read in the driver's example policy and the managed policy; not run."""


FSX_CSI: Final = AddonNeeds(
    addon="aws-fsx-csi-driver",
    read_until=(1, 9, 0),
    container="fsx-plugin",
    managed_policy="AmazonFSxFullAccess",
    source="https://github.com/kubernetes-sigs/aws-fsx-csi-driver/blob/v1.9.0/pkg/cloud/cloud.go",
    calls=tuple(
        CallNeed(addon="aws-fsx-csi-driver", call=f"fsx:{call}", effect=Effect.DEGRADED)
        for call in ("CreateFileSystem", "DeleteFileSystem", "DescribeFileSystems", "TagResource", "UpdateFileSystem")
    ),
)
"""Calls of the controller: those in the driver's source, and `fsx:TagResource`, because it creates file systems with tags. Not run.

The driver's guide also lists `s3:ListBucket` and `iam:CreateServiceLinkedRole`. The source calls neither, so they are not here.
Source: https://github.com/kubernetes-sigs/aws-fsx-csi-driver/blob/v1.9.0/docs/install.md
"""


def _elb(call: str, *, since: Release = (0,), requires: frozenset[Feature] = frozenset(), effect: Effect = Effect.DEGRADED) -> CallNeed:
    return CallNeed(addon="aws-load-balancer-controller", call=call, effect=effect, since=since, requires=requires)


LOAD_BALANCER_CONTROLLER: Final = AddonNeeds(
    addon="aws-load-balancer-controller",
    read_until=(3, 5, 0),
    container="aws-load-balancer-controller",
    source="https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/HEAD/docs/install/iam_policy.json",
    calls=(
        *(
            _elb(call)
            for call in (
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:CreateSecurityGroup",
                "ec2:DescribeInstances",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
                "ec2:RevokeSecurityGroupIngress",
                "elasticloadbalancing:CreateListener",
                "elasticloadbalancing:CreateRule",
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeRules",
                "elasticloadbalancing:DescribeTags",
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
                "elasticloadbalancing:ModifyListener",
                "elasticloadbalancing:ModifyRule",
            )
        ),
        _elb("ec2:DescribeAvailabilityZones", since=(2, 2)),
        _elb("elasticloadbalancing:DescribeTrustStores", since=(2, 7), requires=frozenset({Feature.MUTUAL_TLS})),
        _elb("elasticloadbalancing:DescribeListenerAttributes", since=(2, 9)),
        _elb("elasticloadbalancing:ModifyListenerAttributes", since=(2, 9)),
        _elb("elasticloadbalancing:DescribeCapacityReservation", since=(2, 11), requires=frozenset({Feature.CAPACITY_RESERVATION})),
        _elb("elasticloadbalancing:SetRulePriorities", since=(2, 12), requires=frozenset({Feature.RULE_REORDERING})),
        _elb("ec2:DescribeRouteTables", since=(2, 13), requires=frozenset({Feature.SUBNETS_WITHOUT_ROLE_TAGS})),
    ),
)
"""Read in the policies of the releases, compared tag by tag; not run. Calls that are granted under tag conditions alone are left out."""

ADDON_NEEDS: Final = {needs.addon: needs for needs in (VPC_CNI, EBS_CSI, EFS_CSI, FSX_CSI, LOAD_BALANCER_CONTROLLER)}
"""EKS add-on name (or, for the load balancer controller, chart name) -> its calls."""

_CNI_POLICY_V3: Final = frozenset(
    f"ec2:{call}"
    for call in (
        "AssignPrivateIpAddresses",
        "AttachNetworkInterface",
        "CreateNetworkInterface",
        "CreateTags",
        "DeleteNetworkInterface",
        "DescribeInstances",
        "DescribeNetworkInterfaces",
        "DescribeTags",
        "DetachNetworkInterface",
        "ModifyNetworkInterfaceAttribute",
        "UnassignPrivateIpAddresses",
    )
)

_EBS_POLICY_V4: Final = frozenset(
    f"ec2:{call}"
    for call in (
        "AttachVolume",
        "CreateSnapshot",
        "CreateTags",
        "CreateVolume",
        "DeleteSnapshot",
        "DeleteVolume",
        "DescribeAvailabilityZones",
        "DescribeInstances",
        "DescribeSnapshots",
        "DescribeVolumes",
        "DescribeVolumesModifications",
        "DescribeVolumeStatus",
        "DetachVolume",
        "EnableFastSnapshotRestores",
        "ModifyVolume",
    )
)

MANAGED_POLICIES: Final = (
    PolicyVersion(policy="AmazonEKS_CNI_Policy", version=3, date="2019-06-27", grants=_CNI_POLICY_V3),
    PolicyVersion(policy="AmazonEKS_CNI_Policy", version=4, date="2020-04-20", grants=_CNI_POLICY_V3 | {"ec2:DescribeInstanceTypes"}),
    PolicyVersion(
        policy="AmazonEKS_CNI_Policy",
        version=5,
        date="2024-03-04",
        grants=_CNI_POLICY_V3 | {"ec2:DescribeInstanceTypes", "ec2:DescribeSubnets"},
    ),
    PolicyVersion(
        policy="AmazonEKS_CNI_Policy",
        version=6,
        date="2026-03-04",
        grants=_CNI_POLICY_V3 | {"ec2:DescribeInstanceTypes", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"},
    ),
    PolicyVersion(policy="AmazonEBSCSIDriverPolicy", version=4, date="2025-07-15", grants=_EBS_POLICY_V4),
    PolicyVersion(policy="AmazonEBSCSIDriverPolicy", version=14, date="2026-02-12", grants=_EBS_POLICY_V4),
    PolicyVersion(policy="AmazonEBSCSIDriverPolicy", version=15, date="2026-05-13", grants=_EBS_POLICY_V4 | {"ec2:DescribeInstanceTypes"}),
    PolicyVersion(
        policy="AmazonEFSCSIDriverPolicy",
        version=1,
        date="2023-07-25",
        grants=frozenset(
            {
                "ec2:DescribeAvailabilityZones",
                "elasticfilesystem:CreateAccessPoint",
                "elasticfilesystem:DeleteAccessPoint",
                "elasticfilesystem:DescribeAccessPoints",
                "elasticfilesystem:DescribeFileSystems",
                "elasticfilesystem:DescribeMountTargets",
                "elasticfilesystem:TagResource",
            }
        ),
    ),
    PolicyVersion(policy="AmazonFSxFullAccess", version=13, date="2026-02-12", grants=frozenset(need.call for need in FSX_CSI.calls)),
)
"""Versions of AWS managed policies that are known, the oldest of each first.

Versions 5 to 13 of the EBS policy are not here. The archive has 5, 6 and 10; they grant what 4 grants.
Every statement was read, those under tag conditions too, in a public archive of what IAM answers in the partition `aws`.
Sources: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKS_CNI_Policy.html (until v5)
https://github.com/zoph-io/IAMTrail/blob/8cd0798b2b27c77e8d7538f4378b1f5100c0bc93/policies/AmazonEKS_CNI_Policy (v6)
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEFSCSIDriverPolicy.html
https://github.com/zoph-io/IAMTrail/blob/3c055700293d52c945444ebe9a0393b2780917b1/policies/AmazonEBSCSIDriverPolicy (v4)
https://github.com/zoph-io/IAMTrail/blob/c742f0f5b572a7ce862c2237a22c4ccebc7fb5c5/policies/AmazonEBSCSIDriverPolicy (v14)
https://github.com/zoph-io/IAMTrail/blob/64e89aac1168a1ffb57b219b8499eb0e14cd886d/policies/AmazonEBSCSIDriverPolicy (v15)
https://github.com/zoph-io/IAMTrail/blob/1c68d238ae39ff61e0adf7bde70fe8c06c62b4ff/policies/AmazonFSxFullAccess (v13)
"""

BAD_RELEASES: Final = (
    BadRelease(
        addon=_CNI,
        since=(1, 22, 0),
        fixed_in=(1, 22, 2),
        reason="ipamd exits at start where the role may not call ec2:DescribeSecurityGroups, which AmazonEKS_CNI_Policy v5 does not grant",
        source="https://github.com/aws/amazon-vpc-cni-k8s/issues/3705",
        call="ec2:DescribeSecurityGroups",
        unless=_NO_DISCOVERY,
    ),
    BadRelease(
        addon=_CNI,
        since=(1, 22, 0),
        fixed_in=(1, 23, 2),
        requires=_IPV6,
        unless=_NO_DISCOVERY,
        reason="ipamd exits at start on IPv6 without ec2:DescribeSubnets, which the EKS guide's policy grants since 2026-07-09",
        source="https://github.com/aws/amazon-vpc-cni-k8s/issues/3704",
        call="ec2:DescribeSubnets",
    ),
    BadRelease(
        addon=_CNI,
        since=(1, 12, 1),
        fixed_in=(1, 13, 0),
        reason="the plug-in writes its CNI configuration although ipamd is dead, so a new node becomes Ready and its pods get no address",
        source="https://github.com/aws/amazon-vpc-cni-k8s/blob/v1.13.0/cmd/aws-vpc-cni/main.go",
    ),
)
"""Releases to avoid, each with its reason and the release that fixes it."""
