"""The size of the functions' asset as it is deployed."""

from typing import Final

from benchmarks.row import Goal, Row
from benchmarks.run import Run
from infra import asset

NAME: Final = "asset"


def run(run: Run) -> list[Row]:
    """Zipped and unzipped, for Lambda's own platform."""
    folder = asset.build(asset.LAMBDA)
    unzipped = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return [
        Row(promise=NAME, name="zipped", value=len(asset.zip_bytes(folder)) / 1e6, unit="MB", goal=Goal(on="value", bound=10)),
        Row(promise=NAME, name="unzipped", value=unzipped, unit="MB", goal=Goal(on="value", bound=35)),
    ]
