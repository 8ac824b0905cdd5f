"""The fresh seeds of the bounded run: they begin at a random number, which is printed at the end."""

import os
from random import SystemRandom
from typing import Final

import pytest

VARIABLE: Final = "SIMULATION_SEED"
FIRST: Final = int(os.environ.setdefault(VARIABLE, str(SystemRandom().randrange(10**9))))
"""Kept in the environment, so that every process of a run has the same one."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the first seed, so that a run can be repeated."""
    terminalreporter.write_line(f"simulation: fresh seeds from {FIRST} ({VARIABLE}={FIRST} repeats them)")
