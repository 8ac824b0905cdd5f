"""A checker on a world of fakes, and what it is asked."""

from typing import Any

from lambdas.application.check.pipeline import run
from lambdas.contract.parameters import ServiceAccountRef
from sandbox.simulation import scenario as told
from tests.over_fakes import events
from tests.over_fakes.ground import CLUSTER, ground_of
from tests.over_fakes.performance import Performance

KEY = ("kube-system", "aws-node")
TARGET = ServiceAccountRef(CLUSTER, *KEY)
SWEEP = {"source": "eks-irsa-remediator", "detail-type": "Sweep", "detail": {}}


def stage(**world: Any) -> Performance:
    """A world that is told of as scenarios do, before anything happened."""
    return Performance(ground_of(told.World(**{"nodes": 3, **world})))


def asked(play: Performance, name: str = "check-requested") -> dict[str, Any]:
    """The event of this name, as of now, at the checker; what came of it."""
    event = events.announcement(name, play.world.now)
    assert event
    return run(event, play.ports)
