"""The daily digest as a message: open incidents first, then the incidents closed within the last day by outcome."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from lambdas.contract.environment import Environment
from lambdas.contract.names import PROJECT
from lambdas.contract.settings import Severity
from lambdas.domain.incidents.daily_digest import DAY, Day, StillOpen
from lambdas.domain.incidents.incident import Incident, Outcome, PastIncident
from lambdas.domain.plurals import pluralize
from lambdas.domain.ports import Message
from lambdas.notifications.content import Content
from lambdas.notifications.messages import render
from lambdas.notifications.owners import short_name
from lambdas.notifications.time_text import clock, duration, seconds_between
from lambdas.notifications.title import Mark
from lambdas.notifications.wording import Code, Phrase, join, phrase

MOST_LINES: Final = 8
"""Maximum incidents that one list shows; `irsa-remediator history` lists all of them."""
MOST_STEPS: Final = 5

_OUTCOMES: Final[Mapping[Outcome, tuple[str, str]]] = {
    Outcome.NEEDS_ACTION: ("needed a person", "Closed without a verified repair, because only a person can fix it:"),
    Outcome.INTERRUPTED: ("interrupted", "Interrupted by the person who repaired:"),
    Outcome.BLOCKED: ("not repaired", "Reported and not repaired, because of a setting or a policy:"),
    Outcome.VERIFIED: ("repaired", "Repaired and verified:"),
    Outcome.RECOVERED: ("recovered", "Recovered without a repair:"),
}
"""Outcome -> text in the title and heading in the body, the most important outcome first."""


def digest_message(day: Day, *, environment: Environment) -> Message:
    """The message of a day that is not quiet."""
    return render(_content(day, environment), environment=environment)


def _content(day: Day, environment: Environment) -> Content:
    thread = f"digest-{day.until:%Y%m%dT%H%M}"
    counts = tuple(_counts(day))
    place = environment.environment_name or f"{environment.account} {environment.region}"
    return Content(
        thread=thread,
        id=thread,
        event_type=f"{PROJECT}:digest",
        mark=Mark.ACTION if day.still_open else Mark.NOTE if _has_unfixed(day) else Mark.OK,
        titles=tuple(
            phrase("Last day in {place}: {counts}", place=place, counts=", ".join(counts[:shown])) for shown in range(len(counts), 0, -1)
        ),
        paragraphs=tuple(_paragraphs(day)),
        heading="Next steps:" if day.still_open else "Details:",
        steps=tuple(_steps(day)),
        long_step=phrase("{command}", command=Code("irsa-remediator history")),
        footer=phrase(
            "From {since} to {until} · {clusters} · {account} {region}",
            since=clock(day.until - DAY),
            until=clock(day.until),
            clusters=pluralize(day.clusters, "cluster"),
            account=environment.account,
            region=environment.region,
        ),
        keywords=_clusters(day),
        context={"severity": Severity.WARNING if _has_unfixed(day) else Severity.INFO, "outcome": "digest"},
    )


def _has_unfixed(day: Day) -> bool:
    return bool(day.still_open) or any(incident.outcome in (Outcome.NEEDS_ACTION, Outcome.BLOCKED) for incident in day.closed)


def _counts(day: Day) -> Iterator[str]:
    """`1 still open`, `2 repaired`."""
    if day.still_open:
        yield f"{len(day.still_open)} still open"
    for outcome, (text, _) in _OUTCOMES.items():
        if count := sum(incident.outcome is outcome for incident in day.closed):
            yield f"{count} {text}"


def _paragraphs(day: Day) -> Iterator[Phrase]:
    if day.still_open:
        yield from _list("Still open:", [_open_line(still_open, day) for still_open in day.still_open])
    for outcome, (_, heading) in _OUTCOMES.items():
        if closed := [incident for incident in day.closed if incident.outcome is outcome]:
            yield from _list(heading, [_closed_line(incident, day) for incident in closed])


def _list(heading: str, lines: Sequence[Phrase]) -> Iterator[Phrase]:
    yield phrase(heading)
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield phrase("• and {more}", more=pluralize(len(lines) - MOST_LINES, "more incident"))


def _open_line(still_open: StillOpen, day: Day) -> Phrase:
    incident = still_open.incident
    facts = [phrase("open for {time}", time=duration(seconds_between(incident.opened_at, day.until) or 0))]
    if incident.callback_id:
        facts.append(phrase("waits for approval"))
    if incident.is_held_by_person:
        facts.append(phrase("repair by {who} in progress", who=short_name(incident.holder)))
    return _line(incident, still_open.sentence, facts)


def _closed_line(incident: PastIncident, day: Day) -> Phrase:
    fault = incident.details.sentence or incident.verdict
    took = duration(seconds_between(incident.opened_at, incident.closed_at) or 0)
    return _line(incident, fault, [phrase("{at}, took {took}", at=clock(incident.opened_at, day.until), took=took)])


def _line(incident: Incident | PastIncident, fault: str, facts: Iterable[Phrase]) -> Phrase:
    target = incident.target
    return phrase(
        "• {cluster} {account}: {facts} · {signals} · incident {id}",
        cluster=target.cluster,
        account=f"{target.namespace}/{target.name}",
        facts=join([*([fault.rstrip(".")] if fault else []), *facts], " · "),
        signals=pluralize(incident.signals, "signal"),
        id=incident.id[:8],
    )


def _steps(day: Day) -> Iterator[Phrase]:
    requests = [still_open.incident for still_open in day.still_open if still_open.incident.callback_id]
    others = dict.fromkeys(still_open.incident.target.cluster for still_open in day.still_open if not still_open.incident.callback_id)
    steps = [
        *(phrase("Approve: {command}", command=Code(f"irsa-remediator approve {incident.id}")) for incident in requests),
        *(phrase("See the current fault: {command}", command=Code(f"irsa-remediator check --cluster {cluster}")) for cluster in others),
    ]
    yield from steps[: MOST_STEPS - 1]
    yield phrase("List all incidents, each with its timeline: {command}", command=Code("irsa-remediator history"))


def _clusters(day: Day) -> tuple[str, ...]:
    targets = [*(still_open.incident.target for still_open in day.still_open), *(incident.target for incident in day.closed)]
    return tuple(dict.fromkeys(target.cluster for target in targets))[:10]
