"""Function time-outs that the code depends on."""

from collections.abc import Mapping
from typing import Final

from lambdas.contract.environment import Function

CHECKER_TIMEOUT_S: Final = 60
"""A check takes a few seconds. While signals arrive, the check loop may use two thirds of the time-out."""

TIMEOUT_S: Final[Mapping[Function, int]] = {
    Function.CHECKER: CHECKER_TIMEOUT_S,
    Function.REMEDIATOR: 300,  # of one invocation; a durable execution consists of many
    Function.NODE_WATCHER: 60,
}

CANARY_TIMEOUT_S: Final = 120
"""How long a repair waits for the replacement of the first pod."""
