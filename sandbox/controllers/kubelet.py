"""The kubelets of all nodes: they start, restart and stop pods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.cluster import pod_identity_agent
from sandbox.cluster.clock import stamp, utc_now
from sandbox.cluster.resources import EVENTS, PODS
from sandbox.controllers import pod_status
from sandbox.controllers.api_changes import Change, Create, WakeAt, delete, patch_status
from sandbox.controllers.cluster_snapshot import ClusterSnapshot, is_ready, is_terminating
from sandbox.controllers.ipamd import exit_of, log_lines
from sandbox.controllers.node_files import CNI_CONFIGURATION, IPAMD_LOG, NodeFiles
from sandbox.controllers.vpc_cni import (
    CONTAINER,
    Allowed,
    AssociatedRole,
    Denied,
    RoleCheck,
    RoleVerdict,
    asks_agent,
    effective_role,
    is_plugin,
    missing_permissions,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sandbox.controllers.client import View


@dataclass(frozen=True, kw_only=True)
class Timings:
    """Durations in the sandbox, in seconds; the comments give the real ones."""

    pod_start_s: float = 0.15  # about 10: the image is pulled already, the CNI takes time
    pod_stop_s: float = 0.05  # 1 to 10
    plugin_run_s: float = 0.4  # 90: the liveness probe waits 60 s, then fails three times, every 10 s
    back_off_s: float = 0.25  # 10, doubled each time; the first restart follows at once
    longest_back_off_s: float = 4.0  # 300
    node_lost_s: float = 0.5  # 40: `--node-monitor-grace-period`


@dataclass
class _PodState:
    """The state that a kubelet keeps of one pod: the current phase, its start, and the number of restarts."""

    phase: str
    since_s: float
    restarts: int = 0


def any_role(_role: str | None) -> Allowed:
    """A plug-in that works with any role."""
    return Allowed()


def no_role(_namespace: str, _account: str) -> None:
    """A cluster without Pod Identity."""


@dataclass
class Kubelet:
    """The kubelets of all nodes. `stopped` names the nodes whose kubelet is stopped; their pods do not change.

    On the nodes `unready_agents` the Pod Identity agent runs and is not ready. A plug-in that takes its credentials from the agent
    starts after the agent of its node, and fails where there is none.

    A failing container is restarted as a kubelet does it: the first time at once, then with exponential back-off.
    Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
    """

    role_can_run_cni: RoleCheck = any_role
    associated_role: AssociatedRole = no_role
    timings: Timings = field(default_factory=Timings)
    now: Callable[[], datetime] = utc_now
    stopped: set[str] = field(default_factory=set)
    unready_agents: set[str] = field(default_factory=set)
    files: NodeFiles = field(default_factory=NodeFiles)
    _states: dict[str, _PodState] = field(default_factory=dict)
    _agents: frozenset[str] = frozenset()
    _starting_agents: frozenset[str] = frozenset()

    def step(self, snapshot: ClusterSnapshot, now_s: float) -> Iterator[Change]:
        """One round over all pods that are bound to a node."""
        present = set()
        agents = [pod for pod in snapshot.of(PODS) if pod_identity_agent.is_agent(pod)]
        self._agents = pod_identity_agent.nodes_of(filter(is_ready, agents))
        self._starting_agents = pod_identity_agent.nodes_of(pod for pod in agents if pod["status"].get("phase", "Pending") == "Pending")
        for pod in snapshot.of(PODS):
            present.add(pod["metadata"]["uid"])
            name = pod["spec"].get("nodeName")
            node = snapshot.nodes.get(name) if name else None
            if node is not None and name not in self.stopped:
                yield from self._reconcile(pod, node, now_s)
        for uid in self._states.keys() - present:
            del self._states[uid]

    def _reconcile(self, pod: View, node: View, now_s: float) -> Iterator[Change]:
        if is_terminating(pod):
            if due := self._due(pod, "ending", self.timings.pod_stop_s, now_s):
                yield due
            else:
                yield delete(PODS, pod, grace_period_s=0)
        elif not pod["status"].get("startTime"):
            self._begin(pod, "starting", now_s)
            yield patch_status(PODS, pod, pod_status.starting(pod, node, stamp(self.now())))
        elif pod["status"]["phase"] == "Pending":
            if due := self._due(pod, "starting", self.timings.pod_start_s, now_s):
                yield due
            elif is_plugin(pod) and asks_agent(pod) and _name(node) in self._starting_agents:
                yield WakeAt(now_s + self.timings.pod_start_s)
            else:
                yield from self._start(pod, node, now_s)
        elif pod_identity_agent.is_agent(pod) and _name(node) in self.unready_agents:
            if is_ready(pod):
                yield from self._start(pod, node, now_s)
        elif not is_ready(pod):
            yield from self._recover(pod, node, now_s)

    def _start(self, pod: View, node: View, now_s: float, restarts: int = 0) -> Iterator[Change]:
        if pod_identity_agent.is_agent(pod) and _name(node) in self.unready_agents:
            yield patch_status(PODS, pod, pod_status.failing(pod, node, stamp(self.now()), pod_identity_agent.NAME, 0, exit_code=1))
            return
        verdict = self._verdict(pod, node)
        if is_plugin(pod):
            self.files.append(_name(node), IPAMD_LOG, *log_lines(pod, verdict, self.now()))
        if not isinstance(verdict, Allowed):
            yield from self._fail(pod, node, verdict, now_s, restarts)
            return
        for api in verdict.reports:
            yield Create(EVENTS, missing_permissions(pod, api, self.now()))
        if is_plugin(pod):
            self.files.append(_name(node), CNI_CONFIGURATION)
        counts = {CONTAINER: restarts} if restarts else pod_status.NO_RESTARTS
        yield patch_status(PODS, pod, pod_status.running(pod, node, stamp(self.now()), restarts=counts))

    def _verdict(self, pod: View, node: View) -> RoleVerdict:
        if not is_plugin(pod):
            return Allowed()
        return self.role_can_run_cni(effective_role(pod, self.associated_role, has_agent=_name(node) in self._agents))

    def _fail(self, pod: View, node: View, verdict: RoleVerdict, now_s: float, restarts: int) -> Iterator[Change]:
        """The plug-in runs, emits an event if EC2 refused a call, and will exit."""
        ends = exit_of(pod)
        self._begin(pod, "exiting" if ends.at_once else "failing", now_s, restarts)
        if ends.writes_configuration:
            self.files.append(_name(node), CNI_CONFIGURATION)
        if isinstance(verdict, Denied) and verdict.reported:
            yield Create(EVENTS, missing_permissions(pod, verdict.api, self.now()))
        yield patch_status(PODS, pod, pod_status.failing(pod, node, stamp(self.now()), CONTAINER, restarts, exit_code=ends.code))

    def _recover(self, pod: View, node: View, now_s: float) -> Iterator[Change]:
        """A running pod that is not ready: its container exits, and the kubelet restarts it."""
        if not is_plugin(pod):
            yield patch_status(PODS, pod, pod_status.running(pod, node, stamp(self.now())))
            return
        state = self._states.setdefault(pod["metadata"]["uid"], _PodState("failing", now_s, _restarts(pod)))
        if due := self._due(pod, state.phase, self._duration_s(state), now_s):
            yield due
        elif state.phase == "backing off" or state.restarts == 0:
            yield from self._start(pod, node, now_s, state.restarts + 1)
        else:
            self._begin(pod, "backing off", now_s, state.restarts)
            now, code = stamp(self.now()), exit_of(pod).code
            yield patch_status(PODS, pod, pod_status.backing_off(pod, node, now, CONTAINER, state.restarts, exit_code=code))

    def _duration_s(self, state: _PodState) -> float:
        match state.phase:
            case "exiting":
                return self.timings.pod_stop_s
            case "backing off":
                return min(self.timings.back_off_s * 2.0 ** (state.restarts - 1), self.timings.longest_back_off_s)
        return self.timings.plugin_run_s

    def _begin(self, pod: View, phase: str, now_s: float, restarts: int = 0) -> None:
        self._states[pod["metadata"]["uid"]] = _PodState(phase, now_s, restarts)

    def _due(self, pod: View, phase: str, after_s: float, now_s: float) -> WakeAt | None:
        """When this phase ends, or None if it has ended; a new phase starts now."""
        state = self._states.get(pod["metadata"]["uid"])
        if state is None or state.phase != phase:
            self._begin(pod, phase, now_s)
            return WakeAt(now_s + after_s)
        return WakeAt(state.since_s + after_s) if now_s < state.since_s + after_s else None


def _name(node: View) -> str:
    return str(node["metadata"]["name"])


def _restarts(pod: View) -> int:
    return max((each["restartCount"] for each in pod["status"].get("containerStatuses") or ()), default=0)
