"""How long a function may run where the code counts on it."""

from typing import Final

CHECKER_TIMEOUT_S: Final = 60
"""A check reads for some seconds at most, and in a storm looks again for two thirds of this."""
