"""A real control plane of any size under the functions: what they ask of it, counted on the wire, and what a repair takes."""

from __future__ import annotations

import json
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from benchmarks import stages
from benchmarks.events import not_ready, payload
from benchmarks.functions import cpu_ms, function, peak_mb, warm
from benchmarks.measure import Cost
from lambdas.contract.environment import ALLOCATOR, Function
from sandbox.cluster import aws_node
from sandbox.cluster.resources import NODES, PODS
from sandbox.functions.emulator import Environment
from sandbox.play.accounts import CHECKER, CLUSTER, NAMESPACE, REMEDIATOR
from sandbox.play.deployment import our_asset
from sandbox.play.real_ground import RealGround
from sandbox.play.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.control_plane.cluster import ControlPlane
    from sandbox.control_plane.connection_proxy import ConnectionProxy, Exchange
    from sandbox.play.scenario import World

LONGEST_S: Final = 600.0
LOOK_S: Final = 0.5
"""How often a large cluster is looked at: each look takes time from whoever works in it."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One warm check of a healthy cluster; bytes are those of the answers as they were sent, the costs medians of several checks."""

    requests: int
    received_bytes: int
    cost: Cost


@dataclass(frozen=True, kw_only=True)
class Repair:
    """One repair. Seconds are since the event, until the last change to the cluster and until it is proven.

    Requests and bytes are those of both functions, costs the remediator's alone; `waves` of pods are deleted after the first one.
    """

    changes: tuple[str, ...]
    changed_s: float
    proven_s: float
    requests: int
    received_bytes: int
    waves: int
    operations: int
    remediator: Cost


class NotProven(RuntimeError):
    """A repair came to another end than the one that is measured; says which."""


@dataclass(frozen=True)
class RealCluster:
    """A stage on a control plane, and the way by which the functions reach it."""

    stage: Stage
    plane: ControlPlane
    proxy: ConnectionProxy

    def lead_through_proxy(self, through: bool) -> None:
        """What DescribeCluster gives as the endpoint from now on."""
        url = self.proxy.url if through else self.plane.url
        self.stage.aws.eks.world.clusters[CLUSTER].record["endpoint"] = url

    def pods(self) -> list[Mapping[str, Any]]:
        return [item for item in self.stage.ground.all_of(PODS, NAMESPACE) if "deletionTimestamp" not in item["metadata"]]

    def wait_for_failing_pods(self, count: int) -> None:
        """Return when so many pods run without a role that suffices, which each of them has said."""
        stages.until(f"{count} failing pods", lambda: sum(map(_failing, self.pods())) >= count, LONGEST_S, LOOK_S)

    def lose_roles(self, count: int) -> None:
        """Let the webhook miss so many pods, which are replaced by hand."""
        self.stage.ground.switches.miss_next = count
        for pod in self.pods()[:count]:
            self.stage.ground.delete(PODS, pod["metadata"]["name"], NAMESPACE)
        self.wait_for_failing_pods(count)

    def copy_nodes(self, until: int) -> None:
        """Have so many nodes, each with its pod, made in the store as copies of one; nothing lives in the cluster from now on."""
        self.plane.stop_controllers()
        nodes = self.stage.ground.all_of(NODES)
        self.plane.copy_node(nodes[0]["metadata"]["name"], until - len(nodes))
        numbers = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "numberAvailable", "updatedNumberScheduled")
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/{aws_node.NAME}/status"
        self.plane.client().merge(path, {"status": dict.fromkeys(numbers, until)})
        stages.until(f"{until} pods", lambda: len(self.pods()) == until, LONGEST_S, LOOK_S)

    # --- measuring ---------------------------------------------------------------------------------------------------------------

    def check(self, times: int) -> Check:
        """Count one check through the proxy, and time others without it; each in an environment of its own with 128 MiB."""
        environment = {**ALLOCATOR, **self.stage.environment(), **self.stage.aws.environment(CHECKER)}
        checker = function("checker", our_asset(), Function.CHECKER.handler, environment, memory_mib=128)
        self.lead_through_proxy(True)
        with Environment(checker) as counting:
            _healthy(counting)
            before = len(self.proxy.exchanges)
            _healthy(counting)
        seen = self.proxy.exchanges[before:]
        self.lead_through_proxy(False)
        with Environment(checker) as timed:
            _healthy(timed)
            costs = [warm(timed, payload(not_ready(CLUSTER))) for _ in range(times)]
            peak = peak_mb(timed)
        wall, cpu = (statistics.median(getattr(cost, part) for cost in costs) for part in ("wall_ms", "cpu_ms"))
        return Check(requests=len(seen), received_bytes=_received(seen), cost=Cost(wall_ms=wall, cpu_ms=cpu, peak_mb=peak))

    def repair(self) -> Repair:
        """Tell of nodes that are not Ready, and see the repair to its end.

        Raises:
            NotProven: it was not repaired.
        """
        self.lead_through_proxy(True)
        stage, remediator = self.stage, self.stage.functions.pool(REMEDIATOR)
        known, before, used, began = len(stages.executions(stage)), len(self.proxy.exchanges), cpu_ms(remediator), time.monotonic()
        stage.bus.put(not_ready(CLUSTER))
        stages.until("an execution", lambda: len(stages.executions(stage)) > known, LONGEST_S, LOOK_S)
        arn = stages.executions(stage)[-1]
        ended = stages.until("its end", lambda: self._execution(arn)["Status"] != "RUNNING", LONGEST_S, LOOK_S)
        result = json.loads(self._execution(arn).get("Result") or "{}")
        if result.get("outcome") != "proven":
            raise NotProven(f"the repair ended as {result.get('outcome') or self._execution(arn)['Status']}")
        seen = self.proxy.exchanges[before:]
        return Repair(
            changes=tuple(result["changes"]),
            changed_s=max(item.at for item in seen if item.method != "GET") - began,
            proven_s=ended - began,
            requests=len(seen),
            received_bytes=_received(seen),
            waves=sum(method == "DELETE" for method, _ in groupby(item.method for item in seen)) - 1,
            operations=stages.operations(stage, arn),
            remediator=Cost(wall_ms=(ended - began) * 1e3, cpu_ms=cpu_ms(remediator) - used, peak_mb=peak_mb(remediator)),
        )

    def _execution(self, arn: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.stage.aws.client("lambda").get_durable_execution(DurableExecutionArn=arn)
        return found


@contextmanager
def standing(world: World, say: Callable[[str], None]) -> Iterator[RealCluster]:
    """A control plane of its own with this world in it.

    Raises:
        BuildError: the programs are not here and cannot be built.
    """
    with Stage(world, cluster="real", on_step=say) as stage:
        assert isinstance(stage.ground, RealGround)
        plane = stage.ground.plane
        with plane.connection_proxy() as proxy:
            yield RealCluster(stage, plane, proxy)


def _healthy(environment: Environment) -> None:
    ended = environment.invoke(payload(not_ready(CLUSTER)))
    assert b'"healthy"' in ended.payload, ended.payload[:500]


def _received(exchanges: list[Exchange]) -> int:
    return sum(exchange.response_bytes for exchange in exchanges)


def _failing(pod: Mapping[str, Any]) -> bool:
    return any(containerstatuse.get("restartCount") for containerstatuse in pod.get("status", {}).get("containerStatuses", ()))
