"""The planned upgrade of a cluster, its present versions and roles, and the report on it."""

import re
from dataclasses import dataclass
from typing import Protocol

from lambdas.domain.diagnosis.finding import Finding as LinkFinding
from lambdas.domain.snapshot.snapshot import OfferedVersion, Unknown
from preflight.finding import Finding


class VersionsPort(Protocol):
    """Reads the add-on versions that EKS offers."""

    def offered_versions(self, addon: str, kubernetes_version: str) -> tuple[OfferedVersion, ...]:
        """Return every version that EKS offers for a Kubernetes version, newest first."""
        ...


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """The planned versions. "" means the default version of the add-on, and no change of Kubernetes."""

    addon_version: str = ""
    kubernetes_version: str = ""


@dataclass(frozen=True, kw_only=True)
class ClusterReport:
    """The findings about one cluster. `commands` carry out the upgrade in order; `without_role` describes the effect of an
    upgrade that omits the role.

    Versions, roles and the ARN of the OIDC provider are "" where there is none, or where it could not be read.
    """

    cluster: str
    provider_arn: str = ""
    region: str = ""
    kubernetes: str = ""
    kubernetes_target: str = ""
    addon: str = ""
    addon_target: str = ""
    addon_default: str = ""
    record_role: str = ""
    annotation: str = ""
    binding: str = ""
    links: tuple[LinkFinding, ...] = ()
    commands: tuple[str, ...] = ()
    without_role: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The role in the add-on record, the annotation, the binding, and the Pod Identity association."""

    record: str = ""
    annotation: str = ""
    binding: str = ""
    association: str = ""

    @property
    def expected(self) -> str:
        """The role that the upgrade has to keep."""
        return self.binding or self.annotation or self.record


@dataclass(frozen=True, kw_only=True)
class Versions:
    """The versions before and after the upgrade, and the add-on versions that EKS offers for the later Kubernetes version."""

    upgrade: Upgrade
    kubernetes: str
    addon: str
    offered: tuple[OfferedVersion, ...] | Unknown

    @property
    def default(self) -> str:
        """The version that EKS installs by default; "" where it is not known."""
        versions = self.offered if isinstance(self.offered, tuple) else ()
        return next((item.version for item in versions if item.default), "")

    @property
    def addon_target(self) -> str:
        """The add-on version to update to; "" where it stays. An older default is never a target."""
        if self.upgrade.addon_version:
            return self.upgrade.addon_version if self.upgrade.addon_version != self.addon else ""
        stays = self.offers(self.addon) and _numbers(self.default) <= _numbers(self.addon)
        return "" if stays else self.default

    @property
    def kubernetes_target(self) -> str:
        """The Kubernetes version after the upgrade."""
        return self.upgrade.kubernetes_version or self.kubernetes

    @property
    def next_step(self) -> str:
        """The next Kubernetes version that EKS upgrades to, or the present one where no upgrade is planned."""
        if not self.kubernetes or self.kubernetes_target == self.kubernetes:
            return self.kubernetes_target
        major, minor = _numbers(self.kubernetes)[:2]
        return f"{major}.{minor + 1}"

    def offers(self, version: str) -> bool:
        """Whether EKS offers this version of the add-on."""
        return isinstance(self.offered, tuple) and any(item.version == version for item in self.offered)


def _numbers(version: str) -> tuple[int, ...]:
    """`v1.16.0-eksbuild.1` is `(1, 16, 0, 1)`; the numbers of a later version are greater."""
    return tuple(map(int, re.findall(r"\d+", version)))
