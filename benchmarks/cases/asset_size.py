"""Size of the functions' deployment asset."""

from typing import Final

from benchmarks.harness.row import Goal, Row
from benchmarks.harness.run import Run
from infra import asset

NAME: Final = "asset"


def run(run: Run) -> list[Row]:
    """Measure the asset for Lambda's platform, zipped and unzipped."""
    folder = asset.build(asset.LAMBDA)
    unzipped = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return [
        Row(benchmark=NAME, name="zipped", value=len(asset.zip_bytes(folder)) / 1e6, unit="MB", goal=Goal(on="value", bound=10)),
        Row(benchmark=NAME, name="unzipped", value=unzipped, unit="MB", goal=Goal(on="value", bound=35)),
    ]
