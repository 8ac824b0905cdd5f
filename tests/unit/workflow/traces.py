"""Writes down what a remediation does, as text: its steps with their results, and everything that leaves it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from lambdas.application.codec import encode
from lambdas.application.remediation.results import StepResult
from tests.unit.workflow.workflow_run import InterruptedSteps
from tests.world import NOON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lambdas.application.remediation.results import NotificationKey, NotificationResult
    from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
    from lambdas.application.workflow_steps import PollSchedule, StepId
    from lambdas.domain.incidents.incident import Incident, PastIncident
    from lambdas.notifications.message_context import ApprovalAnswer, MessageContext
    from tests.over_fakes.scenario_run import ScenarioRun

R = TypeVar("R")


@dataclass
class Trace:
    """The steps of a run with their results, and what has left the run at each of them, with the seconds since noon.

    Successive polls that differ in their time only are one entry, with their number.
    """

    run: ScenarioRun
    entries: list[tuple[str, str, int]] = field(default_factory=list)
    """`(seconds of the first poll, text, number of equal ones)`."""
    _seen: dict[str, int] = field(default_factory=dict)
    _event: Mapping[str, Any] = field(default_factory=dict)
    """The last published event. Of the next one only what differs is written."""
    _notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Write down the data of each notification, too."""
        steps_of = self.run.remediation_steps

        def traced(incident: Incident) -> RemediationSteps:
            work = steps_of(incident)
            notify = work.notify

            def noted(key: NotificationKey, context: MessageContext) -> NotificationResult:
                self._notes.append(f"  notify {key}: {json.dumps(_told(context), ensure_ascii=False)}")
                return notify(key, context)

            work.notify = noted  # type: ignore[method-assign]
            return work

        self.run.remediation_steps = traced  # type: ignore[method-assign]

    def skip(self) -> None:
        """Leave out what was sent before an execution began: by the check that started it."""
        list(self._news())

    def add(self, step: str, value: Any) -> None:
        """Add the result of a step, after what has left the run before."""
        (incident, *_) = self.run.opened
        text = "\n".join([*self._news(), f"{step} -> {self._result(value)}"])
        text = text.replace(incident.id, "<incident>").replace(self.run.environment.runbook_root, "<runbooks>")
        for message in self.run.notifier.sent:  # other golden files have the wording of messages
            text = text.replace(message.subject, "<subject>").replace(message.text.splitlines()[0], "<title>")
        first, former, times = self.entries[-1] if self.entries else ("", "", 0)
        if text == former:
            self.entries[-1] = (first, text, times + 1)
        else:
            self.entries.append((f"{(self.run.world.now - NOON).total_seconds():g} s", text, 1))

    def lines(self) -> Iterator[str]:
        """The entries as text."""
        for at, text, times in self.entries:
            yield f"{at}{f', {times} times' if times > 1 else ''}:\n{text}\n"

    def _result(self, value: Any) -> str:
        """The value as a checkpoint stores it, without the present time, and with the verdict in place of an assessment."""
        stored = encode(value)
        if (at := stored.pop("at", None)) != self.run.world.now.isoformat() and isinstance(value, StepResult):
            stored["at"] = at
        if summary := stored.get("summary"):
            stored["summary"] = summary["verdict"]
        return json.dumps(stored, ensure_ascii=False)

    def _news(self) -> Iterator[str]:
        run = self.run
        for title, text, details in self._new("log", run.log.lines):
            named = [f"{name}={_words(value)}" for name, value in details.items()]
            yield f"  log {title}: {'; '.join([text, *named])}"
        yield from (f"  write {write}" for write in self._new("write", run.world.writes))
        for name, value, dimensions in self._new("metric", run.metrics.counted):
            yield f"  metric {name} {value:g} {' '.join(dimensions.values())}".rstrip()
        yield from self._new("note", self._notes)
        for message in self._new("message", run.notifier.sent):
            yield f"  message {message.subject}"
        for kind, detail in self._new("event", run.bus.sent):
            changed = {name: value for name, value in detail.items() if self._event.get(name) != value}
            yield f"  event {kind}: {json.dumps(changed, default=str, ensure_ascii=False)}"
            self._event = detail

    def _new(self, name: str, items: list[Any]) -> list[Any]:
        start, self._seen[name] = self._seen.get(name, 0), len(items)
        return items[start:]


def _told(context: MessageContext) -> dict[str, Any]:
    """What a notification says besides the assessments and the timeline."""
    left_out = ("kind", "incident", "first", "current", "timeline")
    return encode({item.name: value for item in fields(context) if item.name not in left_out and (value := getattr(context, item.name))})


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


@dataclass
class TracedSteps(InterruptedSteps):
    """Steps that write down each result."""

    trace: Trace | None = None

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        value = super().once(step, do, result)
        self._add(str(step), value)
        return value

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        def traced(former: R) -> R:
            value = check(former)
            self._add(str(step), value)
            return value

        return super().until(step, initial, traced, is_settled, schedule)

    def ask(self, step: StepId, send: Callable[[str], bool], timeout_s: int) -> ApprovalAnswer:
        answer = super().ask(step, lambda _: send("callback"), timeout_s)
        self._add(f"{step}, within {timeout_s} s", answer)
        return answer

    def _add(self, subject: str, value: Any) -> None:
        if self.trace:
            self.trace.add(subject, value)


def history_lines(past: PastIncident) -> Iterator[str]:
    """The history record of an incident, a line for each field."""
    stored = encode(replace(past, id="<incident>"))
    details = stored.pop("details", {})
    yield from (f"{name}: {json.dumps(value)}" for name, value in (stored | details).items())
