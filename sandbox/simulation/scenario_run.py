"""Runs a scenario in an environment and collects its result."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from lambdas.contract.incidents import SORT_KEY
from lambdas.contract.names import RESTARTED_AT_ANNOTATION
from lambdas.contract.workloads import WorkloadKind, known
from sandbox.cluster import aws_node
from sandbox.cluster.resources import DAEMON_SETS, DEPLOYMENTS, SERVICE_ACCOUNTS
from sandbox.simulation.aws_account import CLUSTER, NAMESPACE, resolve_role
from sandbox.simulation.cluster_backend import causes_on_nodes, nodes_ready, pods_ready
from sandbox.simulation.log_reader import LogReader
from sandbox.simulation.sandbox_steps import SandboxSteps
from sandbox.simulation.scenario_result import Milestone, ScenarioResult, ScenarioTimeout, TimelineCallback, TimelineEntry
from sandbox.simulation.scenario_steps import PAST_INCIDENT_PREFIX
from sandbox.simulation.trigger_events import announce

if TYPE_CHECKING:
    from sandbox.simulation.environment import SandboxEnvironment
    from sandbox.simulation.scenario import Scenario

POLL_S: Final = 0.05
WATCH_S: Final = 0.1
"""Pause between two looks at a running scenario. Its times are shown in tenths of a second."""
SETTLE_TIMEOUT_S: Final = 120.0
STABLE_POLLS: Final = 4
"""Equal polls after which the world is stable. Counted instead of timed, because a busy machine may not run the sandbox for a while."""
STABLE_POLLS_UNHEALTHY: Final = 24
"""The same for a world in which some pods or nodes are not ready."""
TIMEOUT_S: Final = 90.0


class ScenarioRun:
    """One run of a scenario. `show` is called for each timeline entry, from several threads."""

    def __init__(
        self, scenario: Scenario, env: SandboxEnvironment, show: TimelineCallback = lambda _: None, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.scenario = scenario
        self.env = env
        self.result = ScenarioResult()
        self._timeout_s = timeout_s
        self._show = show
        self._started = time.monotonic()
        self._event_at: float | None = None
        self._lock = threading.Lock()
        self._log_reader = LogReader(self.result, self._reach, self._add_entry)
        self._lines_read = 0
        self._items_put = 0
        self._nodes = (-1, -1)

    def run(self) -> ScenarioResult:
        """Settle the world, run the steps, send the event, and watch until the expected end.

        Raises:
            ScenarioTimeout: the expected end was not reached in time.
        """
        self.settle()
        self._started = time.monotonic()
        self._add_entry("world", self._describe_world())
        for step in self.scenario.steps:
            self._add_step(step.run(SandboxSteps(self.env)))
        if self.scenario.event not in ("none", "cloudtrail"):
            self._event_at = self._event_at or time.monotonic()
        self._add_step(announce(self.env, self.scenario.event))
        self._watch()
        self.result.messages = self.env.messages()
        self.result.nodes = nodes_ready(self.env.backend)
        self.result.node_log = causes_on_nodes(self.env.backend)
        return self.result

    # --- the world ---------------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait until the pods are admitted and the number of ready nodes and pods no longer changes."""
        deadline, last, equal = time.monotonic() + SETTLE_TIMEOUT_S, None, 0
        while time.monotonic() < deadline:
            now = (nodes_ready(self.env.backend), pods_ready(self.env.backend, self.env.world.service_account))
            last, equal = now, equal + 1 if now == last else 0
            is_healthy = now[0][0] == now[0][1] and now[1][0] == now[1][1] > 0
            if equal >= (STABLE_POLLS if is_healthy else STABLE_POLLS_UNHEALTHY):
                return
            time.sleep(POLL_S)

    def _describe_world(self) -> str:
        ready, total = nodes_ready(self.env.backend)
        world = self.env.world
        role = (resolve_role(world.annotation) or "no role").rsplit("/", 1)[-1]
        return f"cluster {CLUSTER}, Kubernetes {world.kubernetes}, {ready} of {total} nodes Ready, {world.service_account} has {role}"

    def _add_step(self, text: str) -> None:
        if text:
            self._event_at = self._event_at or time.monotonic()
            self._add_entry("step", text)

    # --- watching ----------------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        deadline = time.monotonic() + self._timeout_s
        while time.monotonic() < deadline:
            self._poll_cluster()
            lines = self.env.lines[self._lines_read :]
            self._lines_read += len(lines)
            self._log_reader.read_lines(lines)
            if self._has_ended():
                return
            time.sleep(WATCH_S)
        raise ScenarioTimeout(
            f"{self.scenario.name}: expected {self.scenario.expect.outcome}; after {self._timeout_s:.0f} s the verdict is "
            f"{self.result.verdict or 'none'}, the outcome {self.result.outcome or 'none'}, the actions {self.result.actions}"
        )

    def _has_ended(self) -> bool:
        match self.scenario.expect.outcome:
            case "no-incident":
                return bool(self.result.verdict)
            case "no-message":
                return self._log_reader.is_planned
            case "verified" | "recovered" as expected:
                self.result.outcome = self._closed_as() or self.result.outcome
                return self.result.outcome == expected
            case expected:
                return self.result.outcome == expected

    def _closed_as(self) -> str:
        """The outcome in the history once the incident is closed. The table is read only after a new item was put."""
        items_put = len(self.env.aws.calls.of(action="dynamodb:PutItem"))
        if items_put == self._items_put:
            return ""
        self._items_put = items_put
        items = self.env.aws.client("dynamodb").scan(TableName=self.env.table)["Items"]
        past = [item for item in items if item[SORT_KEY]["S"].startswith("past#")]
        closed = [item for item in past if not item["incident_id"]["S"].startswith(PAST_INCIDENT_PREFIX)]
        return str(closed[-1]["outcome"]["S"]) if closed else ""

    def _poll_cluster(self) -> None:
        nodes = nodes_ready(self.env.backend)
        if nodes != self._nodes:
            self._nodes = nodes
            self._add_entry("nodes", "")
        account = self.env.backend.find(SERVICE_ACCOUNTS, self.env.world.service_account, NAMESPACE) or {}
        role = (account.get("metadata", {}).get("annotations") or {}).get(aws_node.ROLE_KEY)
        if role and role == resolve_role(self.env.world.binding) and Milestone.DIAGNOSIS in self.result.milestones:
            self._reach(Milestone.ANNOTATION_SET)
        if self._is_restarted():
            self._reach(Milestone.RESTARTED)

    def _is_restarted(self) -> bool:
        workload = known(NAMESPACE, self.env.world.service_account)
        if workload is None:
            return False
        resource = DAEMON_SETS if workload.kind is WorkloadKind.DAEMON_SET else DEPLOYMENTS
        found = self.env.backend.find(resource, workload.name, NAMESPACE) or {}
        annotations = found.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations") or {}
        return bool(annotations.get(RESTARTED_AT_ANNOTATION))

    def _reach(self, milestone: Milestone) -> None:
        if self._event_at is not None:
            self.result.milestones.setdefault(milestone, time.monotonic() - self._event_at)

    def _add_entry(self, kind: str, text: str) -> None:
        with self._lock:
            entry = TimelineEntry(time.monotonic() - self._started, kind, text, nodes_ready(self.env.backend))
            self.result.timeline.append(entry)
        self._show(entry)
