"""`python -m sandbox.simulation.terminal_recording FILE.svg` runs the default scenario and writes its terminal output as a picture."""

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import DEFAULT_SCENARIO, load
from sandbox.simulation.scenario_run import ScenarioRun
from sandbox.simulation.terminal import Terminal

WIDTH = 118
_FONTS = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)  # a picture in the documentation must not load fonts from the Internet


def record(target: Path) -> None:
    """Write the picture."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, force_interactive=False, highlight=False)
    terminal = Terminal(console)
    scenario = load(DEFAULT_SCENARIO)
    terminal.title(scenario)
    with SandboxEnvironment(scenario.world) as env:
        terminal.result(ScenarioRun(scenario, env, terminal.show).run())
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_FONTS.sub("", console.export_svg(title="make demo")))


if __name__ == "__main__":
    record(Path(sys.argv[1]))
