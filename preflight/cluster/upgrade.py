"""What is planned for a cluster, what it has now, and what the upgrade would do to it."""

import re
from dataclasses import dataclass
from typing import Protocol

from lambdas.domain.diagnosis.finding import Finding
from lambdas.domain.snapshot.snapshot import OfferedVersion, Unknown
from preflight.concern import Concern


class VersionsPort(Protocol):
    """What EKS offers."""

    def offered_versions(self, addon: str, kubernetes_version: str) -> tuple[OfferedVersion, ...]:
        """Every version that EKS offers for a Kubernetes version, the newest first."""
        ...


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """What is planned: "" is what EKS has as default for the add-on, and no change for Kubernetes."""

    addon_version: str = ""
    kubernetes_version: str = ""


@dataclass(frozen=True, kw_only=True)
class ClusterAnswer:
    """What the upgrade would do. `calls` are commands in their order, `without` says what comes of leaving the role out.

    Versions and roles are "" where there is none, or where it could not be read; so is the ARN of the cluster's OIDC provider.
    """

    cluster: str
    provider_arn: str = ""
    region: str = ""
    kubernetes: str = ""
    kubernetes_wanted: str = ""
    addon: str = ""
    addon_wanted: str = ""
    addon_default: str = ""
    record_role: str = ""
    annotation: str = ""
    binding: str = ""
    links: tuple[Finding, ...] = ()
    calls: tuple[str, ...] = ()
    without: str = ""
    concerns: tuple[Concern, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Where a role is named: the add-on record, the annotation, the binding; and what an association gives."""

    record: str = ""
    annotation: str = ""
    binding: str = ""
    association: str = ""

    @property
    def wanted(self) -> str:
        """The role that the upgrade has to keep."""
        return self.binding or self.annotation or self.record


@dataclass(frozen=True, kw_only=True)
class Versions:
    """Versions now and after the upgrade, and what EKS offers of the add-on for the Kubernetes version after it."""

    asked: Upgrade
    kubernetes: str
    addon: str
    offered: tuple[OfferedVersion, ...] | Unknown

    @property
    def default(self) -> str:
        """What EKS installs where no version is named; "" where it is not known."""
        found = self.offered if isinstance(self.offered, tuple) else ()
        return next((item.version for item in found if item.default), "")

    @property
    def wanted(self) -> str:
        """The add-on version to update to; "" where it stays: nobody is sent back to a default that is older."""
        if self.asked.addon_version:
            return self.asked.addon_version if self.asked.addon_version != self.addon else ""
        stays = self.offers(self.addon) and _numbers(self.default) <= _numbers(self.addon)
        return "" if stays else self.default

    @property
    def kubernetes_wanted(self) -> str:
        """The Kubernetes version after the upgrade."""
        return self.asked.kubernetes_version or self.kubernetes

    @property
    def next_step(self) -> str:
        """The Kubernetes version to which EKS upgrades from here in one step, or the present one where no other is asked for."""
        if not self.kubernetes or self.kubernetes_wanted == self.kubernetes:
            return self.kubernetes_wanted
        major, minor = _numbers(self.kubernetes)[:2]
        return f"{major}.{minor + 1}"

    def offers(self, version: str) -> bool:
        """Whether EKS offers this version of the add-on."""
        return isinstance(self.offered, tuple) and any(item.version == version for item in self.offered)


def _numbers(version: str) -> tuple[int, ...]:
    """`v1.16.0-eksbuild.1` is `(1, 16, 0, 1)`; the numbers of a later version are greater."""
    return tuple(map(int, re.findall(r"\d+", version)))
