"""The play as a person sees it: a timeline with a clock, the nodes as they change, and at the end the message and the times."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.markdown import Markdown
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sandbox.simulation.scenario_result import Milestone, ScenarioResult, TimelineEntry

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sandbox.simulation.scenario import Scenario

BAR_WIDTH: Final = 15
STYLES: Final = {"world": "bold", "story": "yellow", "checker": "cyan", "remediator": "green", "nodes": "dim", "set-up": "dim"}
GOALS_S: Final = {Milestone.DECISION: 5.0, Milestone.ANNOTATION: 15.0}


class Terminal:
    """Shows moments as they come; on a terminal with the nodes kept in view, piped as plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._nodes = (0, 0)
        self._lock = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> Terminal:
        if self.console.is_terminal:
            self._live = Live(self._status(), console=self.console, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def setting_up(self, what: str) -> None:
        """One step of the set-up."""
        self.console.print(Text(f"         {what}", style="dim"))

    def show(self, moment: TimelineEntry) -> None:
        """One moment: a line of the timeline, and the nodes."""
        with self._lock:
            changed, self._nodes = moment.nodes != self._nodes, moment.nodes
            if moment.text:
                self.console.print(_line(moment))
            if self._live:
                self._live.update(self._status())
            elif changed:
                self.console.print(Text().append(f"{clock(moment.at_s)}  {'':<10} ", style="dim").append(nodes_bar(*moment.nodes)))

    def title(self, scenario: Scenario) -> None:
        """What is played."""
        self.console.print(Text(f"\n{scenario.name}", style="bold").append(f"  {scenario.title}\n", style="not bold"))

    def end(self, outcome: ScenarioResult) -> None:
        """The last message as chat shows it, and the times."""
        if outcome.messages:
            for message in (outcome.messages[0], outcome.messages[-1])[: len(outcome.messages)]:
                self.console.print(Padding(notification(message), (1, 0, 0, 2)))
        else:
            self.console.print(Text("\n  nothing to tell: no message was sent", style="dim"))
        if outcome.marks:
            self.console.print(Padding(times(outcome), (1, 0, 1, 2)))

    def _status(self) -> RenderableType:
        return Text("         ").append(nodes_bar(*self._nodes)) if self._nodes[1] else Text("")


def clock(seconds: float) -> str:
    """`00:04.2`: minutes, seconds, tenths."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):02d}:{rest:04.1f}"


def nodes_bar(ready: int, total: int) -> Text:
    """`nodes ████████░░ 12/15 Ready`, green when all are."""
    filled = round(BAR_WIDTH * ready / total) if total else 0
    style = "green" if ready == total else "red"
    return (
        Text("nodes ").append("█" * filled, style=style).append("░" * (BAR_WIDTH - filled), style="dim").append(f" {ready}/{total} Ready")
    )


def _line(moment: TimelineEntry) -> Table:
    """Time, who, what; a second line of what was said stands under the first."""
    who = moment.kind if moment.kind in ("checker", "remediator") else ""
    line = Table.grid(padding=0)
    line.add_column(no_wrap=True, style="dim")
    line.add_column(no_wrap=True, style="dim")
    line.add_column(overflow="fold")
    line.add_row(f"{clock(moment.at_s)}  ", f"{who:<10} ", Text(moment.text, style=STYLES.get(moment.kind, "")))
    return line


def notification(message: dict[str, Any]) -> Panel:
    """A custom notification as a channel shows it: title, text, next steps."""
    content = message["content"]
    # The title is long, and in the frame it would be cut.
    parts: list[RenderableType] = [Text(f"{content['title']}\n", style="bold"), Markdown(content["description"].replace("\n", "  \n"))]
    if steps := content.get("nextSteps"):
        parts.append(Text("\nNext steps", style="bold"))
        parts.append(Markdown("\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))))
    return Panel(Group(*parts), border_style="dim")


def times(outcome: ScenarioResult) -> Table:
    """Seconds from the event to each mark, with the promise where there is one."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("from the event to", "seconds", "promised"):
        table.add_column(column, justify="left" if column.startswith("from") else "right")
    for mark, seconds in outcome.marks.items():
        goal = GOALS_S.get(mark)
        table.add_row(str(mark), f"{seconds:.1f}", f"≤ {goal:.0f}" if goal else "")
    return table
