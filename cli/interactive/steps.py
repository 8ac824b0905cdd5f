"""The remediation workflow with a person at the terminal: approval at the prompt, notifications where possible, progress on the screen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.application.workflow_steps import TIMED_OUT, InProcessSteps, PollSchedule
from lambdas.contract.settings import Mode, settings_path
from lambdas.domain.assessment.summary import summary_from_json
from lambdas.domain.errors import RemediatorError
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import context_from_state
from lambdas.notifications.messages import message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cli.interactive.incident_lease import IncidentLease
    from cli.interactive.progress_display import ProgressDisplay
    from lambdas.application.workflow_steps import Json
    from lambdas.domain.ports import EventsPort, Message, NotifierPort, ParametersPort

MAX_CLOSE_ATTEMPTS: Final = 3
"""Each attempt after the first has assessed a new signal. A sweep takes over an incident that stays open."""
_NO_PACING: Final = {"cooldown_s": "0", "max_repairs_per_hour": "60", "maintenance_window": "always", "circuit_breaker_clusters": "1000"}


class InteractiveSettings:
    """Parameters of an interactive run: it always asks for approval, and with `override` no policy limits its pace."""

    def __init__(self, parameters: ParametersPort, cluster: str, *, override: bool) -> None:
        self._parameters = parameters
        values = {"mode": str(Mode.APPROVE), **(_NO_PACING if override else {})}
        self._overlay = {settings_path(cluster, name): Parameter(value=value) for name, value in values.items()}

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        """Return bindings and settings, with the overlay in place of the cluster's settings."""
        return {**self._parameters.load(cluster), **self._overlay}


class BestEffortNotifier:
    """Notifies chat and event bus where the caller may. A failure becomes a note on the screen, because the user reads it there."""

    def __init__(self, notifier: NotifierPort, events: EventsPort, display: ProgressDisplay) -> None:
        self._notifier = notifier
        self._events = events
        self._display = display

    def send(self, message: Message) -> None:
        """Send a message to the topics."""
        self._try("the message was not sent to chat", lambda: self._notifier.send(message))

    def put(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Publish events."""
        self._try("the event was not published", lambda: self._events.put(events))

    def _try(self, failure: str, call: Callable[[], None]) -> None:
        try:
            call()
        except RemediatorError as error:
            self._display.note(f"{failure}: {error}")


@dataclass(kw_only=True)
class InteractiveRemediationSteps(RemediationSteps):
    """Remediation steps that ask for approval at the prompt, send no reminder, and keep what an interrupted run has to record."""

    first: Json = field(default_factory=dict)
    last: Json = field(default_factory=dict)
    proposed: Json = field(default_factory=dict)
    lines: list[Json] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    message: Message | None = None
    signals: int = 0

    def look(self, iteration: int, former: Json) -> Json:
        """Assess, and keep the result in case the run is interrupted."""
        state = super().look(iteration, former)
        if summary := state.get("look"):
            self.first, self.last, self.signals = self.first or summary, summary, state["signals"]
        return state

    def act(self, action: Json) -> Json:
        """Apply the action, and keep the result in case the run is interrupted."""
        outcome = super().act(action)
        if outcome.get("done"):
            self.changes.append(str(action["kind"]))
            self.lines.append({"at": outcome["at"], "what": action["kind"], "words": outcome["words"]})
        return outcome

    def tell(self, key: str, about: Json) -> Json:
        """Notify, and keep the message for the screen. A rejection at the prompt and reminders are not sent."""
        kind = NotificationKind(about["occasion"])
        if kind in (NotificationKind.REMINDER, NotificationKind.NOT_APPROVED):
            return {"sent": False, "at": about["look"]["began_at"]}
        self.message = message(context_from_state(kind, about, self.incident), environment=self.environment)
        return super().tell(key, about)

    def ask(self, about: Json, callback_id: str) -> Json:  # the parameter is the port's
        """Keep the plan for the prompt. No approval request is sent."""
        self.proposed = about["look"]
        return {}

    def close_interrupted(self) -> None:
        """Close the incident of an interrupted run with the applied changes in its history. New signals are assessed first."""
        if not self.last:
            self.look(1, {})
        state: Json = {"look": self.last, "signals": self.signals}
        for _ in range(MAX_CLOSE_ATTEMPTS if self.last else 0):
            is_verified = summary_from_json(state["look"]).is_healthy and self.changes
            about = {"first": self.first, "lines": self.lines, "trail": [], "changes": self.changes}
            state = self.close(Outcome.VERIFIED if is_verified else Outcome.NEEDS_ACTION, {**about, **state}, state)
            if state.get("closed"):
                return


@dataclass
class InteractiveSteps(InProcessSteps):
    """Steps of this process with an incident lease and a progress display. The run ends where the workflow would watch for days."""

    lease: IncidentLease | None = None
    display: ProgressDisplay | None = None

    def once(self, name: str, do: Callable[[], Json]) -> Json:
        """Run the step if the lease is still held."""
        self._before(name)
        return super().once(name, do)

    def until(self, name: str, check: Callable[[Json], Json], settled: Callable[[Json], bool], schedule: PollSchedule) -> Json:
        """Poll, and show each state."""

        def check_and_show(former: Json) -> Json:
            self._before(name)
            state = check(former)
            if self.display and (summary := state.get("look")):
                self.display.show_counts(summary["counts"])
            elif self.display:
                self.display.show_activity(state.get("words") or state.get("sentence") or state.get("unread") or "")
            return state

        if " watch " in name:
            return {**TIMED_OUT}
        return super().until(name, check_and_show, settled, schedule)

    def _before(self, name: str) -> None:
        if self.lease:
            self.lease.renew()
        if self.display:
            kind = name.partition(" ")[2].partition(" ")[0].removesuffix(":")
            self.display.show_activity(_ACTIVITIES.get(kind, ""))


_ACTIVITIES: Final = {
    "look": "assessing",
    "annotate-service-account": "setting the annotation",
    "replace-canary-pod": "replacing the canary pod",
    "restart-workload": "restarting the workload",
    "replace-stale-pods": "replacing stale pods",
    "update-addon-role": "updating the add-on record",
    "proof": "verifying",
    "close": "writing history",
}
