"""One incident as a self-contained HTML page for a post-mortem: no script, no external resource.

Every value is escaped: names and messages come from clusters, where untrusted users may have written them.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from cli.queries.incidents import incident_timeline
from cli.views.chart import draw_chart
from cli.views.html_page import html_page, html_table, to_html, unbroken
from lambdas.domain.incidents.details import TimelineEvent
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.planning.actions import DONE
from lambdas.domain.plurals import pluralize
from lambdas.notifications.escape import plain
from lambdas.notifications.time_text import duration, seconds_between

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lambdas.contract.environment import Environment
    from lambdas.domain.incidents.details import CountSample
    from lambdas.domain.incidents.incident import PastIncident
    from lambdas.notifications.timeline import TimelineRow

_OBSERVATIONS: Final = frozenset(TimelineEvent)
_OUTCOMES: Final = {
    Outcome.VERIFIED: "repaired and verified",
    Outcome.RECOVERED: "recovered without intervention",
    Outcome.BLOCKED: "not repaired: blocked",
    Outcome.NEEDS_ACTION: "needs action",
    Outcome.INTERRUPTED: "interrupted",
}


def incident_page(incident: PastIncident, environment: Environment) -> str:
    """Return the page as HTML."""
    rows = incident_timeline(incident)
    numbers = _number_actions(rows)
    took = duration(seconds_between(incident.opened_at, incident.closed_at) or 0)
    title = f"{incident.target.cluster}: {incident.target.name} {_OUTCOMES[incident.outcome]}"
    return html_page(
        title,
        (
            f'<p class="eyebrow">Incident {to_html(incident.id)} · {to_html(environment.account)} {to_html(environment.region)}</p>',
            f"<h1>{to_html(title)}</h1>",
            f'<p class="lead"><span class="outcome {incident.outcome.value}">{incident.outcome.value}</span> after {to_html(took)}</p>',
            _cause(incident),
            _left_to_do(incident),
            _notifications(incident, environment),
            _chart_section(rows, numbers, incident.details.samples),
            _facts(incident),
            _timeline_section(rows, numbers),
            _footer(incident, environment),
        ),
    )


def _number_actions(rows: Sequence[TimelineRow]) -> list[int | None]:
    """Return the number of each action, to which the chart refers, and None for each row that is no action."""
    numbers: list[int | None] = []
    for row in rows:
        numbers.append(None if row.event in _OBSERVATIONS else sum(number is not None for number in numbers) + 1)
    return numbers


def _cause(incident: PastIncident) -> str:
    sentence = incident.details.sentence
    others = "".join(f"<li>{to_html(line)}</li>" for line in incident.details.broken if sentence not in line)
    also = f"<p>Also broken:</p><ul>{others}</ul>" if others else ""
    return f"<h2>Cause</h2><p><strong>{to_html(incident.verdict)}</strong>: {to_html(sentence)}</p>{also}"


def _facts(incident: PastIncident) -> str:
    details = incident.details
    changes = " · ".join(DONE.get(kind, kind) for kind in dict.fromkeys(incident.changes)) or "none"
    binding = f"{incident.binding_path}, version {incident.binding_version}" if incident.binding_path else ""
    facts = [
        ("cluster", incident.target.cluster, ""),
        ("ServiceAccount", f"{incident.target.namespace}/{incident.target.name}", ""),
        ("versions", " · ".join(details.versions), ""),
        ("severity", details.severity, ""),
        ("first signal", f"{_utc(incident.opened_at)} ({incident.trigger})", ""),
        ("closed", f"{_utc(incident.closed_at)} ({pluralize(incident.signals, 'signal')} in total)", ""),
        ("changed by", details.actor, "wide"),
        ("not checked", ", ".join(details.unproven), "wide"),
        ("changes by the remediator", changes, "wide"),
        ("annotation before", incident.old_value or "none", "wide"),
        ("binding", binding, "wide"),
    ]
    cells = (f'<div class="{style}"><dt>{name}</dt><dd>{to_html(value)}</dd></div>' for name, value, style in facts if value)
    return f"<h2>Facts</h2><dl>{''.join(cells)}</dl>"


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _chart_section(rows: Sequence[TimelineRow], numbers: Sequence[int | None], samples: Sequence[CountSample]) -> str:
    chart = draw_chart(rows, numbers, samples)
    if not chart:
        return ""
    caption = "Counts of each assessment and verification, drawn until the next one. Numbers refer to the actions in the timeline."
    return f"<h2>Pods and nodes</h2><figure>{chart}<figcaption>{caption}</figcaption></figure>"


def _timeline_section(rows: Sequence[TimelineRow], numbers: Sequence[int | None]) -> str:
    if not rows:
        return ""
    body = "".join(_timeline_row(row, number) for row, number in zip(rows, numbers, strict=True))
    head = '<thead><tr><th scope="col">UTC</th><th scope="col">after</th><th scope="col"></th><th scope="col">event</th></tr></thead>'
    return f'<h2>Timeline</h2><div class="table"><table>{head}<tbody>{body}</tbody></table></div>'


def _timeline_row(row: TimelineRow, number: int | None) -> str:
    at = f"{row.at:%H:%M:%S}" if row.at else ""
    badge = f'<span class="number">{number}</span>' if number else ""
    return f'<tr><td class="time">{at}</td><td class="time">{to_html(row.after)}</td><td>{badge}</td><td>{to_html(row.text)}</td></tr>'


def _left_to_do(incident: PastIncident) -> str:
    """Return the changes that a person has to make, with their line breaks, to be copied."""
    remedies = incident.details.remedies
    body = "".join(f"<pre>{escape(chr(10).join(map(plain, remedy.splitlines())))}</pre>" for remedy in remedies)
    is_over = incident.outcome in (Outcome.VERIFIED, Outcome.RECOVERED)
    none = "Nothing is known to be left." if is_over else "The incident was closed with a fault: the runbook says what to do."
    return f"<h2>What is left to do</h2>{body or f'<p>{none}</p>'}"


def _notifications(incident: PastIncident, environment: Environment) -> str:
    """Return which notifications the topics accepted, and when. Whether a person has read one is not known."""
    topics = {"chat": environment.chat_topic_arn, "people": environment.people_topic_arn}
    names = [f"the topic {arn.rsplit(':', 1)[-1]} ({name})" for name, arn in topics.items() if arn]
    receivers = to_html(" and ".join(names) or "no topic is known")
    rows = [
        (unbroken(f"{record.at:%Y-%m-%d %H:%M:%S}") if record.at else "", to_html(record.kind), receivers)
        for record in incident.details.notifications
    ]
    table = html_table(("UTC", "notification", "accepted by"), rows) if rows else "<p>No notification is recorded.</p>"
    return f"<h2>Who was told when</h2>{table}"


def _footer(incident: PastIncident, environment: Environment) -> str:
    verdict = to_html(incident.verdict)
    runbook = f"{environment.runbook_root}/{incident.verdict}.md"
    link = f'<a href="{to_html(runbook)}">Runbook {verdict}</a>' if runbook.startswith("https://") else verdict
    return f"<footer>{link}. All times are UTC. Incident {to_html(incident.id)}.</footer>"
