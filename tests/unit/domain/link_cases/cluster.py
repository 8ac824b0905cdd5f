"""Cases of the way in: cluster, workload and mechanism."""

from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.snapshot.snapshot import (
    Missing,
)
from tests.unit.domain.link_cases.fixtures import BROKEN, CLOSED, NOT_APPLICABLE, OK, UNKNOWN, UNREAD, Case, associated
from tests.unit.domain.snapshot_fixtures import addon, cluster, settings, snapshot_with, workload
from tests.unit.notifications.snapshots import nodes

CASES: dict[str, Case] = {
    # 1 cluster
    "cluster: active": (snapshot_with(), Link.CLUSTER, OK, None),
    "cluster: updating can be read": (snapshot_with(cluster=cluster(status="UPDATING")), Link.CLUSTER, OK, None),
    "cluster: gone": (snapshot_with(cluster=Missing("cluster")), Link.CLUSTER, BROKEN, Verdict.CLUSTER_GONE),
    "cluster: creating": (snapshot_with(cluster=cluster(status="CREATING")), Link.CLUSTER, BROKEN, Verdict.CLUSTER_INITIALIZING),
    "cluster: pending on an Outpost": (
        snapshot_with(cluster=cluster(status="PENDING")),
        Link.CLUSTER,
        BROKEN,
        Verdict.CLUSTER_INITIALIZING,
    ),
    "cluster: being deleted is no fault of access": (
        snapshot_with(cluster=cluster(status="DELETING")),
        Link.CLUSTER,
        BROKEN,
        Verdict.CLUSTER_GONE,
    ),
    "cluster: failed": (snapshot_with(cluster=cluster(status="FAILED")), Link.CLUSTER, BROKEN, Verdict.NO_ACCESS),
    "cluster: not described": (snapshot_with(cluster=CLOSED), Link.CLUSTER, BROKEN, Verdict.NO_ACCESS),
    "cluster: ServiceAccount closed": (snapshot_with(service_account=CLOSED), Link.CLUSTER, BROKEN, Verdict.NO_ACCESS),
    "cluster: workload closed": (snapshot_with(workload=CLOSED), Link.CLUSTER, BROKEN, Verdict.NO_ACCESS),
    "cluster: pods closed": (snapshot_with(pods=CLOSED), Link.CLUSTER, BROKEN, Verdict.NO_ACCESS),
    "cluster: nodes closed": (snapshot_with(nodes=CLOSED), Link.CLUSTER, BROKEN, Verdict.NO_ACCESS),
    # 2 workload
    "workload: wanted": (snapshot_with(), Link.WORKLOAD, OK, None),
    "workload: wanted nowhere": (snapshot_with(workload=workload(desired=0)), Link.WORKLOAD, NOT_APPLICABLE, None),
    "workload: none, and nobody waits": (snapshot_with(workload=Missing("d"), pods=()), Link.WORKLOAD, NOT_APPLICABLE, None),
    "workload: not found, and pods run": (snapshot_with(workload=Missing("d")), Link.WORKLOAD, UNKNOWN, None),
    "workload: not found, and pods of another ServiceAccount run": (
        snapshot_with(workload=Missing("d"), addon_name=None),
        Link.WORKLOAD,
        UNKNOWN,
        None,
    ),
    "workload: none, and nodes wait": (
        snapshot_with(workload=Missing("d"), pods=(), addon=Missing("a"), nodes=nodes(3, unready=1)),
        Link.WORKLOAD,
        BROKEN,
        Verdict.ADDON_NOT_INSTALLED,
    ),
    "workload: none yet, the add-on is coming": (
        snapshot_with(workload=Missing("d"), pods=(), addon=addon(status="CREATING"), nodes=nodes(3, unready=1)),
        Link.WORKLOAD,
        BROKEN,
        Verdict.UPDATE_IN_PROGRESS,
    ),
    "workload: none, and a node that has just joined waits for another CNI": (
        snapshot_with(workload=Missing("d"), pods=(), addon=Missing("a"), nodes=nodes(3, unready=1), settings=settings(node_grace_s=241)),
        Link.WORKLOAD,
        NOT_APPLICABLE,
        None,
    ),
    "workload: none, and a node waits for just longer than its grace": (
        snapshot_with(workload=Missing("d"), pods=(), addon=Missing("a"), nodes=nodes(3, unready=1), settings=settings(node_grace_s=240)),
        Link.WORKLOAD,
        BROKEN,
        Verdict.ADDON_NOT_INSTALLED,
    ),
    "workload: none, and a node of Auto Mode waits": (
        snapshot_with(workload=Missing("d"), pods=(), addon=Missing("a"), nodes=nodes(3, unready=1, compute_type="auto")),
        Link.WORKLOAD,
        NOT_APPLICABLE,
        None,
    ),
    "workload: none of another ServiceAccount": (
        snapshot_with(workload=Missing("d"), pods=(), addon_name=None, nodes=nodes(3, unready=1)),
        Link.WORKLOAD,
        NOT_APPLICABLE,
        None,
    ),
    # 3 mechanism
    "mechanism: IRSA": (snapshot_with(), Link.MECHANISM, OK, None),
    "mechanism: not told": (snapshot_with(associations=UNREAD), Link.MECHANISM, UNKNOWN, None),
    "mechanism: pod identity": (associated(), Link.MECHANISM, OK, None),
}
