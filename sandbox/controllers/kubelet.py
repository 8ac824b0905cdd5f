"""The kubelets of all nodes: they start, restart and stop pods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.cluster.clock import stamp, utc_now
from sandbox.cluster.resources import EVENTS, PODS
from sandbox.controllers import pod_status
from sandbox.controllers.api_changes import Change, Create, WakeAt, delete, patch_status
from sandbox.controllers.cluster_snapshot import ClusterSnapshot, is_ready, is_terminating
from sandbox.controllers.vpc_cni import (
    Allowed,
    AssociatedRole,
    Denied,
    RoleCheck,
    Unreachable,
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
    back_off_s: float = 0.5  # 10, doubled each time
    longest_back_off_s: float = 8.0  # 300
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
    """The kubelets of all nodes. `stopped` names the nodes whose kubelet is stopped; their pods do not change."""

    role_can_run_cni: RoleCheck = any_role
    associated_role: AssociatedRole = no_role
    timings: Timings = field(default_factory=Timings)
    now: Callable[[], datetime] = utc_now
    stopped: set[str] = field(default_factory=set)
    _states: dict[str, _PodState] = field(default_factory=dict)

    def step(self, snapshot: ClusterSnapshot, now_s: float) -> Iterator[Change]:
        """One round over all pods that are bound to a node."""
        present = set()
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
            else:
                yield from self._start(pod, node, now_s)
        elif not is_ready(pod):
            yield from self._recover(pod, node, now_s)

    def _start(self, pod: View, node: View, now_s: float) -> Iterator[Change]:
        verdict = self._verdict(pod)
        if isinstance(verdict, Allowed):
            for api in verdict.reports:
                yield Create(EVENTS, missing_permissions(pod, api, self.now()))
            yield patch_status(PODS, pod, pod_status.running(pod, node, stamp(self.now())))
        else:
            yield from self._fail(pod, node, verdict, now_s)

    def _verdict(self, pod: View) -> Allowed | Denied | Unreachable:
        return self.role_can_run_cni(effective_role(pod, self.associated_role)) if is_plugin(pod) else Allowed()

    def _fail(self, pod: View, node: View, verdict: Denied | Unreachable, now_s: float) -> Iterator[Change]:
        """The plug-in runs, emits an event if a call was denied, and will terminate."""
        restarts = _restarts(pod)
        self._begin(pod, "failing", now_s, restarts)
        if isinstance(verdict, Denied) and verdict.reported:
            yield Create(EVENTS, missing_permissions(pod, verdict.api, self.now()))
        status = pod_status.failing(pod, node, stamp(self.now()), "aws-node", restarts, last_message=_last_message(verdict))
        yield patch_status(PODS, pod, status)

    def _recover(self, pod: View, node: View, now_s: float) -> Iterator[Change]:
        """A running pod that is not ready: its container terminates, and the kubelet restarts it with exponential back-off."""
        if not is_plugin(pod):
            yield patch_status(PODS, pod, pod_status.running(pod, node, stamp(self.now())))
            return
        state = self._states.setdefault(pod["metadata"]["uid"], _PodState("failing", now_s, _restarts(pod)))
        wait_s = min(self.timings.back_off_s * 2**state.restarts, self.timings.longest_back_off_s) / 2
        if due := self._due(pod, state.phase, wait_s, now_s):
            yield due
        elif state.phase == "failing":
            self._begin(pod, "backing off", now_s, state.restarts + 1)
            words, now = _last_message(self._verdict(pod)), stamp(self.now())
            yield patch_status(PODS, pod, pod_status.backing_off(pod, node, now, "aws-node", state.restarts + 1, last_message=words))
        else:
            yield from self._start(pod, node, now_s)

    def _begin(self, pod: View, phase: str, now_s: float, restarts: int = 0) -> None:
        self._states[pod["metadata"]["uid"]] = _PodState(phase, now_s, restarts)

    def _due(self, pod: View, phase: str, after_s: float, now_s: float) -> WakeAt | None:
        """When this phase ends, or None if it has ended; a new phase starts now."""
        state = self._states.get(pod["metadata"]["uid"])
        if state is None or state.phase != phase:
            self._begin(pod, phase, now_s)
            return WakeAt(now_s + after_s)
        return WakeAt(state.since_s + after_s) if now_s < state.since_s + after_s else None


def _last_message(verdict: Allowed | Denied | Unreachable) -> str:
    return verdict.message if isinstance(verdict, Unreachable) else ""


def _restarts(pod: View) -> int:
    return max((each["restartCount"] for each in pod["status"].get("containerStatuses") or ()), default=0)
