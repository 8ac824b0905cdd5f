"""The first seed of the bounded run, which is printed at its end."""

import os
from typing import Final

import pytest

VARIABLE: Final = "SIMULATION_SEED"
FIRST: Final = int(os.environ.get(VARIABLE, "0"))
"""The same seeds in each run, so that a change fails for its own faults: one random seed in a hundred still finds something new."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the first seed, so that a run can be repeated."""
    terminalreporter.write_line(f"simulation: seeds from {FIRST} ({VARIABLE}=<number> runs others)")
