"""ServiceAccounts we know by name: which add-on owns them and which workload runs under them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lambdas.contract.parameters import ServiceAccountRef


class WorkloadKind(StrEnum):
    """The kinds whose pod template a restart may stamp; the values are Kubernetes kinds."""

    DAEMON_SET = "DaemonSet"
    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"

    @property
    def resource(self) -> str:
        """The plural resource name in API paths and RBAC rules."""
        return self.value.lower() + "s"


@dataclass(frozen=True, kw_only=True)
class KnownWorkload:
    """A ServiceAccount with its workload and, where EKS manages it, its add-on.

    `addon` is the EKS add-on name whose `serviceAccountRoleArn` belongs to this ServiceAccount.
    """

    namespace: str
    service_account: str
    kind: WorkloadKind
    name: str
    addon: str | None


AWS_NODE: Final = KnownWorkload(
    namespace="kube-system", service_account="aws-node", kind=WorkloadKind.DAEMON_SET, name="aws-node", addon="vpc-cni"
)
KNOWN: Final = (
    AWS_NODE,
    KnownWorkload(
        namespace="kube-system",
        service_account="ebs-csi-controller-sa",
        kind=WorkloadKind.DEPLOYMENT,
        name="ebs-csi-controller",
        addon="aws-ebs-csi-driver",
    ),
    KnownWorkload(
        namespace="kube-system",
        service_account="aws-load-balancer-controller",
        kind=WorkloadKind.DEPLOYMENT,
        name="aws-load-balancer-controller",
        addon=None,
    ),
)
"""Add-on names: https://docs.aws.amazon.com/eks/latest/userguide/workloads-add-ons-available-eks.html"""


def one_of(target: ServiceAccountRef) -> str:
    """The option that chooses this ServiceAccount on the command line; nothing for aws-node, which most clusters have bound alone."""
    default = AWS_NODE
    if (target.namespace, target.name) == (default.namespace, default.service_account):
        return ""
    return f" --service-account {target.namespace}/{target.name}"


def known(namespace: str, service_account: str) -> KnownWorkload | None:
    """The workload of a ServiceAccount we know by name, or None: then its pods tell."""
    return next((item for item in KNOWN if (item.namespace, item.service_account) == (namespace, service_account)), None)
