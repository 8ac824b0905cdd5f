"""Function time-outs that the code depends on."""

from typing import Final

CHECKER_TIMEOUT_S: Final = 60
"""A check takes a few seconds. While signals arrive, the check loop may use two thirds of the time-out."""
