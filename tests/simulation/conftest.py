"""The first seed of the bounded run, which is printed at its end."""

import os
from random import SystemRandom
from typing import Final

import pytest

VARIABLE: Final = "SIMULATION_SEED"
FIRST: Final = int(os.environ.setdefault(VARIABLE, str(SystemRandom().randrange(10**9))))
"""A random number. The processes of one run share it, since they inherit the environment."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the first seed, so that a run can be repeated."""
    terminalreporter.write_line(f"simulation: seeds from {FIRST} ({VARIABLE}={FIRST} repeats them)")
