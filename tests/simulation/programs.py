"""The programs of the processes: the real entry points of checker, remediator, node watcher and command line, over recorded ports."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cli.errors import CommandError
from cli.interactive import incident_lease
from cli.interactive.steps import InteractiveRemediationSteps, InteractiveSettings
from lambdas.application.assessment import PolicySources
from lambdas.application.check.pipeline import run as run_check
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.application.remediation.workflow import remediate
from lambdas.application.workflow_steps import StepId, StepPurpose
from lambdas.domain.errors import RemediatorError
from lambdas.node_watcher.audit_events import WatcherDependencies, publish_findings
from lambdas.notifications.message_context import ApprovalAnswer, MessageContext
from lambdas.remediator import handler
from tests import fakes
from tests.over_fakes.journaled_steps import Phase
from tests.simulation.process import Cache, Port
from tests.simulation.steps import Execution, SimulatedSteps
from tests.unit.node_watcher.audit_records import payload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.application.readers import Readers
    from lambdas.application.remediation.results import NotificationResult
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.incidents.incident import Incident
    from tests.over_fakes.fake_ports import FakePorts
    from tests.simulation.process import Process
    from tests.simulation.simulation import LambdaEnvironment, Simulation

PERSON: Final = "arn:aws:iam::111122223333:user/alice"


def _silent(*_: object, **__: object) -> None:
    """Metrics and log lines are not part of the simulation."""


def _readers(ports: FakePorts, process: Process, cache: Cache | None) -> Readers:
    readers = ports.readers
    return replace(
        readers,
        parameters=Port(process, "parameters", readers.parameters, cache),
        eks=Port(process, "eks", ports.eks, cache),
        iam=Port(process, "iam", readers.iam, cache),
        clusters=Port(process, "clusters", readers.clusters),
    )


def check(ports: FakePorts, process: Process, environment: LambdaEnvironment, event: Mapping[str, Any]) -> Any:
    """One invocation of the checker. What it keeps in its environment is kept when it ends."""
    sweeps, refusals = dict(environment.last_sweep_checks), dict(environment.last_refusals)
    result = run_check(
        event,
        replace(
            ports.ports,
            readers=_readers(ports, process, environment.cache),
            uncached_readers=_readers(ports, process, None),
            incidents=Port(process, "incidents", ports.incidents),
            remediator=Port(process, "remediator", ports.remediator),
            events=Port(process, "events", ports.bus),
            checks=Port(process, "checks", ports.checker),
            metrics=_silent,
            log=_silent,
            now=process.now,
            sleep=process.sleep,
            last_sweep_checks=sweeps,
            last_refusals=refusals,
        ),
    )
    environment.last_sweep_checks.update(sweeps)
    environment.last_refusals.update(refusals)
    return result


def watch_nodes(ports: FakePorts, process: Process, cluster: str, record: Mapping[str, Any]) -> Any:
    """One invocation of the node watcher."""
    batch = payload([record], logGroup=f"/aws/eks/{cluster}/cluster")
    dependencies = WatcherDependencies(
        parameters=Port(process, "parameters", ports.readers.parameters),  # type: ignore[arg-type]
        bus=Port(process, "events", ports.bus),  # type: ignore[arg-type]
        parse_json=json.loads,
        warn=_silent,
    )
    return publish_findings(batch, dependencies, account=fakes.ENVIRONMENT.account, our_roles=())


def _steps_of(
    simulation: Simulation, process: Process, incident: Incident, cache: Cache | None, kind: type[RemediationSteps] = RemediationSteps
) -> RemediationSteps:
    ports, incidents = simulation.ports, Port(process, "incidents", simulation.incidents)
    return kind(
        incident=incident,
        readers=_readers(ports, process, cache),
        policy_sources=PolicySources(incidents=incidents, calendar=Port(process, "calendar", ports.calendar)),  # type: ignore[arg-type]
        incidents=incidents,  # type: ignore[arg-type]
        notifier=Port(process, "notifier", ports.notifier),  # type: ignore[arg-type]
        events=Port(process, "events", ports.bus),  # type: ignore[arg-type]
        metrics=_silent,
        log=_silent,
        environment=ports.environment,
        now=process.now,
        sleep=process.sleep,
        jitter=lambda: 1.0,
    )


def execute(simulation: Simulation, process: Process, execution: Execution, event: dict[str, Any]) -> Any:
    """One invocation of the remediator: what the handler does, with the steps of the simulation."""
    steps = SimulatedSteps(
        journal=execution.journal,
        sleep=process.pause,
        process=process,
        execution=execution,
        crashes=partial(simulation.crash_at, process),
        ask_person=partial(simulation.wait_for_answer, process),
        forget_reads=partial(simulation.forget_reads, process),
    )
    opened = steps.until(
        StepId(StepPurpose.OPEN),
        handler.OpenResult(),
        lambda _: handler.open_incident(event),
        lambda result: result.is_answered,
        handler.OPEN_SCHEDULE,
    )
    if opened.incident is None:
        return "not open"
    simulation.work_on(process, opened.incident)
    work = _steps_of(simulation, process, opened.incident, simulation.remediator_cache)
    return remediate(opened.incident, steps, work, opened.carried).outcome


@dataclass(kw_only=True)
class PersonsSteps(RemediationSteps):
    """The steps of a run at the terminal. The prompt shows the plan, so no request is sent."""

    has_exact_clock: ClassVar[bool] = InteractiveRemediationSteps.has_exact_clock
    plans: list[str] = field(default_factory=list)

    def request_approval(self, context: MessageContext, callback_id: str) -> NotificationResult:
        from lambdas.application.remediation.results import DeliveryState, NotificationResult

        self.plans.append(context.current.plan_digest)
        return NotificationResult(at=self.now(), state=DeliveryState.SENT)


@dataclass(kw_only=True)
class LeasedSteps(SimulatedSteps):
    """Steps with a heartbeat before each one, as the command line has it."""

    lease: incident_lease.IncidentLease

    def _reach(self, name: str, attempt: int, phase: Phase) -> None:
        if phase is Phase.BEFORE:
            self.lease.renew()
        super()._reach(name, attempt, phase)


class PersonsRun:
    """`irsa-remediator fix`: claim, approve at the prompt, then the same workflow, which nothing repeats."""

    def __init__(self, simulation: Simulation, target: ServiceAccountRef) -> None:
        self.is_over = False
        self._simulation = simulation
        self._target = target
        self._execution = Execution(f"person/{target.cluster}/1")
        self._incident: Incident | None = None
        self._lease: incident_lease.IncidentLease | None = None
        self._plans: list[str] = []

    def run(self, process: Process) -> Any:
        """The whole run."""
        incident = self._claim(process)
        if incident is None:
            return "someone else works on it"
        self._simulation.work_on(process, incident)
        incidents = Port(process, "incidents", self._simulation.incidents)
        self._lease = incident_lease.IncidentLease(incident, incidents, process.now)  # type: ignore[arg-type]
        work = _steps_of(self._simulation, process, incident, None, PersonsSteps)
        assert isinstance(work, PersonsSteps)
        parameters = InteractiveSettings(work.readers.parameters, self._target.cluster, override=False)
        work.readers, work.plans = replace(work.readers, parameters=parameters), self._plans
        steps = LeasedSteps(
            journal=self._execution.journal,
            sleep=process.sleep,
            process=process,
            execution=self._execution,
            crashes=partial(self._simulation.crash_at, process),
            ask_person=lambda _, __: ApprovalAnswer(approved=True, plan=self._plans[-1], by=PERSON),
            forget_reads=partial(self._simulation.forget_reads, process),
            lease=self._lease,
        )
        return remediate(incident, steps, work).outcome

    def _claim(self, process: Process) -> Incident | None:
        incidents = Port(process, "incidents", self._simulation.incidents)
        outside = SimpleNamespace(incidents=incidents, now=process.now, caller=PERSON)
        try:
            self._incident = incident_lease.claim(self._target, None, outside)  # type: ignore[arg-type]
        except CommandError:
            return None
        return self._incident

    def beat(self, process: Process) -> None:
        """The heartbeat of the thread in the background."""
        if self._incident is None or self._lease is None:
            return
        at = self._simulation.scheduler.now + process.skew
        try:
            if self._simulation.incidents.renew_heartbeat(self._incident, at):
                self._lease._acknowledged_at = at
            else:
                self._lease._lost.set()
        except RemediatorError:
            return
