"""The garbage collector: deletes objects whose owner no longer exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.cluster.resources import CONTROLLER_REVISIONS, DAEMON_SETS, DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS
from sandbox.controllers.api_changes import Change, delete
from sandbox.controllers.cluster_snapshot import ClusterSnapshot, controller_of, is_terminating

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWNERS = (DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS)


def step(snapshot: ClusterSnapshot, _now_s: float) -> Iterator[Change]:
    """Delete objects whose owning workload no longer exists."""
    present = {each["metadata"]["uid"] for kind in _OWNERS for each in snapshot.of(kind)}
    kinds = {kind.kind for kind in _OWNERS}
    for resource in (REPLICA_SETS, CONTROLLER_REVISIONS, PODS):
        for each in snapshot.of(resource):
            owner = controller_of(each)
            if owner and owner["kind"] in kinds and owner["uid"] not in present and not is_terminating(each):
                yield delete(resource, each)
