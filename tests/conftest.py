"""Settings for all tests: deterministic examples, garbage collection, and the distribution of tests over processes."""

import gc
import sys
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

# A bounded run says the same each time, on every machine and however busy it is; `make chaos` looks for new examples at length.
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("repeatable")

ALLOCATIONS_BEFORE_COLLECTION: Final = 50_000
"""Python's own value of 700 spends a sixth of the processor time on garbage collection, since modules and tests are many objects."""
gc.set_threshold(ALLOCATIONS_BEFORE_COLLECTION)

# jsonschema would compile 38 grammars at its import, for the formats of IRIs, which no schema here uses.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

SHARE_A_STAGE: Final = frozenset(
    f"tests/sandbox/test_{name}.py" for name in ("bad_input", "cli", "contract", "digest", "drill", "installed", "verify")
)
"""Files whose tests share one environment, because its set-up takes seconds."""
SCENARIOS_ON_REAL_CLUSTER: Final = "tests/e2e/test_scenarios.py"
"""The only file of its folder whose tests are distributed one by one: they take most of the time, and each empties its cluster."""


def pytest_collection_finish() -> None:
    """Take the collected tests and the imported modules out of garbage collection: they live to the end."""
    gc.freeze()


class StagesTogether(LoadScopeScheduling):
    """Distribute tests one by one, but keep tests with a shared environment in one process.

    `--dist loadgroup` would do this by marks, but xdist 3.8 writes them into a field that nodes of pytest 9.2 no longer have.
    Source: https://github.com/pytest-dev/pytest-xdist/blob/v3.8.0/src/xdist/remote.py
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        is_whole = file in SHARE_A_STAGE or (file.startswith("tests/e2e/") and file != SCENARIOS_ON_REAL_CLUSTER)
        return file if is_whole else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> StagesTogether | None:
    """Called by xdist; None leaves it to xdist's own."""
    return StagesTogether(config, log) if config.getoption("dist") == "loadscope" else None  # type: ignore[arg-type]
