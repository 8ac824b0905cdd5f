"""`history`: incidents as a table, and one as a timeline or a page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from cli.clients import connection
from cli.views.documents import past, still_open
from cli.errors import SOUND, CommandError
from cli.queries.incidents import by_prefix, in_whose_hands, need_stack
from cli.output import progress, write
from lambdas.domain.incidents.incident import Incident, Outcome, PastIncident
from lambdas.domain.plurals import many
from lambdas.notifications.escape import plain
from lambdas.notifications.message_context import entries_from_json
from lambdas.notifications.time_text import clock, duration, seconds_between
from lambdas.notifications.timeline import TimelineRow, timeline

if TYPE_CHECKING:
    from pathlib import Path

    from cli.options import GlobalOptions

OUTCOME_STYLES = {Outcome.VERIFIED: "green", Outcome.RECOVERED: "green", Outcome.BLOCKED: "yellow", Outcome.NEEDS_ACTION: "bold red"}


def listed(asked: GlobalOptions, cluster: str, days: int) -> int:
    """Open incidents, then those closed within the last days, newest first."""
    outside = connection.connect(asked)
    need_stack(outside)
    with progress("reading incidents"):
        opened = [item for item in outside.incident_list.open() if cluster in ("", item.target.cluster)]
        closed = [item for item in outside.incident_list.past(outside.now() - timedelta(days=days)) if cluster in ("", item.target.cluster)]
    document = {"command": "history", "exitCode": SOUND, "incidents": [*map(still_open, opened), *map(past, closed)]}
    quiet = f"No incident{f' of {cluster}' if cluster else ''} within {days} days."
    write(asked.output, document, _table(opened, closed) if opened or closed else Text(quiet, style="dim"))
    return SOUND


def _table(opened: list[Incident], closed: list[PastIncident]) -> Table:
    """One line for each. Eighty columns are few, so what all have in common is said once, above."""
    everyone: list[Incident | PastIncident] = [*opened, *closed]
    common = f"{_SYSTEM}/" if all(item.target.namespace == _SYSTEM for item in everyone) else ""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    for column in ("incident", "opened (UTC)", "cluster", f"in {_SYSTEM}" if common else "service account", "verdict", "outcome", "took"):
        table.add_column(column, overflow="fold", no_wrap=column in ("incident", "opened (UTC)", "outcome", "took"))
    for item in opened:
        state = "waits for you" if item.callback_id else "open"
        table.add_row(*_where(item, common), "", Text(state, style="yellow"), "")
    for past_one in closed:
        took = duration(seconds_between(past_one.opened_at, past_one.closed_at) or 0)
        outcome = Text(str(past_one.outcome), style=OUTCOME_STYLES[past_one.outcome])
        table.add_row(*_where(past_one, common), plain(past_one.verdict), outcome, took)
    return table


_SYSTEM: Final = "kube-system"


def _where(it: Incident | PastIncident, common: str) -> tuple[str, str, str, str]:
    account = f"{it.target.namespace}/{it.target.name}".removeprefix(common)
    return it.id[:8], f"{it.opened_at:%b %d %H:%M}", it.target.cluster, account


def one(asked: GlobalOptions, prefix: str, html: Path | None) -> int:
    """One incident: what happened when, with pods and nodes in numbers."""
    outside = connection.connect(asked)
    with progress("reading the incident"):
        found = by_prefix(prefix, outside)
    if isinstance(found, Incident):
        return _one_open(asked, found, html)
    moments = timeline(entries_from_json((found.details or {}).get("lines")))
    document = {"command": "history", "exitCode": SOUND, "incident": past(found) | _details(found, moments)}
    if html:
        from cli.views.page import page

        html.write_text(page(found, outside.environment), encoding="utf-8")
        write(asked.output, document | {"html": str(html)}, Text(f"{html} written: one page, nothing to load"))
        return SOUND
    write(asked.output, document, *_told(found, moments))
    return SOUND


def _one_open(asked: GlobalOptions, it: Incident, html: Path | None) -> int:
    if html:
        raise CommandError(f"incident {it.id} is still open", next_step="write the page when it is closed")
    since = f" · incident {it.id} · open since {clock(it.opened_at)}, {many(it.signals, 'signal')}"
    head = Text(it.target.key, style="bold").append(since, style="not bold")
    now = Text(f"irsa-remediator check --cluster {it.target.cluster}", style="bold").append(
        "   shows what is broken now", style="not bold dim"
    )
    write(
        asked.output, {"command": "history", "exitCode": SOUND, "incident": still_open(it)}, head, Text(f"Now: {in_whose_hands(it)}"), now
    )
    return SOUND


def _details(it: PastIncident, moments: tuple[TimelineRow, ...]) -> dict[str, Any]:
    details = it.details or {}
    return {
        "sentence": str(details.get("sentence", "")),
        "severity": str(details.get("severity", "")),
        "oldValue": it.old_value,
        "binding": {"path": it.binding_path, "version": it.binding_version} if it.binding_path else None,
        "timeline": [
            {"at": m.at.isoformat() if m.at else None, "what": m.event, "words": m.text, "pods": _pair(m.pods), "nodes": _pair(m.nodes)}
            for m in moments
        ],
    }


def _pair(counted: tuple[int, int] | None) -> dict[str, int] | None:
    return {"right": counted[0], "all": counted[1]} if counted else None


def _told(it: PastIncident, moments: tuple[TimelineRow, ...]) -> list[Any]:
    took = duration(seconds_between(it.opened_at, it.closed_at) or 0)
    head = Text(f"{it.target.key}", style="bold").append(f" · incident {it.id} · ", style="not bold")
    head.append(str(it.outcome), style=OUTCOME_STYLES[it.outcome]).append(f" after {took}", style="not bold")
    sentence = Text(f"{plain(it.verdict)}: {plain((it.details or {}).get('sentence', ''))}")
    opened, signals = f"opened {clock(it.opened_at)} by {plain(it.trigger)}", many(it.signals, "signal")
    facts = Text(f"{opened} · {signals} · closed {clock(it.closed_at)}", style="dim")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(style="dim", no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    for m in moments:
        table.add_row(f"{m.at:%H:%M:%S}" if m.at else "", m.after, plain(m.text))
    return [
        head,
        sentence,
        facts,
        Text(),
        table,
        Text(),
        Text(f"irsa-remediator history {it.id} --html FILE   makes a page of it", style="dim"),
    ]
