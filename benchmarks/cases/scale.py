"""A real control plane with 1,000 and 5,000 nodes: one check, and the verified repair of 1,000 nodes beside a bare roll-out."""

from typing import Final

from benchmarks.harness.real_cluster import CheckMeasurement, RealCluster, RepairMeasurement, running_cluster
from benchmarks.harness.row import Goal, Row, explain_missed
from benchmarks.harness.run import Run
from sandbox.control_plane import binaries
from sandbox.simulation.scenario import World

NODES: Final = 1000
COPIED_NODES: Final = 5000
STALE: Final = 250
"""Pods that the rolling replacement deletes. `maxUnavailable` of the DaemonSet is a tenth of the nodes."""
WORLD: Final = World(nodes=NODES, annotation=None, addon_role=None, settings={"cooldown_s": "0", "max_repairs_per_hour": "60"})
"""The original incident after all nodes were replaced: no node is Ready and no pod has the role. No policy blocks a second repair."""
_MB: Final = 1e6
_NEEDED_S: Final = 300.0
"""Four minutes on two idle cores, plus a margin. Node registration and one repair take half of it."""
_COMPARISON_NEEDS_S: Final = 240.0
_LIMIT: Final = (
    "Before the roll-out, the repair checks, writes its plan and replaces a canary pod. After it, the repair reads every pod twice: to"
    " verify, and right before it closes the incident"
)
_WAVES_NEED_S: Final = 150.0
_COPIES_NEED_S: Final = 75.0


def run(run: Run) -> list[Row]:
    """Measure both sizes. Skipped in a quick run and without the control plane's binaries."""
    if reason := _reason_to_skip(run):
        run.skip(f"scale: {reason}")
        return []
    with running_cluster(WORLD, run.log) as cluster:
        return [*_thousand(cluster, run), *_five_thousand(cluster, run)]


def _reason_to_skip(run: Run) -> str:
    if run.quick:
        return "1,000 nodes take some minutes (`python -m benchmarks scale`)"
    if missing := binaries.find().missing:
        return f"{', '.join(missing)} missing; `make e2e` builds them"
    if run.remaining_s < _NEEDED_S:
        return f"{run.remaining_s:.0f} s remain of {_NEEDED_S:.0f} s needed (`python -m benchmarks scale` has no time limit)"
    return ""


def _thousand(cluster: RealCluster, run: Run) -> list[Row]:
    name = f"{NODES:,} nodes, real control plane"
    cluster.wait_for_failing_pods(NODES)
    run.log(f"{NODES:,} pods are failing")
    rolled = cluster.repair()
    run.log(f"repaired: {', '.join(rolled.changes)} in {rolled.verified_s:.0f} s")
    checked = _check_rows(name, cluster.check(times=5))
    rows = [*checked, *_repair_rows(name, "repair by a restart", rolled), *_beside_bare_roll_out(name, cluster, run)]
    if run.remaining_s < _WAVES_NEED_S:
        run.skip(f"{name}: the rolling replacement, since {run.remaining_s:.0f} s remain")
        return rows
    cluster.remove_roles(STALE)
    waves = cluster.repair()
    run.log(f"repaired: {', '.join(waves.changes)} in {waves.verified_s:.0f} s")
    return [*rows, *_repair_rows(name, f"repair of {STALE} stale pods", waves)]


def _beside_bare_roll_out(benchmark: str, cluster: RealCluster, run: Run) -> list[Row]:
    """Return the seconds of one repair, compared with a roll-out by hand that restores the same role on the same nodes.

    Every pod fails before each of the two, and every node is Ready.
    """
    if run.remaining_s < _COMPARISON_NEEDS_S:
        run.skip(f"{benchmark}: the bare roll-out, since {run.remaining_s:.0f} s remain")
        return []
    cluster.lose_role()
    bare_s = cluster.roll_out()
    run.log(f"rolled out by hand in {bare_s:.0f} s")
    cluster.lose_role()
    repair = cluster.repair()
    run.log(f"repaired: {', '.join(repair.changes)} in {repair.verified_s:.0f} s")
    row = Row(benchmark=benchmark, name="repair by a restart, Ready nodes, to verified", value=repair.verified_s, unit="s")
    compared = row.compared_with("annotate and `rollout restart` by hand", bare_s, Goal(on="ratio", bound=1.3))
    return explain_missed([compared], lambda: f"to the last change {repair.changed_s / repair.verified_s:.0%}", _LIMIT)


def _five_thousand(cluster: RealCluster, run: Run) -> list[Row]:
    if run.remaining_s < _COPIES_NEED_S:
        run.skip(f"scale: {COPIED_NODES:,} nodes, since {run.remaining_s:.0f} s remain")
        return []
    cluster.copy_nodes(COPIED_NODES)
    run.log(f"{COPIED_NODES:,} nodes, {COPIED_NODES - NODES:,} of them copied into the store; {_memory(cluster)}")
    return _check_rows(f"{COPIED_NODES:,} nodes, real control plane", cluster.check(times=3))


def _check_rows(benchmark: str, check: CheckMeasurement) -> list[Row]:
    note = "warm check of a healthy cluster after a node event: reads nodes and permission errors too"
    return [
        Row(benchmark=benchmark, name="check, requests", value=check.requests, unit="requests", note=note),
        Row(benchmark=benchmark, name="check, bytes received", value=check.received_bytes / _MB, unit="MB", note="as sent, compressed"),
        Row(benchmark=benchmark, name="check, wall", value=check.cost.wall_ms, unit="ms"),
        Row(benchmark=benchmark, name="check, CPU", value=check.cost.cpu_ms, unit="ms CPU"),
        Row(benchmark=benchmark, name="checker, peak memory", value=check.cost.peak_mb, unit="MB", goal=Goal(on="value", bound=128)),
    ]


def _repair_rows(benchmark: str, name: str, repair: RepairMeasurement) -> list[Row]:
    waves = f", {repair.waves} waves" if repair.waves else ""
    note = f"{', '.join(repair.changes)}{waves}; mostly time of the cluster itself"
    operations, memory = Goal(on="value", bound=40), Goal(on="value", bound=256)
    return [
        Row(benchmark=benchmark, name=f"{name}, to the last change", value=repair.changed_s, unit="s"),
        Row(benchmark=benchmark, name=f"{name}, to verified", value=repair.verified_s, unit="s", note=note),
        Row(
            benchmark=benchmark, name=f"{name}, Kubernetes requests", value=repair.requests, unit="requests", note="checker and remediator"
        ),
        Row(benchmark=benchmark, name=f"{name}, bytes received", value=repair.received_bytes / _MB, unit="MB"),
        Row(benchmark=benchmark, name=f"{name}, durable operations", value=repair.operations, unit="operations", goal=operations),
        Row(benchmark=benchmark, name=f"{name}, remediator's CPU", value=repair.remediator.cpu_ms, unit="ms CPU"),
        Row(benchmark=benchmark, name=f"{name}, remediator's peak memory", value=repair.remediator.peak_mb, unit="MB", goal=memory),
    ]


def _memory(cluster: RealCluster) -> str:
    return "resident: " + ", ".join(f"{name} {mib:,.0f} MiB" for name, mib in sorted(cluster.plane.memory_mib().items()))
