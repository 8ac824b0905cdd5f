"""Reports on a running cluster before an upgrade: whether aws-node keeps its role, and which commands keep it."""

from preflight.cluster.assessment import assess, kubernetes_after
from preflight.cluster.upgrade import ClusterReport, Upgrade, VersionsPort

__all__ = ["ClusterReport", "Upgrade", "VersionsPort", "assess", "kubernetes_after"]
