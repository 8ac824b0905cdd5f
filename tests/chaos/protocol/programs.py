"""The programs of the actors: checker pipeline, remediator handler and workflow, and the command line, over scripted ports."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeVar
from unittest.mock import patch

from cli.errors import CommandError
from cli.interactive import incident_lease
from lambdas.application.assessment import PolicySources, assess
from lambdas.application.check import check_loop, incident_handover, pipeline
from lambdas.application.check.dependencies import CheckDependencies
from lambdas.application.codec import decode, encode
from lambdas.application.readers import Hints, Readers
from lambdas.application.remediation import watch
from lambdas.application.remediation.results import ActionResult, ActionState, DeliveryState, NotificationResult
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.application.remediation.workflow import remediate
from lambdas.application.workflow_steps import InProcessSteps, PollSchedule, StepId, StepPurpose
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.errors import RemediatorError
from lambdas.domain.requests.request import CheckRequest, Trigger
from lambdas.remediator import handler
from tests import fakes
from tests.chaos.protocol.replay import Script
from tests.world import NAME, NAMESPACE, NOON, described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lambdas.application.remediation.results import NotificationKey
    from lambdas.domain.assessment.summary import AssessmentSummary
    from lambdas.domain.incidents.incident import Incident
    from lambdas.domain.planning.actions import Action
    from lambdas.domain.planning.planned_binding import PlannedBinding
    from lambdas.notifications.message_context import ApprovalAnswer, MessageContext

R = TypeVar("R")
TARGET: Final = ServiceAccountRef("demo", NAMESPACE, NAME)
MOST_ATTEMPTS: Final = 3
"""Attempts after which a waiting step times out; the search does not model time."""
REMINDERS: Final = (3600,)
"""One reminder before an incident is given up: each further one repeats the same calls."""
PERSON: Final = "arn:aws:iam::111122223333:user/alice"


def at(minute: float) -> datetime:
    """A time of the model as a datetime."""
    return NOON + timedelta(minutes=minute)


_WORLDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "whole": {},
    "broken": {"annotation": None},
    "held": {"annotation": None, "settings": {"mode": "observe"}},
}
"""Results of a check: `held` is broken, and the mode blocks the remediator."""


@cache
def _readers(found: str) -> Readers:
    world = described(_WORLDS[found])
    return fakes.readers_over(world)


@cache
def _checked(found: str) -> tuple[Any, Any, AssessmentSummary]:
    """Snapshot, diagnosis and assessment by the real code; one action repairs the cluster."""
    readers = _readers(found)
    policy_sources = PolicySources(incidents=fakes.FakeIncidents(), calendar=fakes.FakeCalendar())
    made = assess(TARGET, readers, policy_sources, NOON, Hints())
    seen = summarize(made.snapshot, made.diagnosis, made.plan)
    seen = replace(seen, actions=seen.actions[:1], links=())
    return made.snapshot, made.diagnosis, seen


def summary_at(found: str, began: str) -> AssessmentSummary:
    """The result of a check that began at this time."""
    return replace(_checked(found)[2], began_at=began)


class Scripted:
    """Implements any port: each method is one call to the outside."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments: self._script.ask(name, *arguments)


def _silent(*_: object, **__: object) -> None:
    return None


# --- the checker -------------------------------------------------------------------------------------------------------------------------


def checker(script: Script, *, event: int, occurred: float, trigger: Trigger, attempt: int) -> None:
    """One delivery of one event."""
    request = CheckRequest(trigger=trigger, occurred_at=at(occurred), event_id=f"e{event}", cluster=TARGET.cluster)
    ports = CheckDependencies(
        readers=_readers("whole"),
        uncached_readers=_readers("whole"),
        incidents=Scripted(script),  # type: ignore[arg-type]
        remediator=Scripted(script),  # type: ignore[arg-type]
        events=Scripted(script),  # type: ignore[arg-type]
        checks=Scripted(script),  # type: ignore[arg-type]
        metrics=_silent,
        log=_silent,
        environment=fakes.ENVIRONMENT,
        now=lambda: at(script.ask("now", local=True)),
        sleep=_silent,
    )

    def observe(*_: object, **__: object) -> tuple[Any, Any]:
        found = script.ask("observe")
        return _checked(found)[0], _checked(found)[1]

    name = f"e{event}a{attempt}"
    with patch.object(check_loop, "collect_and_diagnose", observe), _named(pipeline, name), _named(incident_handover, name):
        try:
            pipeline.check_target(TARGET, request, ports, deadline=ports.now() + check_loop.MAX_LEASE_TIME)
        except RemediatorError:
            script.ask("fail", local=True)


@contextmanager
def _named(module: Any, name: str) -> Iterator[None]:
    """Replace random names by names that identify the actor."""
    with patch.object(module, "uuid4", lambda: SimpleNamespace(hex=name)):
        yield


