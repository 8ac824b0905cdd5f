"""`python -m sandbox.play.record FILE.svg`: play the original incident and keep the terminal as a picture."""

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from sandbox.play.play import Play
from sandbox.play.scenario import ORIGINAL, load
from sandbox.play.stage import Stage
from sandbox.play.terminal import Terminal

WIDTH = 118
_FONTS = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)  # a picture asks nobody for anything


def record(target: Path) -> None:
    """Write the picture."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, force_interactive=False, highlight=False)
    terminal = Terminal(console)
    scenario = load(ORIGINAL)
    terminal.title(scenario)
    with Stage(scenario.world) as stage:
        outcome = Play(scenario, stage, terminal.show).run()
    terminal.end(outcome)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_FONTS.sub("", console.export_svg(title="make demo")))


if __name__ == "__main__":
    record(Path(sys.argv[1]))
