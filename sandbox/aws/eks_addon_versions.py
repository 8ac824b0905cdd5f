"""The add-on versions of the EKS double: an excerpt of DescribeAddonVersions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Offer:
    """Versions of one add-on, newest first. `defaults`: Kubernetes version -> default add-on version.

    `associated` are the ServiceAccounts that take a pod identity association through the add-on, except in the versions `unassociated`.
    """

    versions: tuple[str, ...]
    defaults: dict[str, str]
    kind: str = "networking"
    needs_iam: bool = False
    associated: tuple[str, ...] = ()
    unassociated: tuple[str, ...] = ()


KUBERNETES = tuple(f"1.{minor}" for minor in range(26, 37))


def _latest_for_all(version: str) -> dict[str, str]:
    return dict.fromkeys(KUBERNETES, version)


CATALOGUE = {
    "vpc-cni": Offer(
        (
            "v1.20.3-eksbuild.1",
            "v1.20.1-eksbuild.1",
            "v1.19.0-eksbuild.1",
            "v1.16.0-eksbuild.1",
            "v1.15.1-eksbuild.1",
            "v1.13.4-eksbuild.1",
        ),
        _latest_for_all("v1.20.3-eksbuild.1")
        | {"1.26": "v1.13.4-eksbuild.1", "1.27": "v1.13.4-eksbuild.1", "1.28": "v1.15.1-eksbuild.1", "1.29": "v1.16.0-eksbuild.1"},
        needs_iam=True,
        associated=("aws-node",),
        unassociated=("v1.13.4-eksbuild.1",),
    ),
    "coredns": Offer(("v1.11.4-eksbuild.2", "v1.10.1-eksbuild.4"), _latest_for_all("v1.11.4-eksbuild.2")),
    "kube-proxy": Offer(("v1.31.3-eksbuild.2", "v1.28.2-eksbuild.2"), _latest_for_all("v1.31.3-eksbuild.2")),
    "aws-ebs-csi-driver": Offer(
        ("v1.40.0-eksbuild.1", "v1.25.0-eksbuild.1"),
        _latest_for_all("v1.40.0-eksbuild.1"),
        kind="storage",
        needs_iam=True,
        associated=("ebs-csi-controller-sa",),
        unassociated=("v1.25.0-eksbuild.1",),
    ),
    "eks-pod-identity-agent": Offer(("v1.3.4-eksbuild.1",), _latest_for_all("v1.3.4-eksbuild.1"), kind="security"),
}


def default_version(addon: str, kubernetes: str) -> str:
    """The version that CreateAddon installs by default."""
    offer = CATALOGUE[addon]
    return offer.defaults.get(kubernetes, offer.versions[0])


def associated_accounts(addon: str, version: str) -> tuple[str, ...]:
    """The ServiceAccounts that this version associates with roles; which real versions do was not found, so the old ones do not."""
    offer = CATALOGUE.get(addon)
    return offer.associated if offer and version not in offer.unassociated else ()


def is_offered(addon: str, version: str) -> bool:
    return addon in CATALOGUE and version in CATALOGUE[addon].versions


def offered(addon: str | None, kubernetes: str | None) -> list[dict[str, Any]]:
    """The `addons` of DescribeAddonVersions, for one add-on or all, for one Kubernetes version or all."""
    names = [name for name in CATALOGUE if addon in (None, name)]
    return [_described(name, [kubernetes] if kubernetes else list(KUBERNETES)) for name in names]


def _described(name: str, kubernetes: list[str]) -> dict[str, Any]:
    offer = CATALOGUE[name]
    return {
        "addonName": name,
        "type": offer.kind,
        "publisher": "eks",
        "owner": "aws",
        "defaultNamespace": "kube-system",
        "addonVersions": [_version(offer, version, kubernetes) for version in offer.versions],
    }


def _version(offer: Offer, version: str, kubernetes: list[str]) -> dict[str, Any]:
    fits = [
        {"clusterVersion": kubernete, "platformVersions": ["*"], "defaultVersion": offer.defaults.get(kubernete) == version}
        for kubernete in kubernetes
        if kubernete in KUBERNETES
    ]
    return {
        "addonVersion": version,
        "architecture": ["amd64", "arm64"],
        "compatibilities": fits,
        "requiresConfiguration": False,
        "requiresIamPermissions": offer.needs_iam,
    }
