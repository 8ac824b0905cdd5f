"""A fleet in memory: four accounts, one of which cannot be opened and one of which has a region that does not answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cli.clients.aws_session import CallerIdentity
from cli.clients.fleet_connection import OpenAccount
from lambdas.domain.errors import AccessDenied, Denial, TransientError
from lambdas.domain.snapshot.snapshot import VersionAdvice
from tests.unit.cli.fake_dependencies import CALLER, fake_dependencies
from tests.world import ACCOUNT, NOON, World, described

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    from cli.clients.dependencies import Dependencies
    from cli.clients.fleet_connection import FleetAccount
    from tests.unit.cli.fake_dependencies import Fakes

LAB, CLOSED = "444455556666", "777788889999"
REGIONS = ("eu-west-1", "us-east-1")


class FakeFleet:
    """The account of the shell has the world of `fakes` in eu-west-1. `LAB` has two clusters, `CLOSED` lets no one in."""

    def __init__(self, fakes: Fakes) -> None:
        self._places = {
            (ACCOUNT, "eu-west-1"): fakes.dependencies,
            (ACCOUNT, "us-east-1"): _without_clusters(),
            (LAB, "eu-west-1"): _dependencies(LAB, "lab-red", {"addon": {"role_arn": None}}),
            (LAB, "us-east-1"): None,
        }

    def now(self) -> datetime:
        return NOON

    def caller(self) -> CallerIdentity:
        return CallerIdentity(arn=CALLER, account=ACCOUNT, partition="aws")

    def organization(self) -> tuple[tuple[str, str], ...]:
        return ((ACCOUNT, "prod"), (LAB, "lab"), (CLOSED, "closed"))

    def open(self, source: FleetAccount) -> OpenAccount:
        account = source.account or (LAB if source.profile == "lab" else ACCOUNT)
        if account == CLOSED:
            raise AccessDenied(f"get the caller identity: AccessDenied may not assume {source.role_arn}", denial=Denial.FORBIDDEN)
        caller = CallerIdentity(arn=CALLER, account=account, partition="aws")
        return OpenAccount(source=source, caller=caller, session=None, regions=source.regions or REGIONS)  # type: ignore[arg-type]

    def clusters(self, opened: OpenAccount, region: str) -> tuple[str, ...]:
        return self.dependencies(opened, region).readers.eks.clusters()

    def dependencies(self, opened: OpenAccount, region: str) -> Dependencies:
        found = self._places[opened.caller.account, region]
        if found is None:
            raise TransientError("list clusters: no answer from us-east-1")
        return found


def _dependencies(account: str, cluster: str, description: Mapping[str, Any]) -> Dependencies:
    world = described({"cluster": {"name": cluster, "nodes": 3}, **description})
    world.advised_versions["vpc-cni", "1.28"] = VersionAdvice(default="v1.16.0-eksbuild.1", latest="v1.20.3-eksbuild.1")
    made = fake_dependencies(world).dependencies
    return replace(made, environment=replace(made.environment, account=account))


def _without_clusters() -> Dependencies:
    return fake_dependencies(World()).dependencies
