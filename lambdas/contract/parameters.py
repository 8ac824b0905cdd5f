"""Parameter Store paths of bindings, and the mechanisms that a binding can name."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lambdas.contract.names import ANY_CLUSTER, PARAMETER_ROOT

BINDINGS_FOLDER: Final = f"{PARAMETER_ROOT}/bindings"
SETTINGS_FOLDER: Final = f"{PARAMETER_ROOT}/settings"


class Mechanism(StrEnum):
    """How a ServiceAccount gets its role. A binding without a mechanism keeps the one in force."""

    IRSA = "irsa"
    POD_IDENTITY = "pod-identity"


CLUSTER_NAME: Final = re.compile(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}\Z")
"""Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html"""

KUBERNETES_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")
"""Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"""


@dataclass(frozen=True, order=True)
class ServiceAccountRef:
    """One ServiceAccount of one cluster: the object of a binding and of an incident."""

    cluster: str
    namespace: str
    name: str

    @property
    def subject(self) -> str:
        """The `sub` claim of its tokens, as IAM compares it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def key(self) -> str:
        """`cluster/namespace/name`, unique in one account and region."""
        return f"{self.cluster}/{self.namespace}/{self.name}"

    @classmethod
    def from_key(cls, key: str) -> "ServiceAccountRef":
        """Parse the text that `key` returns.

        Raises:
            ValueError: the key does not have three segments with valid names.
        """
        cluster, namespace, name = key.split("/")
        if not (valid_cluster(cluster) and KUBERNETES_NAME.match(namespace) and KUBERNETES_NAME.match(name)):
            raise ValueError(f"not a ServiceAccount key: {key[:300]!r}")
        return cls(cluster, namespace, name)


def valid_cluster(name: object) -> bool:
    """Whether EKS accepts this text as a cluster name."""
    return isinstance(name, str) and CLUSTER_NAME.match(name) is not None


def binding_path(cluster: str, namespace: str, service_account: str) -> str:
    """Parameter path of a binding. `cluster` may be `ANY_CLUSTER`."""
    return f"{BINDINGS_FOLDER}/{cluster}/{namespace}/{service_account}"


def folders_of(cluster: str) -> tuple[str, ...]:
    """The folders with all parameters of one cluster: its own folders and the default folders."""
    return tuple(f"{folder}/{whose}" for whose in (cluster, ANY_CLUSTER) for folder in (BINDINGS_FOLDER, SETTINGS_FOLDER))


def split_binding_path(path: str) -> tuple[str, str, str] | None:
    """`(cluster or ANY_CLUSTER, namespace, service account)` of a binding's path; None where the path is not one of a binding."""
    if not path.startswith(BINDINGS_FOLDER + "/"):
        return None
    parts = path.removeprefix(BINDINGS_FOLDER + "/").split("/")
    if len(parts) != 3 or not all(parts):  # noqa: PLR2004
        return None
    return parts[0], parts[1], parts[2]
