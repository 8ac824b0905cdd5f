"""The version of the release. Packaging, functions, templates and the CLI read it here."""

from typing import Final

VERSION: Final = "0.1.0"
