"""Sending a message once, and announcing the same on the event bus."""

from collections.abc import Mapping
from typing import Final

from lambdas.application.remediation.steps.step_context import LONGEST_WORDS, Bench
from lambdas.application.workflow_steps import Json
from lambdas.contract.events import OwnEvent
from lambdas.domain.assessment.summary import from_json_look
from lambdas.domain.errors import RemediatorError
from lambdas.domain.planning.actions import DONE
from lambdas.notifications import message, published_events
from lambdas.notifications.kind import Occasion

EVENTS: Final[Mapping[str, OwnEvent]] = {
    Occasion.ACTING: OwnEvent.STARTED,
    Occasion.PROVEN: OwnEvent.PROVEN,
    Occasion.NEEDS_YOU: OwnEvent.NEEDS_YOU,
    Occasion.NOT_APPROVED: OwnEvent.NEEDS_YOU,
    Occasion.WITHHELD: OwnEvent.WITHHELD,
}


def below_severity(about: Json) -> bool:
    """Whether neither the first look nor this one is as severe as the settings want people to be told of."""
    first, now = from_json_look(about["first"]), from_json_look(about["look"])
    return max(first.severity.rank, now.severity.rank) < now.notify_from.rank


def send(bench: Bench, key: str, about: Json, occasion: Occasion, callback_id: str = "") -> Json:
    """Once per key, as the incident's row remembers: `{"sent": bool, "failed": why, "at": iso}`."""
    try:
        told = bench.patiently(lambda: bench.incidents.told(bench.incident))
        written = message(occasion, about, bench.incident, environment=bench.environment, callback_id=callback_id)
        if key not in told:
            bench.patiently(lambda: bench.notifier.send(written))
            bench.patiently(lambda: bench.incidents.mark_told(bench.incident, key))
        if occasion in EVENTS and (announced := f"{key} announced") not in told:  # apart, so that a bus that is down repeats no message
            event = _event(bench, EVENTS[occasion], about, written.text)
            bench.patiently(lambda: bench.events.put([event]))
            bench.patiently(lambda: bench.incidents.mark_told(bench.incident, announced))
    except RemediatorError as error:
        bench.log("report", f"not sent: {error}", incident=bench.incident.id, occasion=occasion, error=error)
        return {"sent": False, "failed": str(error)[:LONGEST_WORDS], "at": bench.at()}
    bench.log("report", written.subject, incident=bench.incident.id, occasion=occasion)
    return {"sent": True, "at": bench.at()}


def _event(bench: Bench, kind: OwnEvent, about: Json, summary: str) -> tuple[str, Mapping[str, object]]:
    first, now = from_json_look(about["first"]), from_json_look(about["look"])
    return published_events.remediation(
        kind,
        bench.incident.target,
        incident=bench.incident.id,
        verdict=first.verdict,
        severity=now.severity,
        summary=summary.splitlines()[0],
        opened_at=bench.incident.opened_at,
        at=bench.now(),
        changes=[DONE.get(it, it) for it in dict.fromkeys(about["changes"])],
        left_for_you=now.remedies,
        runbook=f"{bench.environment.runbook_root}/{first.verdict}.md",
    )
