"""What a preflight is asked with: as every command is, and one format more."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from cli.asked import Asked


class PreflightFormat(StrEnum):
    """The formats of every command, and SARIF for code hosts."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    SARIF = "sarif"


_Output = Annotated[
    PreflightFormat, typer.Option("--output", "-o", help="How to write the result: table, json, yaml or sarif.", metavar="FORMAT")
]


@dataclass(frozen=True, kw_only=True)
class AskedBefore(Asked):
    """As every command is asked, with one format more."""

    output: _Output = PreflightFormat.TABLE  # type: ignore[assignment]  # of the same meaning, with one value more
