"""A plan as people read it: what would be done in its order, and what is left alone and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.looking import may
from lambdas.contract.workloads import one_of
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.planning.plan import BlockReason
from lambdas.notifications.escape import plain
from lambdas.notifications.time_text import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import RenderableType

    from cli.looking import Seen
    from lambdas.domain.assessment.summary import AssessmentSummary, BlockedSummary
    from lambdas.domain.planning.actions import Action


def view(seen: Seen) -> RenderableType:
    """The plan under a line that says what it is about."""
    title = Text(seen.target.cluster, style="bold").append(f" · {seen.target.namespace}/{seen.target.name}", style="not bold")
    if seen.look is None:
        return Group(title, Text(f"could not be looked at: {plain(seen.failure)}", style="yellow"), Text())
    return Group(title, *lines(seen.look), Text())


def lines(look: AssessmentSummary) -> Iterator[RenderableType]:
    """Verdict, actions, and what is withheld."""
    if look.sound:
        yield Text(f"{look.verdict}: nothing to do.", style="green")
        return
    yield Text(f"{look.verdict}", style="bold red").append(f": {plain(look.sentence)}", style="not bold default")
    if look.wait:
        yield Text(f"Waits first: {plain(look.wait)}", style="yellow")
    if look.actions:
        yield Text("Would be done, in this order" + (", once a person approves:" if look.needs_approval else ":"), style="bold")
        yield from _numbered(look.actions)
    else:
        yield Text("Nothing would be done.", style="bold")
    if look.proposed:
        yield Text("In mode enforce, this would be done, in this order:", style="bold")
        yield from _numbered(look.proposed)
    yield from _withheld(look)


def next_step(it: Seen) -> Text:
    """Do it, where a person can have it done; else read what has to be changed by hand."""
    where = f"--cluster {it.target.cluster}{one_of(it.target)}"
    if may(it, lifted=True):
        return Text(f"irsa-remediator fix {where}", style="bold").append("   does it", style="not bold dim")
    return Text(f"irsa-remediator check {where}", style="bold").append("   prints what has to be changed by hand", style="not bold dim")


def _numbered(actions: Iterable[Action]) -> Iterator[RenderableType]:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(style="dim", justify="right", min_width=3)
    table.add_column(overflow="fold")
    for number, action in enumerate(actions, 1):
        table.add_row(str(number), Text(action.sentence).append(_detail(action), style="dim"))
    yield table


def _detail(action: Action) -> str:
    role = getattr(action, "role_arn", "")
    old = getattr(action, "old_value", None)
    pod = getattr(action, "pod", "")
    told = [f"{plain(pod)}" if pod else "", f"to {plain(role)}" if role and not pod else "", f"from {plain(old)}" if old else ""]
    return "".join(f" · {item}" for item in told if item)


def _withheld(look: AssessmentSummary) -> Iterator[RenderableType]:
    """One line for each reason; what ends with the links before it is told last and dimly."""
    by_reason: dict[tuple[str, str, str], list[BlockedSummary]] = {}
    for blocked in look.withheld:
        by_reason.setdefault((blocked.reason, blocked.sentence, blocked.until), []).append(blocked)
    apart = [(key, item) for key, item in by_reason.items() if key[0] != BlockReason.CONSEQUENCE]
    if apart:
        yield Text("Left alone:", style="bold")
    for (reason, sentence, until), held in apart:
        names = ", ".join(Link(item.link).title for item in held)
        words = Text(f"{names}: ").append(_why(sentence, look) + _lifts(until, sentence)).append(f" ({reason})", style="dim")
        yield Padding(words, (0, 0, 0, 2), expand=False)
    for (_, sentence, _), held in ((key, item) for key, item in by_reason.items() if key[0] == BlockReason.CONSEQUENCE):
        words = Text(f"{', '.join(Link(item.link).title for item in held)}: {plain(sentence)}", style="dim")
        yield Padding(words, (0, 0, 0, 2), expand=False)


def _why(sentence: str, look: AssessmentSummary) -> str:
    """The reason, without the sentence that stands above the plan already."""
    own = sentence.replace(look.sentence, "").rstrip(": ")
    return plain(own) or "only a person can change this"


def _lifts(until: str, sentence: str) -> str:
    """When time lifts it, where the sentence does not say so itself."""
    at = datetime.fromisoformat(until) if until else None
    return f"; lifts at {clock(at)}" if at and f"{at:%H:%M}" not in sentence else ""
