"""Readers over the fakes of one world."""

from dataclasses import replace
from typing import Any

from lambdas.application.readers import Readers
from sandbox.inline_executor import InlineExecutor
from tests.fakes.aws import FakeEks, FakeIam, FakeParameters
from tests.fakes.cluster import FakeClusters
from tests.world import ACCOUNT, PARTITION, REGION, World


def readers_over(world: World, **changes: Any) -> Readers:
    """Readers of the world, without threads. `changes` replaces fields."""
    readers = Readers(
        parameters=FakeParameters(world),
        eks=FakeEks(world),
        iam=FakeIam(world),
        clusters=FakeClusters(world),
        new_executor=InlineExecutor,
        account=ACCOUNT,
        region=REGION,
        partition=PARTITION,
        may_simulate=True,
    )
    return replace(readers, **changes)
