"""One incident as one self-contained page, fit to attach to a post-mortem: no script, nothing to load.

Every value is escaped: names, sentences and tools' words come from clusters, where anybody may have written them.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from cli.chart import draw
from cli.page_style import STYLE
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.planning.actions import DONE
from lambdas.domain.plurals import many
from lambdas.notifications.escape import plain
from lambdas.notifications.time_text import duration, seconds_between
from lambdas.notifications.timeline import Moment, timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from lambdas.contract.environment import Environment
    from lambdas.domain.incidents.incident import PastIncident

NOTHING_LOADS: Final = "default-src 'none'; style-src 'unsafe-inline'"
_NO_ACTIONS: Final = frozenset({"look", "approval", "successor", "waves", "proof"})
_ENDINGS: Final = {
    Outcome.PROVEN: "repaired and proven",
    Outcome.RECOVERED: "well again without a repair",
    Outcome.WITHHELD: "left as it was",
    Outcome.NEEDS_YOU: "needs a person",
}


def text(value: object) -> str:
    """A value as text of the page: visible characters on one line, escaped."""
    return escape(plain(value), quote=True)


def page(it: PastIncident, environment: Environment) -> str:
    """The page, in HTML."""
    moments = timeline(it.details or {})
    numbers = _numbered(moments)
    took = duration(seconds_between(it.opened_at, it.closed_at) or 0)
    title = f"{it.target.cluster}: {it.target.name} {_ENDINGS[it.outcome]}"
    body = "".join(
        (
            f'<p class="eyebrow">Incident {text(it.id)} · {text(environment.account)} {text(environment.region)}</p>',
            f"<h1>{text(title)}</h1>",
            f'<p class="lead"><span class="outcome {it.outcome.value}">{it.outcome.value}</span> after {text(took)}</p>',
            _broken(it),
            _figure(moments, numbers, (it.details or {}).get("trail")),
            _facts(it),
            _happened(moments, numbers),
            *_left(it),
            _foot(it, environment),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{NOTHING_LOADS}"><title>{text(title)}</title>'
        f"<style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def _numbered(moments: Sequence[Moment]) -> list[int | None]:
    """The actions by number, so that the chart can point at them; None for what was only seen."""
    numbers: list[int | None] = []
    for moment in moments:
        is_action = moment.what not in _NO_ACTIONS
        numbers.append(sum(number is not None for number in numbers) + 1 if is_action else None)
    return numbers


def _broken(it: PastIncident) -> str:
    details = it.details or {}
    sentence = str(details.get("sentence") or "")
    items = "".join(f"<li>{text(line)}</li>" for line in _texts(details, "broken") if sentence not in line)
    after = f"<p>With it:</p><ul>{items}</ul>" if items else ""
    return f"<h2>What was broken</h2><p><strong>{text(it.verdict)}</strong>: {text(sentence)}</p>{after}"


def _facts(it: PastIncident) -> str:
    details = it.details or {}
    rows = [
        ("cluster", it.target.cluster, ""),
        ("ServiceAccount", f"{it.target.namespace}/{it.target.name}", ""),
        ("versions", " · ".join(_texts(details, "versions")), ""),
        ("severity", details.get("severity", ""), ""),
        ("first signal", f"{_clock(it.opened_at)} ({it.trigger})", ""),
        ("closed", f"{_clock(it.closed_at)} ({many(it.signals, 'signal')} in all)", ""),
        ("changed by", details.get("actor", ""), "wide"),
        ("done", " · ".join(DONE.get(kind, kind) for kind in dict.fromkeys(it.changes)) or "nothing", "wide"),
        ("annotation before", it.old_value or "none", "wide"),
        ("parameter", f"{it.binding_path}, version {it.binding_version}" if it.binding_path else "", "wide"),
    ]
    cells = (f'<div class="{style}"><dt>{name}</dt><dd>{text(value)}</dd></div>' for name, value, style in rows if value)
    return f"<h2>Facts</h2><dl>{''.join(cells)}</dl>"


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _texts(details: Mapping[str, Any], name: str) -> list[str]:
    found = details.get(name) or ()
    return [str(item) for item in found] if isinstance(found, list | tuple) else []


def _figure(moments: Sequence[Moment], numbers: Sequence[int | None], trail: object) -> str:
    chart = draw(moments, numbers, trail)
    if not chart:
        return ""
    words = "Counted at each look; between two looks the line holds what was seen last. Numbers are the writes below."
    return f"<h2>Pods and nodes</h2><figure>{chart}<figcaption>{words}</figcaption></figure>"


def _happened(moments: Sequence[Moment], numbers: Sequence[int | None]) -> str:
    if not moments:
        return ""
    rows = "".join(_row(item, number) for item, number in zip(moments, numbers, strict=True))
    head = (
        '<thead><tr><th scope="col">UTC</th><th scope="col">after</th><th scope="col"></th><th scope="col">what happened</th></tr></thead>'
    )
    return f'<h2>Timeline</h2><div class="table"><table>{head}<tbody>{rows}</tbody></table></div>'


def _row(it: Moment, number: int | None) -> str:
    at = f"{it.at:%H:%M:%S}" if it.at else ""
    badge = f'<span class="number">{number}</span>' if number else ""
    return f'<tr><td class="time">{at}</td><td class="time">{text(it.after)}</td><td>{badge}</td><td>{text(it.words)}</td></tr>'


def _left(it: PastIncident) -> Iterator[str]:
    """What a person was left to change, line by line as it is to be copied."""
    lines = _texts(it.details or {}, "remedies")
    if lines:
        body = "".join(f"<pre>{escape(chr(10).join(map(plain, line.splitlines())))}</pre>" for line in lines)
        yield f"<h2>Left to change</h2>{body}"


def _foot(it: PastIncident, environment: Environment) -> str:
    runbook = f"{environment.runbook_root}/{it.verdict}.md"
    link = f'<a href="{text(runbook)}">Runbook {text(it.verdict)}</a>' if runbook.startswith("https://") else text(it.verdict)
    return f"<footer>{link}. All times are UTC. Incident {text(it.id)}.</footer>"