# --- the remediator ----------------------------------------------------------------------------------------------------------------------


@dataclass
class ModelDesk(RemediationSteps):
    """The real steps, with one call each for assessing, acting and notifying."""

    script: Script = field(default_factory=lambda: Script(()))

    def summarize(  # as the steps have it
        self, iteration: int, refusal: Mapping[str, Any] | None = None, unresolved: tuple[int, ...] = ()
    ) -> AssessmentSummary:
        found, minute = self.script.ask("observe_at", self.incident.is_held_by_person)
        return summary_at(found, at(minute).isoformat())

    def apply(self, action: Action, _binding: PlannedBinding, _former: ActionResult | None = None) -> ActionResult:
        self.script.ask("act", self.incident.id)
        return ActionResult(at=NOON, state=ActionState.DONE, message=action.kind)

    def notify(self, key: NotificationKey, context: MessageContext) -> NotificationResult:  # as the steps have it
        self.script.ask("mark_notified", self.incident, str(key))
        return NotificationResult(at=NOON, state=DeliveryState.SENT)


def _desk(incident: Incident, script: Script) -> ModelDesk:
    incidents = Scripted(script)
    return ModelDesk(
        incident=incident,
        readers=_readers("whole"),
        policy_sources=PolicySources(incidents=incidents, calendar=fakes.FakeCalendar()),  # type: ignore[arg-type]
        incidents=incidents,  # type: ignore[arg-type]
        notifier=fakes.FakeNotifier(),
        events=Scripted(script),  # type: ignore[arg-type]
        metrics=_silent,
        log=_silent,
        environment=fakes.ENVIRONMENT,
        now=lambda: NOON,
        sleep=_silent,
        jitter=lambda: 1.0,
        script=script,
    )


@dataclass
class JournaledSteps:
    """Steps of a durable execution. A step's result is a call of its own, its checkpoint; the explorer takes it into the journal."""

    script: Script
    journal: tuple[str, ...]
    passed: int = 0
    must_hand_over: bool = False

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        return self._stored(str(step), do, result)

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        state = initial
        for attempt in range(1 if step.purpose is StepPurpose.WATCH else MOST_ATTEMPTS):
            state = self._stored(f"{step} #{attempt + 1}", partial(check, state), type(initial))
            if is_settled(state):
                break
        return state

    def _stored(self, name: str, do: Callable[[], R], result: type[R]) -> R:
        if self.passed == len(self.journal):
            self.script.ask("checkpoint", name, json.dumps(encode(do())), local=True)
        self.passed += 1
        return decode(result, json.loads(self.journal[self.passed - 1]))

    def pause(self, step: StepId, seconds: int) -> None:
        """The search does not model time."""

    def ask(self, step: StepId, send: Callable[[str], bool], timeout_s: int) -> ApprovalAnswer:
        raise NotImplementedError(f"{step}: this model asks nobody")


def execution(script: Script, *, incident: str, journal: tuple[str, ...], hands_over: bool) -> None:
    """One invocation of the remediator's durable function. `incident` is the name of the execution."""
    incident_id, _, number = incident.partition("-")
    event = {"incident_id": incident_id, "target": TARGET.key, "execution": int(number or 1)}
    steps = JournaledSteps(script, journal, must_hand_over=hands_over)
    with patch.object(handler, "incidents", lambda: Scripted(script)):
        opened = steps.once(StepId(StepPurpose.OPEN), lambda: handler.open_incident(event), handler.OpenResult)
    if opened.incident:
        with patch.object(watch, "REMINDERS_S", REMINDERS):
            remediate(opened.incident, steps, _desk(opened.incident, script), opened.carried)


# --- a person ----------------------------------------------------------------------------------------------------------------------------


@dataclass
class PersonsSteps(InProcessSteps):
    """Like the command line: a heartbeat before each step; the run ends if it no longer holds the incident."""

    lease: Any = None

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        self.lease.renew()
        return super().once(step, do, result)

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        state = initial
        for _ in range(1 if step.purpose is StepPurpose.WATCH else MOST_ATTEMPTS):
            self.lease.renew()
            state = check(state)
            if is_settled(state):
                break
        return state


def person(script: Script) -> None:
    """`irsa-remediator fix`: claim, then the same workflow in this process."""
    incidents = Scripted(script)
    outside = SimpleNamespace(incidents=incidents, now=lambda: at(script.ask("now", local=True)), caller=PERSON)
    with _named(incident_lease, "person"):
        try:
            incident = incident_lease.claim(TARGET, None, outside)  # type: ignore[arg-type]
        except CommandError:
            return
        held = incident_lease.IncidentLease(incident, incidents, outside.now)  # type: ignore[arg-type]
        try:
            remediate(incident, PersonsSteps(sleep=_silent, lease=held), _desk(incident, script))
        except incident_lease.LeaseLost:
            return
