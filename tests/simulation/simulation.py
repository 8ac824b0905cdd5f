"""One run of a story: the functions over the fakes, the bus between them, and the people, in virtual time."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from cli.clients.local_incidents import Row
from lambdas.application.check import incident_handover, pipeline
from lambdas.application.check.parameter_handover import FIELD
from lambdas.application.remediation.steps import remediation_steps
from lambdas.contract.approval import decode_plan
from lambdas.contract.events import INCOMING, SWEEP_INPUT
from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.settings import Window
from lambdas.domain.errors import RemediatorError
from lambdas.domain.incidents.incident import HEARTBEAT_INTERVAL, Outcome
from lambdas.domain.snapshot.snapshot import OidcProvider, RoleFacts
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import ApprovalAnswer
from lambdas.remediator.handler import FACTS_TTL_S
from tests import fakes
from tests.over_fakes import events
from tests.over_fakes.fake_ports import FakePorts
from tests.over_fakes.journaled_steps import Phase
from tests.simulation import programs
from tests.simulation.invariants import (
    ANSWER_WITHIN,
    ENDS,
    MAX_UNDONE,
    ROLL_BACK,
    SENT_AGAIN_FOR,
    SETS_ROLE,
    Evidence,
    InvariantViolated,
    Ledger,
    Write,
    check_harm,
    check_message,
    check_pace,
    check_table,
    check_write,
    is_open,
    told_person,
)
from tests.simulation.known_results import keep_results
from tests.simulation.process import Cache, Port, Process
from tests.simulation.scheduler import Scheduler
from tests.simulation.simulated_world import KEY, SimulatedWorld
from tests.simulation.steps import Execution

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambdas.domain.incidents.incident import Incident, PastIncident
    from tests.simulation.story import Story

WRITES: Final = frozenset(
    {
        "cluster.apply_annotation",
        "cluster.restore_annotation",
        "cluster.restart",
        "cluster.delete_pod",
        "eks.set_addon_role",
        "eks.create_association",
        "eks.update_association",
    }
)
GIVES_ROLE: Final = frozenset({*SETS_ROLE, "cluster.restore_annotation"})
"""Calls that change which role new pods get."""
SAME_MOMENT: Final = {"eks.create_association": "cluster.apply_annotation", "eks.update_association": "cluster.apply_annotation"}
"""The call for which a trap waits that also springs at this call."""
CHANGING: Final = WRITES | {"cluster.pods", "eks.addon"}
"""Calls after which a cluster may be another: writes, and reads between which its controllers work."""
PRECONDITION_READS: Final = ("iam.role", "iam.oidc_provider")
TABLE_RECOVERS_WITHIN: Final = timedelta(minutes=35)
"""Time after a failure of the table within which an execution may end without closing or handing over its incident."""
LAMBDA_RETRIES_S: Final = (60.0, 120.0)
"""Pauses before a failed asynchronous invocation is repeated.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""
CHECKER_CACHE_S: Final = {"parameters.load": 20.0, "eks.cluster": 300.0, "iam.role": 300.0, "iam.oidc_provider": 300.0}
REMEDIATOR_CACHE_S: Final = dict.fromkeys(("eks.cluster", "iam.role", "iam.oidc_provider"), float(FACTS_TTL_S))
PERSON: Final = "arn:aws:iam::111122223333:user/alice"


@dataclass
class LambdaEnvironment:
    """A warm environment of the checker: what it keeps between two invocations."""

    cache: Cache = field(default_factory=lambda: Cache(CHECKER_CACHE_S))
    last_sweep_checks: dict[str, datetime] = field(default_factory=dict)
    last_refusals: dict[str, datetime] = field(default_factory=dict)
    is_busy: bool = False


@dataclass
class Hazards:
    """What goes wrong until the faults stop: the chance of a crash and of a slow call, the state of the bus, and wrong clocks."""

    crash: float = 0.0
    slow: float = 0.0
    delay_s: float = 0.0
    double: float = 0.0
    loss: float = 0.0
    skew_s: float = 0.0


@dataclass
class Trap:
    """What happens while the `count`-th next call of a method is on its way, which then takes these seconds more."""

    method: str
    count: int
    seconds: float
    do: Callable[[], None]


@dataclass
class Delivered:
    """An event about a cluster that a check has taken, with the time at which it happened."""

    cluster: str
    happened: datetime
    name: str


