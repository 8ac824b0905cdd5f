"""The kubelets of all nodes: pods start, fail, start again, and end."""

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
    """How long things take, in seconds of the sandbox; the real ones are in the comments."""

    pod_start_s: float = 0.15  # about 10: images are there, the CNI takes its time
    pod_stop_s: float = 0.05  # 1 to 10
    back_off_s: float = 0.5  # 10, doubled each time
    longest_back_off_s: float = 8.0  # 300
    node_lost_s: float = 0.5  # 40: `--node-monitor-grace-period`


@dataclass
class _Memory:
    """What a kubelet remembers of one pod: when the current stage began, and how often the plug-in ended."""

    stage: str
    since_s: float
    restarts: int = 0


def any_role(_role: str | None) -> Allowed:
    """For clusters whose plug-in always works."""
    return Allowed()


def no_role(_namespace: str, _account: str) -> None:
    """For clusters without pod identity."""


@dataclass
class Kubelet:
    """One behaviour for all nodes. `stopped` names the nodes whose kubelet is dead: nothing happens to their pods."""

    role_can_run_cni: RoleCheck = any_role
    associated_role: AssociatedRole = no_role
    pace: Timings = field(default_factory=Timings)
    now: Callable[[], datetime] = utc_now
    stopped: set[str] = field(default_factory=set)
    _memory: dict[str, _Memory] = field(default_factory=dict)

    def step(self, snapshot: ClusterSnapshot, now_s: float) -> Iterator[Change]:
        """One round over all pods that are on a node."""
        present = set()
        for pod in snapshot.of(PODS):
            present.add(pod["metadata"]["uid"])
            name = pod["spec"].get("nodeName")
            node = snapshot.nodes.get(name) if name else None
            if node is not None and name not in self.stopped:
                yield from self._tend(pod, node, now_s)
        for uid in self._memory.keys() - present:
            del self._memory[uid]

    def _tend(self, pod: View, node: View, now_s: float) -> Iterator[Change]:
        if is_terminating(pod):
            if due := self._due(pod, "ending", self.pace.pod_stop_s, now_s):
                yield due
            else:
                yield delete(PODS, pod, grace_period_s=0)
        elif not pod["status"].get("startTime"):
            self._begin(pod, "starting", now_s)
            yield patch_status(PODS, pod, pod_status.starting(pod, node, stamp(self.now())))
        elif pod["status"]["phase"] == "Pending":
            if due := self._due(pod, "starting", self.pace.pod_start_s, now_s):
                yield due
            else:
                yield from self._start(pod, node, now_s)
        elif not is_ready(pod):
            yield from self._recover(pod, node, now_s)

    def _start(self, pod: View, node: View, now_s: float) -> Iterator[Change]:
        verdict = self._verdict(pod)
        if isinstance(verdict, Allowed):
            yield patch_status(PODS, pod, pod_status.running(pod, node, stamp(self.now())))
        else:
            yield from self._fail(pod, node, verdict, now_s)

    def _verdict(self, pod: View) -> Allowed | Denied | Unreachable:
        return self.role_can_run_cni(effective_role(pod, self.associated_role)) if is_plugin(pod) else Allowed()

    def _fail(self, pod: View, node: View, verdict: Denied | Unreachable, now_s: float) -> Iterator[Change]:
        """The plug-in runs, complains where a call was refused, and will end."""
        restarts = _restarts(pod)
        self._begin(pod, "failing", now_s, restarts)
        if isinstance(verdict, Denied):
            yield Create(EVENTS, missing_permissions(pod, verdict.api, self.now()))
        status = pod_status.failing(pod, node, stamp(self.now()), "aws-node", restarts, last_words=_last_words(verdict))
        yield patch_status(PODS, pod, status)

    def _recover(self, pod: View, node: View, now_s: float) -> Iterator[Change]:
        """A pod that runs and is not ready: its container ends, the kubelet waits ever longer, and starts it again."""
        if not is_plugin(pod):
            yield patch_status(PODS, pod, pod_status.running(pod, node, stamp(self.now())))
            return
        memory = self._memory.setdefault(pod["metadata"]["uid"], _Memory("failing", now_s, _restarts(pod)))
        wait_s = min(self.pace.back_off_s * 2**memory.restarts, self.pace.longest_back_off_s) / 2
        if due := self._due(pod, memory.stage, wait_s, now_s):
            yield due
        elif memory.stage == "failing":
            self._begin(pod, "backing off", now_s, memory.restarts + 1)
            words, now = _last_words(self._verdict(pod)), stamp(self.now())
            yield patch_status(PODS, pod, pod_status.backing_off(pod, node, now, "aws-node", memory.restarts + 1, last_words=words))
        else:
            yield from self._start(pod, node, now_s)

    def _begin(self, pod: View, stage: str, now_s: float, restarts: int = 0) -> None:
        self._memory[pod["metadata"]["uid"]] = _Memory(stage, now_s, restarts)

    def _due(self, pod: View, stage: str, after_s: float, now_s: float) -> WakeAt | None:
        """When this stage is over, None if it is; a stage not seen before begins now."""
        memory = self._memory.get(pod["metadata"]["uid"])
        if memory is None or memory.stage != stage:
            self._begin(pod, stage, now_s)
            return WakeAt(now_s + after_s)
        return WakeAt(memory.since_s + after_s) if now_s < memory.since_s + after_s else None


def _last_words(verdict: Allowed | Denied | Unreachable) -> str:
    return verdict.words if isinstance(verdict, Unreachable) else ""


def _restarts(pod: View) -> int:
    return max((each["restartCount"] for each in pod["status"].get("containerStatuses") or ()), default=0)
