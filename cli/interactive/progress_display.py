"""Progress of a repair: one line for each completed action, and a spinner with counts of pods and nodes."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Self

from rich.status import Status
from rich.text import Text

from cli.output import error_console, wrapped
from lambdas.domain.plurals import pluralize
from lambdas.domain.verification import VerificationState
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambdas.domain.assessment.summary import Counts

BAR_WIDTH: Final = 8
"""With it, activity and counts fit in 80 columns."""


class ProgressDisplay:
    """Writes to standard error, so that standard output contains only the result. The spinner needs a terminal."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._console = error_console()
        self._clock = clock
        self._started_at = clock()
        self._status: Status | None = None
        self._activity = ""
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
        """Stop the spinner during a prompt."""
        if self._status:
            self._status.stop()

    def resume(self) -> None:
        """Start the spinner again. A new one: the former one would first erase the lines above the cursor, which are the prompt's now."""
        if self._status:
            self._status = Status("", console=self._console)
            self._status.start()

    def log(self, title: str, words: str, **fields: Any) -> None:
        """Implement the workflow's log: actions and the end of verification become lines."""
        if title == "actions" or (title == "verification" and fields.get("state") != VerificationState.WAITING):
            style = "red" if fields.get("done") is False else "green" if title == "verification" else ""
            self._line(Text(plain(words), style=style))
        elif title in ("plan", "snapshot"):
            blocked = ", ".join(dict.fromkeys(map(plain, fields.get("blocked", ()))))
            self._activity = plain(words) + (f", blocked by {blocked}" if blocked else "")

    def note(self, text: str) -> None:
        """Write a note that is not about the repair itself."""
        self._line(Text(f"note: {plain(text)}", style="dim"))

    def note_pause(self, seconds: int) -> None:
        """Write how long the repair pauses and why: the latest plan names the reasons."""
        self.note(f"{self._activity or 'paused'}; goes on in {pluralize(seconds, 'second')}, Ctrl-C ends it")

    def show_activity(self, text: str) -> None:
        """Show what the workflow does now. Empty text keeps the former activity."""
        self._activity = plain(text) or self._activity
        if self._status:
            self._status.update(Text(self._activity + (f"   {self._counts}" if self._counts else "")))

    def show_counts(self, counts: Counts) -> None:
        """Show the counts of pods and nodes."""
        self._counts = counts_text(counts)
        self.show_activity("")

    def _line(self, text: Text) -> None:
        time = f"{self._clock() - self._started_at:6.1f} s  "
        lines = wrapped(time + text.plain, width=self._console.width, indent=len(time))
        self._console.print(Text(time, style="dim").append(lines.removeprefix(time), style=text.style), soft_wrap=True)


def counts_text(counts: Counts) -> str:
    """Return `pods ████░░ 7/12 with the role · nodes ████ 12/12 Ready`."""
    parts = []
    if counts.pods:
        ready = "" if counts.pods_ready == counts.pods else f", {counts.pods_ready} ready"
        parts.append(f"pods {_bar(counts.pods_right, counts.pods)} {counts.pods_right}/{counts.pods} with the role{ready}")
    if counts.nodes:
        parts.append(f"nodes {_bar(counts.nodes_ready, counts.nodes)} {counts.nodes_ready}/{counts.nodes} Ready")
    return " · ".join(parts)


def _bar(count: int, total: int) -> str:
    filled = round(BAR_WIDTH * count / total)
    return "█" * filled + "░" * (BAR_WIDTH - filled)
