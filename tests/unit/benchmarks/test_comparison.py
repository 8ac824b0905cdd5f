"""Regressions against the last committed results: beyond the spread of both runs, and only of values that another machine would share."""

from dataclasses import replace

import pytest

from benchmarks import __main__ as program
from benchmarks.harness import comparison
from benchmarks.harness.row import Goal, Row

BEFORE = Row(
    benchmark="warm check", name="CPU", value=20, unit="ms CPU", baseline="raw", baseline_value=14, ratio=1.4, spread=0.05, runs=11
)
FASTER = replace(BEFORE, name="patched", ratio=4.0, goal=Goal(on="ratio", bound=6, at_least=True))
COUNT = Row(benchmark="wire", name="AWS requests", value=4, unit="requests")
SIZE = Row(benchmark="asset", name="zipped", value=2.0, unit="MB")
TIME = Row(benchmark="detection", name="sweep", value=0.1, unit="s")


@pytest.mark.parametrize(
    ("before", "now", "worse"),
    [
        pytest.param(BEFORE, replace(BEFORE, ratio=1.53), "", id="within ten percent"),
        pytest.param(BEFORE, replace(BEFORE, ratio=1.6), "ratio 1.6, committed 1.4; 14% worse, spread 10%", id="beyond it"),
        pytest.param(BEFORE, replace(BEFORE, ratio=1.6, spread=0.15), "", id="within the spreads of both runs"),
        pytest.param(BEFORE, replace(BEFORE, ratio=0.7), "", id="better"),
        pytest.param(BEFORE, replace(BEFORE, value=80, ratio=1.4), "", id="a slower machine, the same ratio"),
        pytest.param(FASTER, replace(FASTER, ratio=2.0), "ratio 2, committed 4; 100% worse", id="a ratio that should be large"),
        pytest.param(FASTER, replace(FASTER, ratio=8.0), "", id="a larger ratio that should be large"),
        pytest.param(COUNT, replace(COUNT, value=5), "requests 5, committed 4; 25% worse, spread 0%", id="one request more"),
        pytest.param(SIZE, replace(SIZE, value=2.1), "", id="a little larger"),
        pytest.param(SIZE, replace(SIZE, value=3.0), "MB 3, committed 2; 50% worse", id="much larger"),
        pytest.param(TIME, replace(TIME, value=9.0), "", id="a time without baseline depends on the machine"),
        pytest.param(SIZE, replace(SIZE, name="another", value=9.0), "", id="not measured before"),
    ],
)
def test_what_became_worse_beyond_the_spread_is_named(before: Row, now: Row, worse: str) -> None:
    found = comparison.regressions([now], [before])
    assert bool(found) == bool(worse)
    assert all(worse in line for line in found)


def test_rows_without_a_committed_counterpart_are_counted() -> None:
    assert comparison.missing([SIZE, COUNT], [SIZE]) == 1


def test_what_was_not_measured_again_stays() -> None:
    assert comparison.merged([replace(SIZE, value=3.0), COUNT], [SIZE, TIME]) == [replace(SIZE, value=3.0), TIME, COUNT]


def test_every_committed_row_can_be_read() -> None:
    rows = program.committed_rows()
    assert len(rows) > 50
    assert comparison.regressions(rows, rows) == []
