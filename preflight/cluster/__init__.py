"""A living cluster before an upgrade: would it keep the role, and which calls keep it."""

from preflight.cluster.assessment import assess, kubernetes_after
from preflight.cluster.upgrade import ClusterAnswer, Upgrade, VersionsPort

__all__ = ["ClusterAnswer", "Upgrade", "VersionsPort", "assess", "kubernetes_after"]
