"""The version of everything that is released from this repository; packaging, functions, template and CLI read it here."""

from typing import Final

VERSION: Final = "0.1.0"
