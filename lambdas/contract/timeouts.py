"""Function time-outs that the code depends on."""

from typing import Final

CHECKER_TIMEOUT_S: Final = 60
"""A check takes a few seconds. While signals arrive, the check loop may use two thirds of the time-out."""

REMEDIATOR_TIMEOUT_S: Final = 300
"""The time-out of one invocation. A durable execution consists of many."""

CANARY_TIMEOUT_S: Final = 120
"""How long a repair waits for the replacement of the first pod."""
