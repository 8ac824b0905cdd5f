"""The daily digest as a message: what is still open first, then what the last day's incidents came to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from lambdas.contract.environment import Environment
from lambdas.contract.names import PROJECT
from lambdas.contract.settings import Severity
from lambdas.domain.incidents.daily_digest import DAY, Day, StillOpen
from lambdas.domain.incidents.incident import Incident, Outcome, PastIncident
from lambdas.domain.plurals import many
from lambdas.domain.ports import Message
from lambdas.notifications import chat, escape, mail
from lambdas.notifications.content import Content
from lambdas.notifications.principals import short_name
from lambdas.notifications.time_text import clock, duration, seconds_between
from lambdas.notifications.title import Mark
from lambdas.notifications.wording import Code, Phrase, join, say

MOST_LINES: Final = 8
"""Incidents of one kind that are told each by itself; beyond that a list is read in the terminal."""
MOST_STEPS: Final = 5

_OUTCOMES: Final[Mapping[Outcome, tuple[str, str]]] = {
    Outcome.NEEDS_ACTION: ("needed a person", "Closed without a proof, since only a person could repair it:"),
    Outcome.BLOCKED: ("left as found", "Told and left as found, by a setting or a rule:"),
    Outcome.VERIFIED: ("repaired", "Repaired and proven:"),
    Outcome.RECOVERED: ("well again unaided", "Well again without a write of ours:"),
}
"""How incidents ended, the weightiest first: in the headline's words, and as a heading."""


def digest_message(day: Day, *, environment: Environment) -> Message:
    """Write the message of a day that has something to tell."""
    content = _content(day, environment)
    return Message(
        thread=content.thread,
        subject=mail.subject(content),
        chat=chat.notification(content, callback_id="", region=environment.region),
        text=mail.text(content),
        attributes={name: escape.plain(content.context[name]) for name in ("severity", "outcome")},
    )


def _content(day: Day, environment: Environment) -> Content:
    thread = f"digest-{day.until:%Y%m%dT%H%M}"
    waiting = bool(day.still_open)
    return Content(
        thread=thread,
        id=thread,
        event_type=f"{PROJECT}:digest",
        mark=_mark(day),
        title=say("Last day in {account} {region}: {counts}", account=environment.account, region=environment.region, counts=_counts(day)),
        paragraphs=tuple(_paragraphs(day)),
        heading="For you to do:" if waiting else "To read more:",
        steps=tuple(_steps(day)),
        instead_of_long_step=say("{command}", command=Code("irsa-remediator history")),
        moments=(),
        documents=(),
        foot=say(
            "From {since} to {until} · {clusters} · {account} {region}",
            since=clock(day.until - DAY),
            until=clock(day.until),
            clusters=many(day.clusters, "cluster"),
            account=environment.account,
            region=environment.region,
        ),
        keywords=_clusters(day),
        resources=(),
        context={"severity": Severity.WARNING if _unsettled(day) else Severity.INFO, "outcome": "digest"},
    )


def _unsettled(day: Day) -> bool:
    return bool(day.still_open) or any(item.outcome in (Outcome.NEEDS_ACTION, Outcome.BLOCKED) for item in day.closed)


def _mark(day: Day) -> Mark:
    """Orange where something is still open, yellow where something was left as it was, green where all of it is over."""
    return Mark.ACTION if day.still_open else Mark.NOTE if _unsettled(day) else Mark.OK


def _counts(day: Day) -> str:
    """`1 still open, 2 repaired`."""
    told = [f"{len(day.still_open)} still open"] if day.still_open else []
    ended = {outcome: sum(item.outcome is outcome for item in day.closed) for outcome in _OUTCOMES}
    return ", ".join([*told, *(f"{count} {_OUTCOMES[outcome][0]}" for outcome, count in ended.items() if count)])


def _paragraphs(day: Day) -> Iterator[Phrase]:
    if day.still_open:
        yield from _listed("Still open:", [_open_line(item, day) for item in day.still_open])
    for outcome, (_, heading) in _OUTCOMES.items():
        ended = [item for item in day.closed if item.outcome is outcome]
        if ended:
            yield from _listed(heading, [_closed_line(item, day) for item in ended])


def _listed(heading: str, lines: Sequence[Phrase]) -> Iterator[Phrase]:
    yield say(heading)
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield say("• and {more}", more=many(len(lines) - MOST_LINES, "more incident"))


def _open_line(it: StillOpen, day: Day) -> Phrase:
    state = say("open for {time}", time=duration(seconds_between(it.incident.opened_at, day.until) or 0))
    return _line(it.incident, it.sentence, [state, *_whose(it.incident), _signals(it.incident)])


def _whose(incident: Incident) -> Iterator[Phrase]:
    if incident.callback_id:
        yield say("waits for an answer")
    if incident.held_by_a_person:
        yield say("in the hands of {who}", who=short_name(incident.holder))


def _closed_line(it: PastIncident, day: Day) -> Phrase:
    found = str((it.details or {}).get("sentence") or it.verdict)
    took = duration(seconds_between(it.opened_at, it.closed_at) or 0)
    return _line(it, found, [say("{at}, took {took}", at=clock(it.opened_at, day.until), took=took), _signals(it)])


def _signals(it: Incident | PastIncident) -> Phrase:
    return say("{signals}", signals=many(it.signals, "signal"))


def _line(it: Incident | PastIncident, found: str, facts: Iterable[Phrase]) -> Phrase:
    said = [say("{words}", words=found.rstrip("."))] if found else []
    return say(
        "• {cluster} {account}: {facts} · incident {id}",
        cluster=it.target.cluster,
        account=f"{it.target.namespace}/{it.target.name}",
        facts=join([*said, *facts], " · "),
        id=it.id[:8],
    )


def _steps(day: Day) -> Iterator[Phrase]:
    asked = [item.incident for item in day.still_open if item.incident.callback_id]
    others = dict.fromkeys(item.incident.target.cluster for item in day.still_open if not item.incident.callback_id)
    steps = [
        *(say("Answer: {command}", command=Code(f"irsa-remediator approve {item.id}")) for item in asked),
        *(say("See what is broken now: {command}", command=Code(f"irsa-remediator check --cluster {other}")) for other in others),
    ]
    yield from steps[: MOST_STEPS - 1]
    yield say("Every incident, and each as a timeline: {command}", command=Code("irsa-remediator history"))


def _clusters(day: Day) -> tuple[str, ...]:
    told = [*(item.incident.target.cluster for item in day.still_open), *(item.target.cluster for item in day.closed)]
    return tuple(dict.fromkeys(told))[:10]
