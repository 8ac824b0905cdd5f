"""Play a scenario from its first moment to its end, and tell what came of it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from lambdas.contract.incidents import SORT_KEY
from lambdas.contract.names import RESTARTED_AT_ANNOTATION
from lambdas.contract.workloads import WorkloadKind, known
from sandbox.cluster import aws_node
from sandbox.cluster.resources import DAEMON_SETS, DEPLOYMENTS, SERVICE_ACCOUNTS
from sandbox.simulation.aws_account import CLUSTER, NAMESPACE, TABLE, resolve_role
from sandbox.simulation.cluster_backend import nodes_ready, pods_ready
from sandbox.simulation.history import PAST_INCIDENT_PREFIX
from sandbox.simulation.log_reader import LogReader
from sandbox.simulation.scenario_result import Milestone, ScenarioResult, ScenarioTimeout, TimelineCallback, TimelineEntry
from sandbox.simulation.scenario_steps import run_step
from sandbox.simulation.trigger_events import announce

if TYPE_CHECKING:
    from sandbox.simulation.environment import SandboxEnvironment
    from sandbox.simulation.scenario import Scenario

POLL_S: Final = 0.05
SETTLE_S: Final = 120.0
STABLE_POLLS: Final = 4
"""Equal looks after which the world stands, where all pods and nodes are well. Counted, since on a busy machine time goes by unseen."""
STABLE_POLLS_UNHEALTHY: Final = 24
LASTS_S: Final = 90.0
"""How long a play may take before it is said to have no end."""


class ScenarioRun:
    """One run of a scenario on a stage that stands, of `lasts_s` at most. `show` is called with each moment, from several threads."""

    def __init__(
        self, scenario: Scenario, env: SandboxEnvironment, show: TimelineCallback = lambda _: None, *, lasts_s: float = LASTS_S
    ) -> None:
        self.scenario = scenario
        self.env = env
        self._lasts_s = lasts_s
        self.outcome = ScenarioResult()
        self._show = show
        self._began = time.monotonic()
        self._event_at: float | None = None
        self._lock = threading.Lock()
        self._listener = LogReader(self.outcome, self._mark, self._moment)
        self._heard = 0
        self._put = 0
        self._nodes = (-1, -1)

    def run(self) -> ScenarioResult:
        """Settle, let the story happen, announce it, and watch to the end.

        Raises:
            NoEnd: the expected end did not come in time.
        """
        self.settle()
        self._began = time.monotonic()
        self._moment("world", self._world())
        for what, how in self.scenario.story:
            self._tell_story(run_step(self.env, what, how))
        if self._event_at is None or self.scenario.event not in ("none", "cloudtrail"):
            self._event_at = self._event_at or time.monotonic()
        self._tell_story(announce(self.env, self.scenario.event))
        self._watch()
        self.outcome.messages = self.env.messages()
        self.outcome.nodes = nodes_ready(self.env.backend)
        return self.outcome

    # --- the world ---------------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait until the world stands as it would before anything happens: pods admitted and nodes as Ready as they will be."""
        until, last, calm = time.monotonic() + SETTLE_S, None, 0
        while time.monotonic() < until:
            now = (nodes_ready(self.env.backend), pods_ready(self.env.backend, self.env.world.service_account))
            last, calm = now, calm + 1 if now == last else 0
            everything = now[0][0] == now[0][1] and now[1][0] == now[1][1] > 0
            if calm >= (STABLE_POLLS if everything else STABLE_POLLS_UNHEALTHY):
                return
            time.sleep(POLL_S)

    def _world(self) -> str:
        ready, total = nodes_ready(self.env.backend)
        world = self.env.world
        role = (resolve_role(world.annotation) or "no role").rsplit("/", 1)[-1]
        return f"cluster {CLUSTER} at Kubernetes {world.kubernetes}, {ready} of {total} nodes Ready, {world.service_account} carries {role}"

    def _tell_story(self, text: str) -> None:
        if text:
            if self._event_at is None:
                self._event_at = time.monotonic()
            self._moment("story", text)

    # --- watching ----------------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        until = time.monotonic() + self._lasts_s
        while time.monotonic() < until:
            self._look_at_cluster()
            lines = self.env.lines[self._heard :]
            self._heard += len(lines)
            self._listener.hear(lines)
            if self._ended():
                return
            time.sleep(POLL_S)
        raise ScenarioTimeout(
            f"{self.scenario.name}: expected {self.scenario.expect.outcome}, and after {self._lasts_s:.0f} s saw verdict "
            f"{self.outcome.verdict or 'none'}, outcome {self.outcome.outcome or 'none'}, changes {self.outcome.changes}"
        )

    def _ended(self) -> bool:
        expected = self.scenario.expect.outcome
        if expected == "quiet":
            return bool(self.outcome.verdict)
        if expected == "silent":
            return self._listener.planned
        if expected in ("verified", "recovered"):
            self.outcome.outcome = self._closed_as() or self.outcome.outcome
        return self.outcome.outcome == expected

    def _closed_as(self) -> str:
        """The outcome that history holds, once the incident is closed. Asked for after each item that was put."""
        put = len(self.env.aws.calls.of(action="dynamodb:PutItem"))
        if put == self._put:
            return ""
        self._put = put
        items = self.env.aws.client("dynamodb").scan(TableName=TABLE)["Items"]
        closed = [
            item
            for item in items
            if item[SORT_KEY]["S"].startswith("past#") and not item["incident_id"]["S"].startswith(PAST_INCIDENT_PREFIX)
        ]
        return str(closed[-1]["outcome"]["S"]) if closed else ""

    def _look_at_cluster(self) -> None:
        nodes = nodes_ready(self.env.backend)
        if nodes != self._nodes:
            self._nodes = nodes
            self._moment("nodes", "")
        account = self.env.backend.find(SERVICE_ACCOUNTS, self.env.world.service_account, NAMESPACE) or {}
        value = (account.get("metadata", {}).get("annotations") or {}).get(aws_node.ROLE_KEY)
        if value and value == resolve_role(self.env.world.binding) and Milestone.DECISION in self.outcome.marks:
            self._mark(Milestone.ANNOTATION)
        if self._stamp():
            self._mark(Milestone.RESTARTED)

    def _stamp(self) -> str:
        workload = known(NAMESPACE, self.env.world.service_account)
        if workload is None:
            return ""
        kind = DAEMON_SETS if workload.kind is WorkloadKind.DAEMON_SET else DEPLOYMENTS
        found = self.env.backend.find(kind, workload.name, NAMESPACE) or {}
        annotations = found.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations") or {}
        return str(annotations.get(RESTARTED_AT_ANNOTATION, ""))

    def _mark(self, mark: Milestone) -> None:
        if self._event_at is not None:
            self.outcome.marks.setdefault(mark, time.monotonic() - self._event_at)

    def _moment(self, kind: str, text: str) -> None:
        with self._lock:
            moment = TimelineEntry(time.monotonic() - self._began, kind, text, nodes_ready(self.env.backend))
            self.outcome.moments.append(moment)
        self._show(moment)
