"""The functions against a real control plane of any size: counts requests on the wire and measures checks and repairs."""

from __future__ import annotations

import json
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from benchmarks.harness import fault_injection
from benchmarks.harness.emulated_functions import cpu_ms, function, measure_invocation, peak_mb
from benchmarks.harness.events import not_ready, payload
from benchmarks.harness.measurement import Cost
from lambdas.contract.environment import ALLOCATOR, Function
from lambdas.contract.names import RESTARTED_AT_ANNOTATION
from sandbox.cluster import aws_node
from sandbox.cluster.resources import DAEMON_SETS, NODES, PODS
from sandbox.functions.execution_environment import Environment
from sandbox.simulation.aws_account import CHECKER, CLUSTER, NAMESPACE, REMEDIATOR, ROLE, role_arn
from sandbox.simulation.deployment import function_asset
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.real_backend import RealBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.control_plane.connection_proxy import ConnectionProxy, Exchange
    from sandbox.control_plane.control_plane import ControlPlane
    from sandbox.simulation.scenario import World

LONGEST_S: Final = 600.0
POLL_S: Final = 0.5
"""Interval between polls of a large cluster. Each poll takes CPU time from the API server."""


@dataclass(frozen=True, kw_only=True)
class CheckMeasurement:
    """One warm check of a healthy cluster. Bytes are counted as sent, that is compressed; costs are medians of several checks."""

    requests: int
    received_bytes: int
    cost: Cost


@dataclass(frozen=True, kw_only=True)
class RepairMeasurement:
    """One repair: seconds from the event to the last write and to verification.

    Requests and bytes are of both functions, the cost is the remediator's. `waves` counts the deletions after the canary.
    """

    changes: tuple[str, ...]
    changed_s: float
    verified_s: float
    requests: int
    received_bytes: int
    waves: int
    operations: int
    remediator: Cost


class RepairNotVerified(RuntimeError):
    """A repair ended with another outcome than `verified`; the message names the outcome."""


