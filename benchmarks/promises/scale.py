"""A real control plane with 1,000 and 5,000 nodes: one check, and the repair of a thousand nodes to its proof."""

from typing import Final

from benchmarks.real import Check, RealCluster, Repair, standing
from benchmarks.row import Goal, Row
from benchmarks.run import Run
from sandbox.control_plane import binaries
from sandbox.play.scenario import World

NODES: Final = 1000
COPIED_NODES: Final = 5000
STALE: Final = 250
"""Pods that a repair in waves replaces; the DaemonSet allows a tenth of the nodes at a time."""
WORLD: Final = World(nodes=NODES, annotation=None, addon_role=None, settings={"cooldown_s": "0", "max_repairs_per_hour": "60"})
"""The original incident after all nodes were replaced: none is Ready, and no pod has the role. No rule keeps the second repair back."""
_MB: Final = 1e6
_NEEDED_S: Final = 300.0
"""Four minutes on two cores that do nothing else, with some to spare; half of it is nodes that register, and one repair."""
_WAVES_NEED_S: Final = 150.0
_COPIES_NEED_S: Final = 75.0


def run(run: Run) -> list[Row]:
    """Left out of a quick run, and where nobody has built the control plane: it says so."""
    if why := _why_not(run):
        run.leave_out(f"scale: {why}")
        return []
    with standing(WORLD, run.say) as cluster:
        return [*_thousand(cluster, run), *_five_thousand(cluster, run)]


def _why_not(run: Run) -> str:
    if run.quick:
        return "a thousand nodes take some minutes (`python -m benchmarks scale`)"
    if missing := binaries.find().missing:
        return f"{', '.join(missing)} are not in the cache, and `make e2e` builds them"
    if run.left_s < _NEEDED_S:
        return f"{run.left_s:.0f} s are left, and it takes {_NEEDED_S:.0f} s (`python -m benchmarks scale` has no limit)"
    return ""


def _thousand(cluster: RealCluster, run: Run) -> list[Row]:
    name = f"{NODES:,} nodes, real control plane"
    cluster.wait_for_failing_pods(NODES)
    run.say(f"{NODES:,} pods fail")
    rolled = cluster.repair()
    run.say(f"repaired: {', '.join(rolled.changes)} in {rolled.proven_s:.0f} s")
    rows = [*_check_rows(name, cluster.check(times=5)), *_repair_rows(name, "repair by a restart", rolled)]
    if run.left_s < _WAVES_NEED_S:
        run.leave_out(f"{name}: the repair in waves, since {run.left_s:.0f} s are left")
        return rows
    cluster.lose_roles(STALE)
    waves = cluster.repair()
    run.say(f"repaired: {', '.join(waves.changes)} in {waves.proven_s:.0f} s")
    return [*rows, *_repair_rows(name, f"repair of {STALE} stale pods", waves)]


def _five_thousand(cluster: RealCluster, run: Run) -> list[Row]:
    if run.left_s < _COPIES_NEED_S:
        run.leave_out(f"scale: {COPIED_NODES:,} nodes, since {run.left_s:.0f} s are left")
        return []
    cluster.copy_nodes(COPIED_NODES)
    run.say(f"{COPIED_NODES:,} nodes, {COPIED_NODES - NODES:,} of them copied into the store; {_memory(cluster)}")
    return _check_rows(f"{COPIED_NODES:,} nodes, real control plane", cluster.check(times=3))


def _check_rows(promise: str, check: Check) -> list[Row]:
    note = "warm, of a healthy cluster, as a NotReady node brings it on: nodes and permission errors are read too"
    return [
        Row(promise=promise, name="check, requests", value=check.requests, unit="requests", note=note),
        Row(promise=promise, name="check, bytes received", value=check.received_bytes / _MB, unit="MB", note="as sent, compressed"),
        Row(promise=promise, name="check, wall", value=check.cost.wall_ms, unit="ms"),
        Row(promise=promise, name="check, CPU", value=check.cost.cpu_ms, unit="ms CPU"),
        Row(promise=promise, name="checker, peak memory", value=check.cost.peak_mb, unit="MB", goal=Goal(on="value", bound=128)),
    ]


def _repair_rows(promise: str, name: str, repair: Repair) -> list[Row]:
    waves = f", {repair.waves} waves" if repair.waves else ""
    note = f"{', '.join(repair.changes)}{waves}; the cluster's own time is most of it"
    operations, memory = Goal(on="value", bound=40), Goal(on="value", bound=256)
    return [
        Row(promise=promise, name=f"{name}, to the last change", value=repair.changed_s, unit="s"),
        Row(promise=promise, name=f"{name}, to proven", value=repair.proven_s, unit="s", note=note),
        Row(promise=promise, name=f"{name}, Kubernetes requests", value=repair.requests, unit="requests", note="checker and remediator"),
        Row(promise=promise, name=f"{name}, bytes received", value=repair.received_bytes / _MB, unit="MB"),
        Row(promise=promise, name=f"{name}, durable operations", value=repair.operations, unit="operations", goal=operations),
        Row(promise=promise, name=f"{name}, remediator's CPU", value=repair.remediator.cpu_ms, unit="ms CPU"),
        Row(promise=promise, name=f"{name}, remediator's peak memory", value=repair.remediator.peak_mb, unit="MB", goal=memory),
    ]


def _memory(cluster: RealCluster) -> str:
    return "resident: " + ", ".join(f"{name} {mib:,.0f} MiB" for name, mib in sorted(cluster.plane.memory_mib().items()))
