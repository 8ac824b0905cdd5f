"""`python -m sandbox.simulation.terminal_recording FILE.svg` runs the default scenario and writes its terminal output as a picture."""

import io
import re
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import DEFAULT_SCENARIO, load
from sandbox.simulation.scenario_run import ScenarioRun
from sandbox.simulation.terminal import Terminal, times

WIDTH = 118
THEME: Final = TerminalTheme(
    (13, 17, 23),
    (230, 237, 243),
    [(72, 79, 88), (255, 123, 114), (63, 185, 80), (227, 179, 65), (88, 166, 255), (188, 140, 255), (57, 197, 207), (177, 186, 196)],
    [(110, 118, 129), (255, 161, 152), (86, 211, 100), (227, 179, 65), (121, 192, 255), (210, 168, 255), (86, 212, 221), (240, 246, 252)],
)
"""Colors of all pictures. A test measures their contrast."""
_FONTS = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)  # a picture in the documentation must not load fonts from the Internet


def record(target: Path) -> None:
    """Write the picture."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, force_interactive=False, highlight=False)
    terminal = Terminal(console)
    scenario = load(DEFAULT_SCENARIO)
    terminal.title(scenario)
    with SandboxEnvironment(scenario.world) as env:
        result = ScenarioRun(scenario, env, terminal.show).run()
    console.print(Text())
    for message in (result.messages[0], result.messages[-1]):  # titles alone, so that the picture fits a screen
        console.print(Text(f"  {message['content']['title']}", style="bold"))
    console.print(Padding(times(result), (1, 0, 0, 2)))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_FONTS.sub("", console.export_svg(title="make demo", theme=THEME, unique_id=target.stem)), encoding="utf-8")


if __name__ == "__main__":
    record(Path(sys.argv[1]))
