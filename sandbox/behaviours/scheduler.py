"""The scheduler: a pod without a node goes to the one that fits and has the fewest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.behaviours.changes import Bind, Change
from sandbox.behaviours.placement import fits
from sandbox.behaviours.world import World, is_terminating

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.behaviours.client import View


def step(world: World, _now_s: float) -> Iterator[Change]:
    """Bind what can be bound; what fits nowhere stays pending."""
    load = {name: len(world.pods_by_node.get(name, ())) for name in world.nodes}
    for pod in world.pods_by_node.get("", ()):
        name = None if is_terminating(pod) else _least_loaded(pod, world, load)
        if name:
            load[name] += 1
            yield Bind(pod["metadata"]["name"], pod["metadata"]["namespace"], name)


def _least_loaded(pod: View, world: World, load: dict[str, int]) -> str | None:
    fitting = [name for name, node in world.nodes.items() if fits(pod["spec"], node)]
    return min(fitting, key=lambda name: load[name], default=None)
