"""The benchmark of 1,000 and 5,000 nodes, at a size whose figures are known."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.cases.scale import WORLD
from benchmarks.harness.real_cluster import RealCluster, running_cluster
from sandbox.control_plane.binaries import Binaries

NODES, STALE, COPIED = 12, 5, 600


@pytest.fixture(scope="module")
def cluster(binaries: Binaries) -> Iterator[RealCluster]:
    assert not binaries.missing
    with running_cluster(replace(WORLD, nodes=NODES), lambda _: None) as made:
        made.wait_for_failing_pods(NODES)
        yield made


def test_the_requests_of_a_repair_and_a_check_are_counted(cluster: RealCluster) -> None:
    repaired = cluster.repair()
    assert repaired.changes == ("annotate-service-account", "replace-canary-pod", "restart-workload", "update-addon-role")
    assert 0 < repaired.changed_s < repaired.verified_s
    assert repaired.waves == 0
    assert 10 < repaired.operations < 40
    assert repaired.remediator.peak_mb > 30

    small = cluster.check(times=1)
    assert small.requests == 5, "account, workload, pods, nodes, permission errors"

    cluster.remove_roles(STALE)
    waves = cluster.repair()
    assert waves.changes == ("replace-canary-pod", "replace-stale-pods")
    assert waves.waves == 2, "four are left after the canary; two at a time are a tenth of twelve nodes, rounded up"

    cluster.copy_nodes(COPIED)
    large = cluster.check(times=1)
    assert large.requests == 2 + 3 + 3 + 1, "pods and nodes come in pages of 250"
    assert large.received_bytes > 3 * small.received_bytes
