"""The workloads that the product knows by name. Everything that is known of one is in its `KnownWorkload` record."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lambdas.contract.parameters import ServiceAccountRef


class WorkloadKind(StrEnum):
    """The workload kinds that a repair may restart; the values are Kubernetes kinds."""

    DAEMON_SET = "DaemonSet"
    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"

    @property
    def resource(self) -> str:
        """The plural resource name in API paths and RBAC rules."""
        return self.value.lower() + "s"


class IpFamily(StrEnum):
    """`kubernetesNetworkConfig.ipFamily` of DescribeCluster."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"


@dataclass(frozen=True, kw_only=True)
class RequiredCalls:
    """The IAM actions without which a workload fails. `managed_policy` is the path of the AWS managed policy that grants them, if any."""

    calls: tuple[str, ...]
    managed_policy: str | None = None


@dataclass(frozen=True, kw_only=True)
class Impact:
    """The effect of a missing role, as sentences for messages.

    `failing` applies while something fails. `latent` applies while nothing fails yet, and `latent_status` is its short form for a title.
    """

    failing: str
    latent: str
    latent_status: str = "pods are still ready"


@dataclass(frozen=True, kw_only=True)
class KnownWorkload:
    """A ServiceAccount, its workload, and what the product knows of both.

    `addon` is the EKS add-on whose `serviceAccountRoleArn` belongs to this ServiceAccount; None where EKS has no such add-on.
    `required_calls` are listed by IP family of the cluster.
    """

    namespace: str
    service_account: str
    kind: WorkloadKind
    name: str
    addon: str | None
    required_calls: Mapping[IpFamily, RequiredCalls]
    impact: Impact


_CNI_IPV4: Final = RequiredCalls(
    calls=(
        "ec2:AssignPrivateIpAddresses",
        "ec2:AttachNetworkInterface",
        "ec2:CreateNetworkInterface",
        "ec2:CreateTags",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeTags",
        "ec2:DetachNetworkInterface",
        "ec2:ModifyNetworkInterfaceAttribute",
        "ec2:UnassignPrivateIpAddresses",
    ),
    managed_policy="AmazonEKS_CNI_Policy",
)
"""The list omits ec2:DescribeSubnets, without which the plug-in continues in the subnet of the node, and ec2:DescribeSecurityGroups.
The documentation lists the latter and AWS's managed policy (v5) does not grant it, so requiring it would report every healthy role.
Sources: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/docs/iam-policy.md
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKS_CNI_Policy.html
https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/pkg/awsutils/awsutils.go (createENI)"""

_CNI_IPV6: Final = RequiredCalls(
    calls=(
        "ec2:AssignIpv6Addresses",
        "ec2:CreateTags",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeTags",
    ),
)
"""The calls of the policy in the EKS guide; AWS has no managed policy for IPv6. Later plug-ins also list
ec2:ModifyNetworkInterfaceAttribute to refresh security groups, and tolerate its refusal.
Source: https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html#cni-iam-role-create-ipv6-policy"""

_EBS_CSI: Final = RequiredCalls(
    calls=(
        "ec2:AttachVolume",
        "ec2:CreateSnapshot",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeInstances",
        "ec2:DescribeSnapshots",
        "ec2:DescribeVolumes",
        "ec2:DescribeVolumesModifications",
        "ec2:DetachVolume",
        "ec2:ModifyVolume",
    ),
    managed_policy="service-role/AmazonEBSCSIDriverPolicy",
)
"""The list omits calls that the policy grants under tag conditions only (CreateVolume, DeleteVolume, CreateTags), since a simulation
without those tags refuses them.
Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEBSCSIDriverPolicy.html"""

_LOAD_BALANCER: Final = RequiredCalls(
    calls=(
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateSecurityGroup",
        "ec2:DescribeAvailabilityZones",
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
    ),
)
"""The list omits calls that the policy grants under tag conditions only. Each release of the controller documents its policy.
Source: https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/HEAD/docs/install/iam_policy.json"""

AWS_NODE: Final = KnownWorkload(
    namespace="kube-system",
    service_account="aws-node",
    kind=WorkloadKind.DAEMON_SET,
    name="aws-node",
    addon="vpc-cni",
    required_calls={IpFamily.IPV4: _CNI_IPV4, IpFamily.IPV6: _CNI_IPV6},
    impact=Impact(
        failing="Running pods keep their network. New nodes stay NotReady, and new pods may get no IP address.",
        latent="aws-node uses the permissions of the node role. It fails as soon as the CNI policy is removed from that role.",
        latent_status="nothing fails yet",
    ),
)
EBS_CSI_CONTROLLER: Final = KnownWorkload(
    namespace="kube-system",
    service_account="ebs-csi-controller-sa",
    kind=WorkloadKind.DEPLOYMENT,
    name="ebs-csi-controller",
    addon="aws-ebs-csi-driver",
    required_calls=dict.fromkeys(IpFamily, _EBS_CSI),
    impact=Impact(
        failing="Mounted volumes stay mounted. Volumes cannot be created, attached, detached or resized, so moved pods wait for theirs.",
        latent="Mounted volumes stay mounted. Volumes can be created or attached only if the node role allows it.",
    ),
)
LOAD_BALANCER_CONTROLLER: Final = KnownWorkload(
    namespace="kube-system",
    service_account="aws-load-balancer-controller",
    kind=WorkloadKind.DEPLOYMENT,
    name="aws-load-balancer-controller",
    addon=None,
    required_calls=dict.fromkeys(IpFamily, _LOAD_BALANCER),
    impact=Impact(
        failing="Existing load balancers keep serving. Changes to Ingresses, Services and targets are not applied.",
        latent="Existing load balancers keep serving. Changes to Ingresses and targets are applied only if the node role allows it.",
    ),
)
KNOWN: Final = (AWS_NODE, EBS_CSI_CONTROLLER, LOAD_BALANCER_CONTROLLER)
"""Add-on names: https://docs.aws.amazon.com/eks/latest/userguide/workloads-add-ons-available-eks.html"""

ANY_IMPACT: Final = Impact(
    failing="Its pods fail. Their AWS calls are refused or use the node role.",
    latent="Its pods are ready. Their AWS calls are refused or use the node role.",
)


def known(namespace: str, service_account: str) -> KnownWorkload | None:
    """The record of a ServiceAccount; None where the product does not know it by name."""
    return next((workload for workload in KNOWN if (workload.namespace, workload.service_account) == (namespace, service_account)), None)


def impact_of(namespace: str, service_account: str) -> Impact:
    """The effect of a missing role on the workload of a ServiceAccount."""
    workload = known(namespace, service_account)
    return workload.impact if workload else ANY_IMPACT


def service_account_option(target: ServiceAccountRef) -> str:
    """The command-line option that selects this ServiceAccount; empty for aws-node, which is the default."""
    if (target.namespace, target.name) == (AWS_NODE.namespace, AWS_NODE.service_account):
        return ""
    return f" --service-account {target.namespace}/{target.name}"
