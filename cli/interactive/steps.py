"""The remediator's workflow with a person beside it: steps of this process, questions at the prompt, messages on the screen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.application.workflow_steps import TIMED_OUT, InProcessSteps, PollSchedule
from lambdas.contract.settings import Mode, settings_path
from lambdas.domain.assessment.summary import summary_from_json
from lambdas.domain.errors import RemediatorError
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.ports import Parameter
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import context_from_state
from lambdas.notifications.messages import message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cli.interactive.incident_lease import IncidentLease
    from cli.interactive.progress_display import ProgressDisplay
    from lambdas.application.workflow_steps import Json
    from lambdas.domain.ports import EventsPort, Message, NotifierPort, ParametersPort

RELEASES: Final = 3
"""Attempts to close; each that fails has looked after a signal that came meanwhile. What is left open then is taken over by a sweep."""
_LIFTED: Final = {"cooldown_s": "0", "max_repairs_per_hour": "60", "maintenance_window": "always", "circuit_breaker_clusters": "1000"}


class InteractiveSettings:
    """Parameters as a person's run counts them: it asks before it acts, whatever the mode, and with `lifted` no rule paces it."""

    def __init__(self, parameters: ParametersPort, cluster: str, *, lifted: bool) -> None:
        self._parameters = parameters
        texts = {"mode": str(Mode.APPROVE), **(_LIFTED if lifted else {})}
        self._own = {settings_path(cluster, name): Parameter(value=text) for name, text in texts.items()}

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        """Bindings and settings, with ours in the place of the cluster's."""
        return {**self._parameters.load(cluster), **self._own}


class BestEffortNotifier:
    """Tells colleagues and the event bus where we may. What cannot be told is noted on the screen, where its reader sits anyway."""

    def __init__(self, notifier: NotifierPort, events: EventsPort, screen: ProgressDisplay) -> None:
        self._notifier = notifier
        self._events = events
        self._screen = screen

    def send(self, message: Message) -> None:
        """To the topics."""
        self._or_note("chat was not told", lambda: self._notifier.send(message))

    def put(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """To the bus."""
        self._or_note("the event bus was not told", lambda: self._events.put(events))

    def _or_note(self, what: str, do: Callable[[], None]) -> None:
        try:
            do()
        except RemediatorError as error:
            self._screen.note(f"{what}: {error}")


@dataclass(kw_only=True)
class InteractiveRemediationSteps(RemediationSteps):
    """The steps' bodies as they are, but that questions go to the prompt, nobody is reminded, and what was told last is kept."""

    first: Json = field(default_factory=dict)
    last: Json = field(default_factory=dict)
    asked: Json = field(default_factory=dict)
    lines: list[Json] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    told: Message | None = None
    signals: int = 0

    def look(self, turn: int, former: Json) -> Json:
        """Remember what was seen, for the case that the run is broken off."""
        state = super().look(turn, former)
        if seen := state.get("look"):
            self.first, self.last, self.signals = self.first or seen, seen, state["signals"]
        return state

    def act(self, action: Json) -> Json:
        """Remember what was done, likewise."""
        outcome = super().act(action)
        if outcome.get("done"):
            self.changes.append(str(action["kind"]))
            self.lines.append({"at": outcome["at"], "what": action["kind"], "words": outcome["words"]})
        return outcome

    def tell(self, key: str, about: Json) -> Json:
        """Told and kept for the screen. Nobody hears of a person who decided against it, or is reminded by a run that ends."""
        occasion = NotificationKind(about["occasion"])
        if occasion in (NotificationKind.REMINDER, NotificationKind.NOT_APPROVED):
            return {"sent": False, "at": about["look"]["began_at"]}
        self.told = message(context_from_state(occasion, about, self.incident), environment=self.environment)
        return super().tell(key, about)

    def ask(self, about: Json, callback_id: str) -> Json:  # as the port has it
        """The question is answered at the prompt: nothing is sent."""
        self.asked = about["look"]
        return {}

    def release(self) -> None:
        """Close the incident of a run that was broken off; what was done stands in its history. A signal that no look saw is seen first."""
        if not self.last:
            self.look(1, {})
        state: Json = {"look": self.last, "signals": self.signals}
        for _ in range(RELEASES if self.last else 0):
            outcome = Outcome.VERIFIED if summary_from_json(state["look"]).sound and self.changes else Outcome.NEEDS_ACTION
            about = {"first": self.first, "lines": self.lines, "trail": [], "changes": self.changes}
            state = self.close(outcome, {**about, **state}, state)
            if state.get("closed"):
                return


@dataclass
class InteractiveSteps(InProcessSteps):
    """Steps of this process that a person watches. Where the workflow would watch for days, this run ends: the person knows."""

    holding: IncidentLease | None = None
    screen: ProgressDisplay | None = None

    def once(self, name: str, do: Callable[[], Json]) -> Json:
        """Run it, as long as the incident is ours."""
        self._go_on(name)
        return super().once(name, do)

    def until(self, name: str, check: Callable[[Json], Json], settled: Callable[[Json], bool], patience: PollSchedule) -> Json:
        """Check in a loop, showing each state."""

        def shown(former: Json) -> Json:
            self._go_on(name)
            state = check(former)
            if self.screen:
                self.screen.state(state)
            return state

        if " watch " in name:
            return {**TIMED_OUT}
        return super().until(name, shown, settled, patience)

    def _go_on(self, name: str) -> None:
        if self.holding:
            self.holding.renew()
        if self.screen:
            self.screen.step(name)
