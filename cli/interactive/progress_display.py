"""A repair as it goes: a line for each thing done, and under them what is waited for, with pods and nodes in numbers."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Self

from rich.status import Status
from rich.text import Text

from cli.output import error_console
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Callable

BAR: Final = 15


class ProgressDisplay:
    """Writes to standard error, so that the result alone is on standard output. Piped, lines come without the spinner."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._console = error_console()
        self._clock = clock
        self._began = clock()
        self._status: Status | None = None
        self._doing = ""
        self._counts = ""

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status = Status("", console=self._console)
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()
        self._status = None

    def pause(self) -> None:
        """Let a question be asked."""
        if self._status:
            self._status.stop()

    def go_on(self) -> None:
        """The question was answered."""
        if self._status:
            self._status.start()

    def log(self, title: str, words: str, **fields: Any) -> None:
        """The workflow's log: what is done and how the proof goes becomes a line."""
        if title == "actions" or (title == "proof" and fields.get("state") != "waiting"):
            style = "red" if fields.get("done") is False else "green" if title == "proof" else ""
            self._line(Text(plain(words), style=style))
        elif title in ("plan", "observation"):
            self._doing = plain(words)

    def note(self, words: str) -> None:
        """Something beside the repair."""
        self._line(Text(f"note: {plain(words)}", style="dim"))

    def step(self, name: str) -> None:
        """What comes next, out of a step's name: `1.2 ReplaceCanaryPod: successor`."""
        kind = name.partition(" ")[2].partition(" ")[0].removesuffix(":")
        self._doing = _WORDS.get(kind, self._doing)
        self._refresh()

    def state(self, state: Any) -> None:
        """A look, or what a step waits for."""
        if seen := state.get("look"):
            self._counts = numbers(seen["counts"])  # what its words say, drawn
        elif words := state.get("words") or state.get("sentence") or state.get("unread"):
            self._doing = plain(words)
        self._refresh()

    def _refresh(self) -> None:
        if self._status:
            self._status.update(Text(self._doing + (f"   {self._counts}" if self._counts else "")))

    def _line(self, words: Text) -> None:
        self._console.print(Text(f"{self._clock() - self._began:6.1f} s  ", style="dim").append(words), soft_wrap=True)


_WORDS: Final = {
    "look": "looking",
    "annotate-service-account": "setting the annotation",
    "replace-canary-pod": "replacing one pod",
    "restart-workload": "restarting the workload",
    "replace-stale-pods": "replacing stale pods",
    "update-addon-role": "writing the add-on record",
    "proof": "waiting for the proof",
    "close": "writing history",
}


def numbers(counts: dict[str, Any]) -> str:
    """`pods ████░░ 7/12 with the role · nodes ████ 12/12 Ready`."""
    told = []
    if counts["pods"]:
        ready = "" if counts["pods_ready"] == counts["pods"] else f", {counts['pods_ready']} ready"
        told.append(f"pods {_bar(counts['pods_right'], counts['pods'])} {counts['pods_right']}/{counts['pods']} with the role{ready}")
    if counts["nodes"]:
        told.append(f"nodes {_bar(counts['nodes_ready'], counts['nodes'])} {counts['nodes_ready']}/{counts['nodes']} Ready")
    return " · ".join(told)


def _bar(some: int, total: int) -> str:
    filled = round(BAR * some / total)
    return "█" * filled + "░" * (BAR - filled)
