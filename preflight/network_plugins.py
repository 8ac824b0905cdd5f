"""Network plug-ins that are installed instead of the VPC CNI, or beside its add-on."""

from typing import Final

_NAMES: Final = ("cilium", "calico", "tigera-operator", "aws-vpc-cni", "antrea", "kube-ovn", "weave", "flannel")


def names_network_plugin(text: str) -> bool:
    """Return whether a chart or manifest names a network plug-in."""
    return any(name in text.lower() for name in _NAMES)