@dataclass(frozen=True)
class RealCluster:
    """A sandbox on a real control plane, and the proxy between the functions and its API server."""

    env: SandboxEnvironment
    plane: ControlPlane
    proxy: ConnectionProxy

    def route_through_proxy(self, through: bool) -> None:
        """Set the endpoint that DescribeCluster returns: the proxy or the API server itself."""
        url = self.proxy.url if through else self.plane.url
        self.env.aws.eks.state.clusters[CLUSTER].record["endpoint"] = url

    def pods(self) -> list[Mapping[str, Any]]:
        return [pod for pod in self.env.backend.all_of(PODS, NAMESPACE) if "deletionTimestamp" not in pod["metadata"]]

    def wait_for_failing_pods(self, count: int) -> None:
        """Wait until `count` pods have restarted at least once because their role does not suffice."""
        fault_injection.wait_until(f"{count} failing pods", lambda: sum(map(_failing, self.pods())) >= count, LONGEST_S, POLL_S)

    def remove_roles(self, count: int) -> None:
        """Delete `count` pods and let the webhook skip their successors."""
        self.env.backend.webhook_faults.miss_next = count
        for pod in self.pods()[:count]:
            self.env.backend.delete(PODS, pod["metadata"]["name"], NAMESPACE)
        self.wait_for_failing_pods(count)

    def lose_role(self) -> None:
        """Remove the annotation and delete every pod, so that all of them fail. Their nodes stay Ready."""
        count = len(self.pods())
        self._annotate(None)
        for pod in self.pods():
            self.env.backend.delete(PODS, pod["metadata"]["name"], NAMESPACE)
        self.wait_for_failing_pods(count)

    def roll_out(self) -> float:
        """Annotate the ServiceAccount and restart the DaemonSet, as `kubectl` does. Returns the seconds until the roll-out is complete."""
        started = time.monotonic()
        self._annotate(role_arn(ROLE))
        restarted = {RESTARTED_AT_ANNOTATION: datetime.now(UTC).isoformat()}
        restart = {"spec": {"template": {"metadata": {"annotations": restarted}}}}
        self._patch(f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/{aws_node.NAME}", restart)
        return fault_injection.wait_until("the roll-out", self._is_rolled_out, LONGEST_S, POLL_S) - started

    def _annotate(self, role: str | None) -> None:
        self._patch(
            f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{aws_node.NAME}", {"metadata": {"annotations": {aws_node.ROLE_KEY: role}}}
        )

    def _patch(self, path: str, patch: Mapping[str, Any]) -> None:
        """Patch through a new connection: the API server has closed an older one during a repair, and a patch is not sent again."""
        self.plane.client().merge(path, patch, fieldManager="kubectl")

    def _is_rolled_out(self) -> bool:
        """Whether `kubectl rollout status` would succeed.

        Source: https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go
        """
        workload = self.env.backend.find(DAEMON_SETS, aws_node.NAME, NAMESPACE) or {}
        status, generation = workload.get("status", {}), workload.get("metadata", {}).get("generation", 0)
        desired = status.get("desiredNumberScheduled", 0)
        is_observed: bool = status.get("observedGeneration", 0) >= generation > 0
        replaced: int = min(status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0))
        return is_observed and replaced >= desired > 0

    def copy_nodes(self, until: int) -> None:
        """Copy one node and its pod in etcd until the cluster has `until` nodes. Stops the controllers for good."""
        self.plane.stop_controllers()
        nodes = self.env.backend.all_of(NODES)
        self.plane.copy_node(nodes[0]["metadata"]["name"], until - len(nodes))
        numbers = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "numberAvailable", "updatedNumberScheduled")
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/{aws_node.NAME}/status"
        self.plane.client().merge(path, {"status": dict.fromkeys(numbers, until)})
        fault_injection.wait_until(f"{until} pods", lambda: len(self.pods()) == until, LONGEST_S, POLL_S)

    def check(self, times: int) -> CheckMeasurement:
        """Count the requests of one check through the proxy and time `times` checks without it, each in a 128 MiB environment."""
        environment = {**ALLOCATOR, **self.env.function_variables(), **self.env.aws.environment(CHECKER)}
        checker = function("checker", function_asset(), Function.CHECKER.handler, environment, memory_mib=128)
        self.route_through_proxy(True)
        with Environment(checker) as counting:
            _healthy(counting)
            before = len(self.proxy.exchanges)
            _healthy(counting)
        exchanges = self.proxy.exchanges[before:]
        self.route_through_proxy(False)
        with Environment(checker) as timed:
            _healthy(timed)
            costs = [measure_invocation(timed, payload(not_ready(CLUSTER))) for _ in range(times)]
            peak = peak_mb(timed)
        wall, cpu = (statistics.median(getattr(cost, part) for cost in costs) for part in ("wall_ms", "cpu_ms"))
        cost = Cost(wall_ms=wall, cpu_ms=cpu, peak_mb=peak)
        return CheckMeasurement(requests=len(exchanges), received_bytes=_received(exchanges), cost=cost)

    def repair(self) -> RepairMeasurement:
        """Send a node event and wait for the end of the repair.

        Raises:
            RepairNotVerified: the outcome is not `verified`.
        """
        self.route_through_proxy(True)
        env, remediator = self.env, self.env.functions.pool(REMEDIATOR)
        known, before = len(fault_injection.list_executions(env)), len(self.proxy.exchanges)
        used, started = cpu_ms(remediator), time.monotonic()
        env.bus.put(not_ready(CLUSTER))
        fault_injection.wait_until("an execution", lambda: len(fault_injection.list_executions(env)) > known, LONGEST_S, POLL_S)
        arn = fault_injection.list_executions(env)[-1]
        ended = fault_injection.wait_until("its end", lambda: self._execution(arn)["Status"] != "RUNNING", LONGEST_S, POLL_S)
        result = json.loads(self._execution(arn).get("Result") or "{}")
        if result.get("outcome") != "verified":
            raise RepairNotVerified(f"the repair ended as {result.get('outcome') or self._execution(arn)['Status']}")
        exchanges = self.proxy.exchanges[before:]
        return RepairMeasurement(
            changes=tuple(result["changes"]),
            changed_s=max(exchange.at for exchange in exchanges if exchange.method != "GET") - started,
            verified_s=ended - started,
            requests=len(exchanges),
            received_bytes=_received(exchanges),
            waves=sum(method == "DELETE" for method, _ in groupby(exchange.method for exchange in exchanges)) - 1,
            operations=fault_injection.count_operations(env, arn),
            remediator=Cost(wall_ms=(ended - started) * 1e3, cpu_ms=cpu_ms(remediator) - used, peak_mb=peak_mb(remediator)),
        )

    def _execution(self, arn: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.env.aws.client("lambda").get_durable_execution(DurableExecutionArn=arn)
        return found


@contextmanager
def running_cluster(world: World, log: Callable[[str], None]) -> Iterator[RealCluster]:
    """Start a control plane with this world.

    Raises:
        BuildError: the binaries are missing and cannot be built.
    """
    with SandboxEnvironment(world, cluster="real", on_step=log) as env:
        assert isinstance(env.backend, RealBackend)
        plane = env.backend.plane
        with plane.connection_proxy() as proxy:
            yield RealCluster(env, plane, proxy)


def _healthy(environment: Environment) -> None:
    ended = environment.invoke(payload(not_ready(CLUSTER)))
    assert b'"no-fault-found"' in ended.payload, ended.payload[:500]


def _received(exchanges: list[Exchange]) -> int:
    return sum(exchange.response_bytes for exchange in exchanges)


def _failing(pod: Mapping[str, Any]) -> bool:
    return any(status.get("restartCount") for status in pod.get("status", {}).get("containerStatuses", ()))
