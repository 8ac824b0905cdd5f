"""The workloads that the product knows by name. Everything that is known of one is in its `KnownWorkload` record."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lambdas.contract import call_needs
from lambdas.contract.call_needs import EBS_CSI, EFS_CSI, FSX_CSI, VPC_CNI, AddonNeeds
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
    `needs` are the AWS calls that it makes, by release.
    """

    namespace: str
    service_account: str
    kind: WorkloadKind
    name: str
    addon: str | None
    needs: AddonNeeds
    impact: Impact


AWS_NODE: Final = KnownWorkload(
    namespace="kube-system",
    service_account="aws-node",
    kind=WorkloadKind.DAEMON_SET,
    name="aws-node",
    addon="vpc-cni",
    needs=VPC_CNI,
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
    needs=EBS_CSI,
    impact=Impact(
        failing="Mounted volumes stay mounted. Volumes cannot be created, attached, detached or resized, so moved pods wait for theirs.",
        latent="Mounted volumes stay mounted. Volumes can be created or attached only if the node role allows it.",
    ),
)
EFS_CSI_CONTROLLER: Final = KnownWorkload(
    namespace="kube-system",
    service_account="efs-csi-controller-sa",
    kind=WorkloadKind.DEPLOYMENT,
    name="efs-csi-controller",
    addon="aws-efs-csi-driver",
    needs=EFS_CSI,
    impact=Impact(
        failing="Mounted file systems stay mounted. Access points cannot be created or deleted, so new claims wait.",
        latent="Mounted file systems stay mounted. Access points can be created only if the node role allows it.",
    ),
)
FSX_CSI_CONTROLLER: Final = KnownWorkload(
    namespace="kube-system",
    service_account="fsx-csi-controller-sa",
    kind=WorkloadKind.DEPLOYMENT,
    name="fsx-csi-controller",
    addon="aws-fsx-csi-driver",
    needs=FSX_CSI,
    impact=Impact(
        failing="Mounted file systems stay mounted. File systems cannot be created, resized or deleted, so new claims wait.",
        latent="Mounted file systems stay mounted. File systems can be created only if the node role allows it.",
    ),
)
"""Names: https://github.com/kubernetes-sigs/aws-fsx-csi-driver/tree/v1.9.0/charts/aws-fsx-csi-driver
EKS add-on: https://github.com/aws/containers-roadmap/issues/2625
Its role: https://docs.amazonaws.cn/en_us/eks/latest/userguide/fsx-csi-create.md
"""
LOAD_BALANCER_CONTROLLER: Final = KnownWorkload(
    namespace="kube-system",
    service_account="aws-load-balancer-controller",
    kind=WorkloadKind.DEPLOYMENT,
    name="aws-load-balancer-controller",
    addon=None,
    needs=call_needs.LOAD_BALANCER_CONTROLLER,
    impact=Impact(
        failing="Existing load balancers keep serving. Changes to Ingresses, Services and targets are not applied.",
        latent="Existing load balancers keep serving. Changes to Ingresses and targets are applied only if the node role allows it.",
    ),
)
KNOWN: Final = (AWS_NODE, EBS_CSI_CONTROLLER, EFS_CSI_CONTROLLER, FSX_CSI_CONTROLLER, LOAD_BALANCER_CONTROLLER)
"""Add-on names: https://docs.aws.amazon.com/eks/latest/userguide/workloads-add-ons-available-eks.html"""
KNOWN_ADDONS: Final = tuple(workload.addon for workload in KNOWN if workload.addon)
"""The add-ons whose records the remediator may update."""

ANY_IMPACT: Final = Impact(
    failing="Its pods fail. Their AWS calls are refused or use the node role.",
    latent="Its pods are ready. Their AWS calls are refused or use the node role.",
)


def known(namespace: str, service_account: str) -> KnownWorkload | None:
    """The record of a ServiceAccount; None where the product does not know it by name."""
    return next((workload for workload in KNOWN if (workload.namespace, workload.service_account) == (namespace, service_account)), None)


def owned_by(addon: str) -> tuple[str, str] | None:
    """`(namespace, service account)` that the add-on owns; None for add-ons whose ServiceAccount is not known.

    Names compare without case, so a call that names `VPC-CNI` counts. eksctl compares them in lower case too.
    Source: https://github.com/eksctl-io/eksctl/blob/00931d915f950e408c37a247c4de65566a3389dc/pkg/apis/eksctl.io/v1alpha5/addon.go
    """
    name = addon.lower()
    return next(((item.namespace, item.service_account) for item in KNOWN if item.addon == name), None)


def impact_of(namespace: str, service_account: str) -> Impact:
    """The effect of a missing role on the workload of a ServiceAccount."""
    workload = known(namespace, service_account)
    return workload.impact if workload else ANY_IMPACT


def service_account_option(target: ServiceAccountRef) -> str:
    """The command-line option that selects this ServiceAccount; empty for aws-node, which is the default."""
    if (target.namespace, target.name) == (AWS_NODE.namespace, AWS_NODE.service_account):
        return ""
    return f" --service-account {target.namespace}/{target.name}"
