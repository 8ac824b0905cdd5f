"""Shows a scenario run on a terminal: a timeline, the state of the nodes, and at the end the messages and the measured times."""

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
STYLES: Final = {"world": "bold", "step": "yellow", "checker": "cyan", "remediator": "green", "nodes": "dim"}
TARGETS_S: Final = {Milestone.DIAGNOSIS: 5.0, Milestone.ANNOTATION_SET: 15.0}


EXPECTED_ON_EKS: Final = (
    "Times of the sandbox. On EKS, add the delay of the event (seconds to five minutes) and the start of real pods: docs/events/README.md"
)


class Terminal:
    """Prints timeline entries as they arrive. An interactive terminal also keeps the state of the nodes in its last line."""

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

    def title(self, scenario: Scenario) -> None:
        """Print the name and the title of the scenario."""
        self.console.print(Text(f"\n{scenario.name}", style="bold").append(f"  {scenario.title}\n", style="not bold"))

    def set_up_step(self, text: str) -> None:
        """Print one step of the set-up."""
        self.console.print(Text(f"         {text}", style="dim"))

    def show(self, entry: TimelineEntry) -> None:
        """Print a timeline entry, and the nodes if their state changed."""
        with self._lock:
            changed, self._nodes = entry.nodes != self._nodes, entry.nodes
            if entry.text:
                self.console.print(_line(entry))
            if self._live:
                self._live.update(self._status())
            elif changed:
                self.console.print(Text().append(f"{clock(entry.at_s)}  {'':<10} ", style="dim").append(nodes_bar(*entry.nodes)))

    def result(self, result: ScenarioResult) -> None:
        """Print the first and the last message as chat shows them, and the measured times."""
        if result.messages:
            for message in (result.messages[0], result.messages[-1])[: len(result.messages)]:
                self.console.print(Padding(notification(message), (1, 0, 0, 2)))
        else:
            self.console.print(Text("\n  no message was sent", style="dim"))
        if result.milestones:
            self.console.print(Padding(times(result), (1, 0, 1, 2)))
            self.console.print(Padding(Text(EXPECTED_ON_EKS, style="dim"), (0, 0, 1, 2)))

    def _status(self) -> RenderableType:
        return Text("         ").append(nodes_bar(*self._nodes)) if self._nodes[1] else Text("")


def clock(seconds: float) -> str:
    """Minutes, seconds and tenths: `00:04.2`."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):02d}:{rest:04.1f}"


def nodes_bar(ready: int, total: int) -> Text:
    """`nodes ████████░░ 12/15 Ready`, green if all are ready."""
    filled = round(BAR_WIDTH * ready / total) if total else 0
    style = "green" if ready == total else "red"
    return (
        Text("nodes ").append("█" * filled, style=style).append("░" * (BAR_WIDTH - filled), style="dim").append(f" {ready}/{total} Ready")
    )


def _line(entry: TimelineEntry) -> Table:
    """Time, function and text; wrapped text is aligned with its first line."""
    function = entry.kind if entry.kind in ("checker", "remediator") else ""
    line = Table.grid(padding=0)
    line.add_column(no_wrap=True, style="dim")
    line.add_column(no_wrap=True, style="dim")
    line.add_column(overflow="fold")
    line.add_row(f"{clock(entry.at_s)}  ", f"{function:<10} ", Text(entry.text, style=STYLES.get(entry.kind, "")))
    return line


def notification(message: dict[str, Any]) -> Panel:
    """A custom notification as a chat channel shows it: title, text and next steps."""
    content = message["content"]
    # The frame of a panel would cut the title, which is long.
    parts: list[RenderableType] = [Text(f"{content['title']}\n", style="bold"), Markdown(content["description"].replace("\n", "  \n"))]
    if steps := content.get("nextSteps"):
        parts.append(Text("\nNext steps", style="bold"))
        parts.append(Markdown("\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))))
    return Panel(Group(*parts), border_style="dim")


def times(result: ScenarioResult) -> Table:
    """Seconds from the event to each milestone, and the target if there is one."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("from the event to", "seconds", "target"):
        table.add_column(column, justify="left" if column.startswith("from") else "right")
    for milestone, seconds in result.milestones.items():
        target = TARGETS_S.get(milestone)
        table.add_row(str(milestone), f"{seconds:.1f}", f"≤ {target:.0f}" if target else "")
    return table