class SimulatedRemediator(fakes.FakeRemediator):
    """Starts executions as processes of the simulation."""

    def __init__(self, world: SimulatedWorld, begin: Callable[[str, Incident], None]) -> None:
        super().__init__(world)
        self._begin = begin

    def start(self, incident: Incident) -> str:
        known = set(self.executions)
        try:
            return super().start(incident)
        finally:  # the answer of a start that had its effect may be lost
            for arn in set(self.executions) - known:
                self._begin(arn, incident)


class Simulation:
    """A run. `log` tells what happened, for the story of a failure."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.scheduler = Scheduler()
        self.world = SimulatedWorld(scheduler=self.scheduler)
        self.incidents = fakes.FakeIncidents(self.world)
        self.remediator = SimulatedRemediator(self.world, self._begin_execution)
        self.ports = FakePorts(self.world, self.incidents, self.remediator)
        self.hazards = Hazards()
        self.ledger = Ledger()
        self.log: list[str] = []
        self.executions: dict[str, Execution] = {}
        self.running: dict[str, Process] = {}
        self.steps_taken = 0
        self.sweeps_every_s = 300.0
        self.sweeps = True
        self._processes: list[Process] = []
        self._evidence: dict[str, Evidence] = {}
        self._works_on: dict[str, Incident] = {}
        self._environments: list[LambdaEnvironment] = []
        self._remediator_cache = Cache(REMEDIATOR_CACHE_S)
        self._answers: dict[str, ApprovalAnswer] = {}
        self._awaits: dict[str, Process] = {}
        self._delivered: list[Delivered] = []
        self._checked_at: dict[str, datetime] = {}
        self._messages: list[datetime] = []
        self._names: dict[str, int] = {}
        self.traps: list[Trap] = []
        self.sprung = ""
        self._crashes_next = False
        self._table_failed_at = self.scheduler.now - TABLE_RECOVERS_WITHIN * 2
        self._message_failed_at = self._table_failed_at
        self._sent = 0

    # --- running

    def run(self) -> None:
        """Run the story to its end.

        Raises:
            InvariantViolated: an invariant does not hold.
        """
        with ExitStack() as patches:
            for module in (pipeline, incident_handover, programs.incident_lease):
                patches.enter_context(patch.object(module, "uuid4", self._uuid4))
            patches.enter_context(patch.object(programs.handler, "incidents", lambda: Port(self._current, "incidents", self.incidents)))
            patches.enter_context(patch.object(programs.handler, "write", lambda *_, **__: None))
            if self.story.has_large_workloads:
                patches.enter_context(patch.object(remediation_steps, "LARGE_WORKLOAD", 1))
            patches.enter_context(keep_results())
            patches.callback(self._abandon_processes)
            self.story.play(self)

    def _abandon_processes(self) -> None:
        for process in self._processes:
            process.abandon()

    def run_for(self, seconds: float) -> None:
        """Let this much time pass."""
        self.scheduler.run_until(self.scheduler.now + timedelta(seconds=seconds))

    def tell(self, text: str) -> None:
        """Add a line to the log."""
        self.log.append(f"{self.scheduler.now:%d %H:%M:%S} {text}")

    def _uuid4(self) -> Any:
        return SimpleNamespace(hex=self._current.identifier())

    # --- processes

    def process(self, kind: str, program: Callable[[Process], Any], *, skew_s: float | None = None) -> Process:
        """A new process, which is not started yet. Without `skew_s` it has the clock that the story gives a function."""
        self._names[kind] = self._names.get(kind, 0) + 1
        name = f"{kind} {self._names[kind]}"
        made = Process(
            name,
            self.scheduler,
            seed=str(self.story.seed),
            skew=timedelta(seconds=self.story.skew_s(name) if skew_s is None else skew_s),
            hazards=self._hazards_of,
            observer=self._observe,
        )
        self._processes.append(made)
        self._evidence[made.name] = Evidence()

        def take_turn() -> None:
            self._current = made

        made.program = partial(program, made)
        made.on_run = take_turn
        made.on_cached = partial(self._note_cached, made)
        return made

    def _note_cached(self, process: Process, method: str, arguments: tuple[Any, ...], result: Any) -> None:
        if method in PRECONDITION_READS:
            self.note_precondition(process, method, arguments[0], result)

    def _hazards_of(self, _process: Process, method: str, chance: Random) -> tuple[float, bool]:
        """How long a call takes, and whether the process crashes after its effect."""
        if method == "clusters.login":
            return 0.0, False
        slow = chance.random() < self.hazards.slow
        seconds = chance.expovariate(1 / (8.0 if slow else 0.05)) + self._spring(method)
        crashes, self._crashes_next = self._crashes_next, False
        return seconds, crashes or chance.random() < self.hazards.crash

    def _observe(self, process: Process, method: str, arguments: tuple[Any, ...], effect: Callable[[], Any]) -> Any:
        """Run the effect of one call, and check the invariants of every step."""
        self.world.sync()
        self.steps_taken += 1
        if method == "eks.addon":  # each assessment reads it, whether it is answered or not
            self._evidence[process.name].assessed_at = self._evidence[process.name].read_at
            self._evidence[process.name].calendar_is_closed = False
            self._checked_at[arguments[0]] = self.scheduler.now
        incident = self._works_on.get(process.name)
        row = self._row_of(method, arguments)
        open_before = row.incident if row else None
        holds = incident is not None and self._holds(incident)
        written = len(self.world.writes)
        values = self._given_roles() if method in GIVES_ROLE else {}
        node = self._node_of(incident, arguments) if method == "cluster.delete_pod" else ""
        pod_name = str(arguments[1]) if method == "cluster.delete_pod" else ""
        if incident and method == "cluster.delete_pod":
            self.world.replaces_ours, self.world.read_as_unready = incident.id, self._evidence[process.name].unready
        result: Any = None
        try:
            result = effect()
        except RemediatorError:
            self._note_failure(process, method)
            raise
        finally:
            self.world.replaces_ours, self.world.read_as_unready = "", frozenset()
            if len(self.world.writes) > written:
                self._check_write(process, _kind_of(method, arguments), incident, holds=holds, values=values, pod=(node, pod_name))
            if incident and method in CHANGING:
                self.world.observe(incident.target.cluster)
            if row:
                self._check_table(method, arguments, open_before, row)
            self._drain()
        self._note(process, method, arguments, result)
        if incident:
            self._note_canary(incident.id, method, arguments, result)
        if method in PRECONDITION_READS:
            self.note_precondition(process, method, arguments[0], result)
        return result

    def _note_failure(self, process: Process, method: str) -> None:
        if method.startswith("incidents."):
            self._table_failed_at = self.scheduler.now
        if method.startswith(("incidents.", "notifier.")):
            self._message_failed_at = self.scheduler.now
        if method == "incidents.affected_clusters":
            self._evidence[process.name].planned_at = None  # without it there is no plan

    def _given_roles(self) -> dict[str, str | None]:
        return {name: self.world.given_role(cluster) for name, cluster in self.world.clusters.items()}

    def _holds(self, incident: Incident) -> bool:
        found = self.incidents.rows.get(incident.target.key)
        row = found.incident if found else None
        return row is not None and (row.id, row.execution) == (incident.id, incident.execution)

    def _note(self, process: Process, method: str, arguments: tuple[Any, ...], result: Any) -> None:
        """Keep what the process has read."""
        evidence, incident = self._evidence[process.name], self._works_on.get(process.name)
        is_holder = result is not None and incident is not None and method == "incidents.get"
        evidence.holder_was_read = is_holder and (result.id, result.execution) == (incident.id, incident.execution)  # type: ignore[union-attr]
        if method == "parameters.load":
            evidence.read_at = self.scheduler.now
            if incident:
                evidence.role_read = self.world.bound_role(incident.target.cluster)
                evidence.mode_read = str(self.world.settings(incident.target.cluster).mode)
                evidence.binding_is_read = True
        elif method == "cluster.service_account" and incident and incident.target.cluster not in self.world.associated:
            evidence.given_role_read = getattr(result, "role_annotations", {}).get(ROLE_ANNOTATION)
        elif method == "eks.associations" and incident and incident.target.cluster in self.world.associated:
            evidence.given_role_read = next((found.role_arn for found in result), None)
        elif method == "incidents.history":
            evidence.planned_at = self.scheduler.now
        elif method == "calendar.opens_at":
            evidence.calendar_is_closed = result is not None
        elif method == "cluster.pods":
            evidence.unready = evidence.unready - {pod.name for pod in result} | {pod.name for pod in result if not pod.ready}
        elif method == "cluster.workload" and incident:
            evidence.outdated = self.world.replaced_by_rollout(incident.target.cluster)
        elif method == "eks.addon":
            evidence.addon_status = getattr(result, "status", "")

    def _note_canary(self, incident_id: str, method: str, arguments: tuple[Any, ...], result: Any) -> None:
        """Keep whether the canary was gone already. A new repair begins with a canary of its own."""
        if method == "incidents.mark_repairing" and arguments[1]:
            self.ledger.nodes[incident_id], self.world.created_by[incident_id] = [], []
            self.ledger.replaced_by_others.discard(incident_id)
        elif method == "cluster.delete_pod" and result is False:
            self.ledger.replaced_by_others.add(incident_id)

    def note_precondition(self, process: Process, method: str, argument: object, result: object) -> None:
        """Keep what the process has read of the role or the OIDC provider, from IAM or from what its environment keeps."""
        incident = self._works_on.get(process.name)
        there = self.world.clusters.get(incident.target.cluster) if incident else None
        if incident is None or there is None or (method == "iam.role" and argument != self.world.bound_role(incident.target.cluster)):
            return
        is_right = isinstance(result, OidcProvider) or (isinstance(result, RoleFacts) and result.trust == self.world.right_trust(there))
        refuted = self.ledger.refuted.setdefault(incident.id, {})
        refuted.pop(method, None)
        if not is_right:
            refuted[method] = f"{method} {argument} was read as wrong at {self.scheduler.now:%H:%M:%S}"

    def _row_of(self, method: str, arguments: tuple[Any, ...]) -> Row | None:
        """The row that a call of the table may change."""
        target = getattr(arguments[0], "target", arguments[0]) if method.startswith("incidents.") and arguments else None
        return self.incidents.rows.setdefault(target.key, Row()) if isinstance(target, ServiceAccountRef) else None

    def _check_table(self, method: str, arguments: tuple[Any, ...], before: Incident | None, row: Row) -> None:
        check_table(method, arguments, before, row, self.ledger)
        if method == "incidents.close" and before and row.incident is None:
            self._check_end_told(arguments[0])
        if method != "incidents.take_over" or before is None or row.incident is None or row.incident.id == before.id:
            return
        ended = next((name for name, execution in self.executions.items() if execution.arn == before.execution_arn), "")
        is_table_well = self.scheduler.now - self._table_failed_at > TABLE_RECOVERS_WITHIN
        if ended and not self.executions[ended].is_stopped and is_table_well and not before.is_held_by_person and not row.incident.started:
            raise InvariantViolated(f"a lost incident: {before.id} was taken over, and {ended} was not stopped, and nothing had failed")

    def _check_end_told(self, past: PastIncident) -> None:
        """Where people were told of an incident that has ended well, they were told its end, too, unless no message could be sent.

        What was said about an incident that it was taken over from counts as well.
        """
        said = self.ledger.messages.get(past.id, [])
        could_be_sent = self.scheduler.now - self._message_failed_at > SENT_AGAIN_FOR
        is_open = said[-1] not in ENDS if said else past.id in self.ledger.reported
        if is_open and past.outcome in (Outcome.VERIFIED, Outcome.RECOVERED) and could_be_sent:
            raise InvariantViolated(f"silence: incident {past.id} closed as {past.outcome}, and the messages are {said}")

    def set_trap(self, trap: Trap) -> None:
        """Let something happen while a call is on its way."""
        self.traps.append(trap)

    def crash_next(self) -> None:
        """Let the process crash whose call springs a trap now, after the effect of that call."""
        self._crashes_next = True

    def _spring(self, method: str) -> float:
        """Let happen what waits for this call. Returns for how many more seconds the call is on its way."""
        seconds = 0.0
        for trap in [item for item in self.traps if item.method in (method, SAME_MOMENT.get(method))]:
            trap.count -= 1
            if trap.count <= 0:
                self.traps.remove(trap)
                self.sprung = method
                trap.do()
                self.sprung = ""
                seconds += trap.seconds
        return seconds

    def _check_write(
        self,
        process: Process,
        method: str,
        incident: Incident | None,
        *,
        holds: bool,
        values: Mapping[str, Any],
        pod: tuple[str, str],
    ) -> None:
        text = self.world.writes[-1]
        self.tell(f"{process.name}: {text}")
        if incident is None or method not in (*WRITES, ROLL_BACK):
            raise InvariantViolated(f"{process.name} wrote without an incident: {text}")
        cluster = incident.target.cluster
        if method == "cluster.restart":
            self.world.rolls_ours[cluster] = incident.id
        if method in SETS_ROLE:
            self.ledger.old_values.setdefault(incident.id, values.get(cluster))
            self.ledger.old_values[incident.id] = values.get(cluster)
        is_about_role = method in (*GIVES_ROLE, ROLL_BACK, "eks.set_addon_role")
        role = text.rsplit(" ", 1)[-1] if is_about_role else None
        self._evidence[process.name].unrecorded.append(method)
        execution = self.executions.get(process.name)
        write = Write(
            incident=incident.id,
            at=process.now(),
            cluster=cluster,
            method=method,
            role=None if role == "None" else role,
            by_person=incident.is_held_by_person,
            holds=holds,
            is_stopped=execution is not None and execution.is_stopped,
            text=f"{process.name}: {text} in {cluster}",
            pod=pod[0],
            pod_name=pod[1],
            value_before=values.get(cluster),
        )
        check_write(write, self._evidence[process.name], self.ledger, self.world)
        check_pace(write, self.incidents.rows[incident.target.key].past, self.world)
        check_harm(cluster, self.world)

    def _node_of(self, incident: Incident | None, arguments: tuple[Any, ...]) -> str:
        """The node of the pod that is deleted, which names its place before and after."""
        there = self.world.clusters.get(incident.target.cluster) if incident else None
        pod = there.pods.get(arguments[1]) if there else None
        return pod.facts.node if pod else ""

    def _drain(self) -> None:
        """Deliver what was published, and check what was said."""
        sent, self.ports.bus.sent = self.ports.bus.sent, []
        requested, self.ports.checker.requested = self.ports.checker.requested, []
        for kind, detail in sent:
            if kind in tuple(INCOMING):
                claimed = datetime.fromisoformat(detail["occurredAt"]) if "occurredAt" in detail else self.scheduler.now
                happened = min(claimed, self.scheduler.now)  # the clock of its sender may be ahead
                handed = next((check for check in requested if check["detail"] is detail), None)
                event = events.own(kind, detail, self.scheduler.now) | ({FIELD: handed[FIELD]} if handed and FIELD in handed else {})
                self.publish(event, str(detail.get("cluster") or ""), str(kind), happened, is_invoked=handed is not None)
        messages, self.ports.notifier.sent = self.ports.notifier.sent, []
        for message in messages:
            process = self._current
            incident = self._works_on[process.name]
            self.tell(f"{process.name}: message {message.subject!r}")
            self._messages.append(self.scheduler.now)
            evidence, by_person = self._evidence[process.name], incident.is_held_by_person
            self.world.observe(incident.target.cluster)
            check_message(message, incident.target.cluster, evidence, self.ledger, self.world, is_by_person=by_person)
            context = json.loads(message.chat)["metadata"]["additionalContext"]
            if NotificationKind(message.attributes["outcome"]) is NotificationKind.APPROVAL_REQUESTED and "callbackId" in context:
                self._let_person_answer(incident, context["callbackId"], decode_plan(context["plan"]))

    def crash_at(self, process: Process, phase: Phase) -> bool:
        """Whether the process crashes at this moment between two calls."""
        evidence, works_on = self._evidence[process.name], self._works_on.get(process.name)
        refuted = self.ledger.refuted.setdefault(works_on.id, {}) if works_on else {}
        if phase is Phase.BEFORE:
            evidence.refuted_before = dict(refuted)
            evidence.binding_is_read = False
        if phase is Phase.AFTER_CHECKPOINT:
            evidence.unrecorded.clear()
        is_checkpoint = phase is Phase.BEFORE_CHECKPOINT
        return is_checkpoint and process.chance.random() < self.hazards.crash

    # --- the bus and the checker

    def publish(
        self, event: Mapping[str, Any], cluster: str, name: str, happened: datetime | None = None, *, is_invoked: bool = False
    ) -> None:
        """An event on the bus: delivered late, twice or never, as the story has it. Sweeps, and checks that they invoke, are never lost."""
        happened = happened or self.scheduler.now
        chance = Random(f"{self.story.seed} bus {self._sent}")
        self._sent += 1
        if chance.random() < self.hazards.loss and name != "sweep" and not is_invoked:
            self.tell(f"lost on the bus: {name} {cluster}")
            return
        for _ in range(2 if chance.random() < self.hazards.double else 1):
            seconds = 0.3 + chance.expovariate(1.0) + (chance.expovariate(1 / self.hazards.delay_s) if self.hazards.delay_s else 0.0)
            self.scheduler.after(seconds, lambda: self._check(event, Delivered(cluster, happened, name), attempt=1))

    def _check(self, event: Mapping[str, Any], delivered: Delivered, *, attempt: int) -> None:
        environment = next((item for item in self._environments if not item.is_busy), None) or LambdaEnvironment()
        if environment not in self._environments:
            self._environments.append(environment)
        environment.is_busy = True
        process = self.process("checker", lambda process: programs.check(self.ports, process, environment, event))
        process.deadline = self.scheduler.now + timedelta(seconds=60)

        def repeat(why: str) -> None:
            environment.is_busy = False
            process.is_over = True
            self.tell(f"{process.name} of {delivered.name} {delivered.cluster}: {why}")
            if attempt <= len(LAMBDA_RETRIES_S):
                self.scheduler.after(LAMBDA_RETRIES_S[attempt - 1], lambda: self._check(event, delivered, attempt=attempt + 1))

        def crash() -> None:
            self._environments = [item for item in self._environments if item is not environment]
            repeat("crashed")

        def end(result: Any) -> None:
            environment.is_busy = False
            checked = getattr(result, "service_accounts", None)
            if checked is None:
                return
            self.tell(f"{process.name} of {delivered.name}: " + ", ".join(f"{key.cluster}: {value}" for key, value in checked.items()))
            if delivered.cluster and any(type(value).__name__ != "EventIgnored" for value in checked.values()):
                self._delivered.append(delivered)
                self.scheduler.after(ANSWER_WITHIN.total_seconds(), lambda: self._check_answered(delivered))

        process.on_end, process.on_crash, process.on_failure = end, crash, lambda error: repeat(f"failed: {error}")
        process.start()

    def sweep(self) -> None:
        """The schedule: a sweep now, and the next one after the interval."""
        if self.sweeps:
            self.publish(dict(SWEEP_INPUT), "", "sweep")
            self.scheduler.after(self.sweeps_every_s, self.sweep)

    def tick(self) -> None:
        """The controllers of the clusters, every few seconds."""
        self.world.tick()
        self.world.reads.clear()
        self.scheduler.after(30, self.tick)

    def watch_audit_log(self, cluster: str, record: Mapping[str, Any]) -> None:
        """One record of the audit log of a cluster, through the node watcher."""
        happened = self.scheduler.now
        process = self.process("node watcher", lambda process: programs.watch_nodes(self.ports, process, cluster, record))
        process.on_crash = lambda: process.start(60.0)
        process.on_failure = lambda error: self.tell(f"{process.name} failed: {error}")
        process.start(1.0)
        del happened

    # --- the remediator

    def _begin_execution(self, arn: str, incident: Incident) -> None:
        payload = {"incident_id": incident.id, "target": incident.target.key, "execution": incident.execution}
        process = self.process("execution", lambda process: programs.execute(self, process, execution, payload))
        execution = Execution(arn, hand_over_after=self.story.hand_over_after)
        self.executions[process.name] = execution
        self.running[process.name] = process

        def end(result: Any) -> None:
            self.running.pop(process.name, None)
            if not execution.is_stopped:
                self.remediator.executions[arn] = "SUCCEEDED"
            self.tell(f"{process.name} ended: {result}")

        def crash() -> None:
            self.tell(f"{process.name} crashed")
            self._hide_writes(process)
            if execution.is_stopped:
                process.is_over = True
                self.running.pop(process.name, None)
            else:
                process.start(5.0)

        process.on_end, process.on_crash, process.on_failure = end, crash, lambda error: self._fail(process, error)
        process.start(0.3)
        self.tell(f"{process.name} starts for incident {incident.id} of {incident.target.cluster}")

    def forget_reads(self, process: Process) -> None:
        """The next attempt of the step does not know what this one has read of role and OIDC provider."""
        incident = self._works_on.get(process.name)
        if incident and (before := self._evidence[process.name].refuted_before) is not None:
            self.ledger.refuted[incident.id] = dict(before)

    def _hide_writes(self, process: Process) -> None:
        """Nothing tells the next attempt of the step what this one has written. It finds its own write, or a change that hides it."""
        self.forget_reads(process)
        unrecorded = self._evidence[process.name].unrecorded
        if unrecorded:
            self.ledger.untraced.setdefault(self._works_on[process.name].id, set()).update(unrecorded)
        unrecorded.clear()

    def _fail(self, process: Process, error: RemediatorError) -> None:
        raise InvariantViolated(f"{process.name} ended with {type(error).__name__}: {error}")

    def work_on(self, process: Process, incident: Incident) -> None:
        """Note the incident that a process works on."""
        self._works_on[process.name] = incident
        self.ledger.opened_at.setdefault(incident.id, incident.opened_at)

    @property
    def remediator_cache(self) -> Cache:
        """What the environment of the remediator keeps."""
        return self._remediator_cache

    def stop_execution(self, cluster: str = "") -> None:
        """Stop a running execution, of this cluster where one is named. Its process goes on until its next checkpoint."""
        for name in self.running:
            execution = self.executions[name]
            works_on = self._works_on.get(name)
            if not execution.is_stopped and (not cluster or (works_on and works_on.target.cluster == cluster)):
                execution.is_stopped = True
                self.remediator.executions[execution.arn] = "STOPPED"
                self.tell(f"{name} is stopped by a person")
                return

    def deploy(self) -> None:
        """A new version: fresh environments, and checkpoints that another version wrote."""
        self._environments.clear()
        self._remediator_cache = Cache(REMEDIATOR_CACHE_S)
        for execution in self.executions.values():
            execution.journal.results = {name: _of_another_version(text) for name, text in execution.journal.results.items()}
            execution.journal.polls = {name: (_of_another_version(text), count) for name, (text, count) in execution.journal.polls.items()}
        for row in self.incidents.rows.values():
            row.carried = _of_another_version(row.carried) if row.carried else ""

    # --- people

    def _let_person_answer(self, incident: Incident, callback_id: str, plan: str) -> None:
        chance = Random(f"{self.story.seed} answer {callback_id}")
        answer = chance.choices(("approve", "reject", "another plan", "nothing"), weights=(5, 1, 2, 1))[0]
        by = {"approve": ApprovalAnswer(approved=True, plan=plan, by="alice"), "reject": ApprovalAnswer(approved=False, by="alice")}
        given = by.get(answer, ApprovalAnswer(approved=True, plan="0" * 24, by="mallory"))

        def give() -> None:
            self.tell(f"a person answers {callback_id}: {answer}")
            if answer == "approve":
                self.ledger.approved.add(incident.id)
            self._answers[callback_id] = given
            if waiting := self._awaits.pop(callback_id, None):
                waiting.wake()

        if answer != "nothing":
            self.scheduler.after(chance.uniform(5, 1200), give)

    def wait_for_answer(self, process: Process, callback_id: str, seconds: int) -> ApprovalAnswer:
        """The answer to an approval request."""
        self._awaits[callback_id] = process
        process.wait_for(lambda: callback_id in self._answers, seconds)
        return self._answers.get(callback_id, ApprovalAnswer(approved=False, timed_out=True))

    def fix(self, cluster: str, skew_s: float = 0.0) -> None:
        """A person runs `irsa-remediator fix`, whose clock may be wrong."""
        target = ServiceAccountRef(cluster, *KEY)
        run = programs.PersonsRun(self, target)
        skew_s = Random(f"{self.story.seed} person").uniform(-240, 240) if self.hazards.skew_s else skew_s
        process = self.process("person", run.run, skew_s=skew_s)

        def end(result: Any) -> None:
            run.is_over = True
            self.tell(f"{process.name} ended: {result}")

        process.on_end, process.on_crash = end, lambda: end("closed the laptop")
        process.on_failure = lambda error: end(f"{type(error).__name__}: {error}")
        process.start()

        def beat() -> None:
            if not run.is_over:
                run.beat(process)
                self.scheduler.after(HEARTBEAT_INTERVAL.total_seconds(), beat)

        beat()

    # --- what must hold once nothing goes wrong any more

    def check_signals(self) -> None:
        """No lost signal: a check followed each event, or an incident or a lease is left for the next sweep.

        Raises:
            InvariantViolated: an event was lost.
        """
        for delivered in self._delivered:
            self._check_answered(delivered)

    def _check_answered(self, delivered: Delivered) -> None:
        row, there = self.incidents.rows.get(ServiceAccountRef(delivered.cluster, *KEY).key), self.world.clusters.get(delivered.cluster)
        is_left = row is not None and (row.incident is not None or row.idle.lease_holder or row.idle.signals)
        checked = self._checked_at.get(delivered.cluster)
        if there and there.facts.created_at < delivered.happened and not is_left and (checked is None or checked < delivered.happened):
            event = f"{delivered.name} of {delivered.cluster} at {delivered.happened}"
            raise InvariantViolated(f"a lost signal: {event}, and the latest check began at {checked}")

    def check_told(self, cluster: str, *, is_early: bool = False) -> None:
        """A cluster that is still wrong was reported, and a person knows what to do. `is_early`: at least one message was sent.

        Without a binding nothing watches a cluster that has no incident, as when it was deleted and made anew.

        Raises:
            InvariantViolated: nobody was told.
        """
        state = self.world.state_of(cluster)
        row = self.incidents.rows.get(ServiceAccountRef(cluster, *KEY).key)
        incident = row.incident if row else None
        if state.is_right:
            return
        told = incident or (row.past[-1] if row and row.past and state.binding is None else None)
        if told is None and state.binding is None:
            return
        said = self.ledger.messages.get(told.id, []) if told else []
        if not (said if is_early else told_person(said)):
            raise InvariantViolated(f"silence: {cluster} is wrong for hours ({state.why_wrong}), and the messages are {said}")

    def check_quiet(self, since: datetime, most: int) -> None:
        """An unrepairable world ends quiet: no write and few messages since then.

        Raises:
            InvariantViolated: there were more.
        """
        if self.ledger.last_write_at and self.ledger.last_write_at > since:
            raise InvariantViolated(f"no end: a write at {self.ledger.last_write_at}, long after the faults have stopped")
        recent = [at for at in self._messages if at > since]
        if len(recent) > most:
            raise InvariantViolated(f"no end: {len(recent)} messages since {since}")

    def check_converged(self, cluster: str) -> None:
        """The cluster is right, no incident is open, and no lease is held.

        Raises:
            InvariantViolated: something is left.
        """
        state, row = self.world.state_of(cluster), self.incidents.rows.get(ServiceAccountRef(cluster, *KEY).key)
        if not state.is_right:
            raise InvariantViolated(f"no convergence: {cluster} is wrong: {state.why_wrong}")
        if row and row.incident:
            raise InvariantViolated(f"no convergence: {cluster} is right, and incident {row.incident.id} stays open")
        if row and row.idle.lease_holder:
            raise InvariantViolated(f"no convergence: {cluster} is right, and check {row.idle.lease_holder} keeps its lease")

    def check_repaired(self, cluster: str) -> None:
        """The cluster is right again, unless a limit over history forbids a repair, or nothing fails outside the maintenance window.

        Raises:
            InvariantViolated: a fault was left that the product can repair.
        """
        state, target = self.world.state_of(cluster), ServiceAccountRef(cluster, *KEY)
        window = self.world.settings(cluster).maintenance_window
        if isinstance(window, Window) and not is_open(window, self.scheduler.now) and not state.fails:
            return
        day = self.scheduler.now - timedelta(days=1)
        repairs = [one for one in self.incidents.history(target, day) if one.changes]
        if not state.is_right and len(repairs) < MAX_UNDONE and self.world.settings(cluster).max_repairs_per_hour > len(repairs):
            raise InvariantViolated(f"a fault was not repaired: {cluster} is wrong in a world without faults: {state.why_wrong}")


def _kind_of(method: str, arguments: tuple[Any, ...]) -> str:
    """The method, with the roll-back of an association under a name of its own: its token shows it."""
    return ROLL_BACK if method == "eks.update_association" and str(arguments[-1]).endswith("-rollback") else method


def _of_another_version(text: str) -> str:
    """A checkpoint as a version with one more field in each object writes it."""
    return json.dumps(_with_field(json.loads(text)))


def _with_field(value: Any) -> Any:
    if isinstance(value, dict):
        return {**{key: _with_field(item) for key, item in value.items()}, "addedLater": 1}
    return [_with_field(item) for item in value] if isinstance(value, list) else value
