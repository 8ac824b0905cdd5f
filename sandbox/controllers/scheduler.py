"""The scheduler: binds a pod to the eligible node with the fewest pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.controllers.api_changes import Bind, Change
from sandbox.controllers.cluster_snapshot import ClusterSnapshot, is_terminating
from sandbox.controllers.node_fit import fits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.controllers.client import View


def step(snapshot: ClusterSnapshot, _now_s: float) -> Iterator[Change]:
    """Bind the pending pods; a pod without an eligible node stays pending."""
    load = {name: len(snapshot.pods_by_node.get(name, ())) for name in snapshot.nodes}
    for pod in snapshot.pods_by_node.get("", ()):
        name = None if is_terminating(pod) else _least_loaded(pod, snapshot, load)
        if name:
            load[name] += 1
            yield Bind(pod["metadata"]["name"], pod["metadata"]["namespace"], name)


def _least_loaded(pod: View, snapshot: ClusterSnapshot, load: dict[str, int]) -> str | None:
    fitting = [name for name, node in snapshot.nodes.items() if fits(pod["spec"], node)]
    return min(fitting, key=lambda name: load[name], default=None)
