"""Clusters in memory whose EKS also says which add-on versions it offers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lambdas.domain.snapshot.snapshot import OfferedVersion
from preflight.cluster import ClusterAnswer, Upgrade
from preflight.running import look
from tests.fakes import FakeEks
from tests.unit.cli.outside import outside
from tests.world import World, described

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.outside import Outside

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
        self._world.meet("eks.offered_versions")
        assert addon == "vpc-cni"
        return OFFERED.get(kubernetes_version, ())


def outside_of(world: World) -> Outside:
    """What the command line works with, over this world."""
    made = outside(world).outside
    return replace(made, readers=replace(made.readers, eks=OfferingEks(world)))


def answer(description: Mapping[str, Any] | None = None, upgrade: Upgrade | None = None) -> ClusterAnswer:
    """What preflight says of a described cluster."""
    return look("demo", upgrade or Upgrade(), outside_of(described(description)))
