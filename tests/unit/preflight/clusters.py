"""Clusters in memory whose EKS also says which add-on versions it offers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lambdas.domain.snapshot.snapshot import OfferedVersion
from preflight.cluster import ClusterReport, Upgrade
from preflight.run import assess_cluster
from tests.fakes import FakeEks
from tests.unit.cli.fake_dependencies import fake_dependencies
from tests.world import World, described

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.clients.dependencies import Dependencies

OFFERED = {
    "1.28": (OfferedVersion(version="v1.16.0-eksbuild.1"), OfferedVersion(version="v1.15.1-eksbuild.1", default=True)),
    "1.29": (OfferedVersion(version="v1.18.0-eksbuild.1", default=True), OfferedVersion(version="v1.16.0-eksbuild.1")),
}


class OfferingEks(FakeEks):
    """EKS with the versions of `OFFERED`."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._world = world

    def offered_versions(self, addon: str, kubernetes_version: str) -> tuple[OfferedVersion, ...]:
        self._world.raise_fault("eks.offered_versions")
        assert addon == "vpc-cni"
        return OFFERED.get(kubernetes_version, ())


def dependencies_of(world: World) -> Dependencies:
    """The dependencies of a command, over this world."""
    made = fake_dependencies(world).dependencies
    return replace(made, readers=replace(made.readers, eks=OfferingEks(world)))


def report_on(cluster: str, upgrade: Upgrade, world: World) -> ClusterReport:
    """The report on one cluster of this world."""
    dependencies = dependencies_of(world)
    return assess_cluster(cluster, upgrade, dependencies.readers, dependencies.now())


def report_on_demo(description: Mapping[str, Any] | None = None, upgrade: Upgrade | None = None) -> ClusterReport:
    """The report on a described cluster."""
    return report_on("demo", upgrade or Upgrade(), described(description))
