"""Sending a message once, and announcing the same on the event bus."""

from collections.abc import Mapping
from typing import Final

from lambdas.application.remediation.steps.step_context import LONGEST_WORDS, StepContext
from lambdas.application.workflow_steps import Json
from lambdas.contract.events import OwnEvent
from lambdas.domain.assessment.summary import summary_from_json
from lambdas.domain.errors import RemediatorError
from lambdas.domain.planning.actions import DONE
from lambdas.notifications import published_events
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import context_from_state
from lambdas.notifications.messages import message

EVENTS: Final[Mapping[str, OwnEvent]] = {
    NotificationKind.REPAIRING: OwnEvent.STARTED,
    NotificationKind.VERIFIED: OwnEvent.VERIFIED,
    NotificationKind.NEEDS_ACTION: OwnEvent.NEEDS_ACTION,
    NotificationKind.NOT_APPROVED: OwnEvent.NEEDS_ACTION,
    NotificationKind.BLOCKED: OwnEvent.BLOCKED,
}


def below_severity(about: Json) -> bool:
    """Whether neither the first look nor this one is as severe as the settings want people to be told of."""
    first, now = summary_from_json(about["first"]), summary_from_json(about["look"])
    return max(first.severity.rank, now.severity.rank) < now.notify_from.rank


def send(context: StepContext, key: str, about: Json, occasion: NotificationKind, callback_id: str = "") -> Json:
    """Once per key, as the incident's row remembers: `{"sent": bool, "failed": why, "at": iso}`."""
    try:
        told = context.patiently(lambda: context.incidents.notified_states(context.incident))
        written = message(context_from_state(occasion, about, context.incident), environment=context.environment, callback_id=callback_id)
        if key not in told:
            context.patiently(lambda: context.notifier.send(written))
            context.patiently(lambda: context.incidents.mark_notified(context.incident, key))
        if occasion in EVENTS and (announced := f"{key} announced") not in told:  # apart, so that a bus that is down repeats no message
            event = _event(context, EVENTS[occasion], about, written.text)
            context.patiently(lambda: context.events.put([event]))
            context.patiently(lambda: context.incidents.mark_notified(context.incident, announced))
    except RemediatorError as error:
        context.log("report", f"not sent: {error}", incident=context.incident.id, occasion=occasion, error=error)
        return {"sent": False, "failed": str(error)[:LONGEST_WORDS], "at": context.at()}
    context.log("report", written.subject, incident=context.incident.id, occasion=occasion)
    return {"sent": True, "at": context.at()}


def _event(context: StepContext, kind: OwnEvent, about: Json, summary: str) -> tuple[str, Mapping[str, object]]:
    first, now = summary_from_json(about["first"]), summary_from_json(about["look"])
    return published_events.remediation(
        kind,
        context.incident.target,
        incident=context.incident.id,
        verdict=first.verdict,
        severity=now.severity,
        summary=summary.splitlines()[0],
        opened_at=context.incident.opened_at,
        at=context.now(),
        changes=[DONE.get(fromkey, fromkey) for fromkey in dict.fromkeys(about["changes"])],
        next_steps=now.remedies,
        runbook=f"{context.environment.runbook_root}/{first.verdict}.md",
    )
