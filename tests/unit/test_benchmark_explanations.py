"""What a benchmark says of a goal that it missed: shares by layer, shares of a wait, and nothing where nothing was missed."""

from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.harness import profiler, timeline
from benchmarks.harness.row import Goal, Row, explain_missed
from benchmarks.harness.table import limits

OURS = ("/var/task/lambdas/domain/diagnosis/identity_chain.py", 1, "diagnose")
BOTOCORE = ("/site-packages/botocore/client.py", 1, "call")
SORT = ("~", 0, "<built-in method builtins.sorted>")
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_what_belongs_to_no_layer_is_put_down_to_its_callers_in_proportion() -> None:
    stats: dict[profiler.Function, tuple[int, int, float, float, profiler.Callers]] = {
        OURS: (1, 1, 1.0, 4.0, {}),
        BOTOCORE: (1, 1, 2.0, 3.0, {}),
        SORT: (4, 4, 4.0, 4.0, {OURS: (3, 3, 3.0, 3.0), BOTOCORE: (1, 1, 1.0, 1.0)}),
    }
    found = profiler.by_layer(stats)
    assert {name: seconds for name, seconds in found.items() if seconds} == {"our decision": 4.0, "botocore": 3.0}


def test_functions_that_call_each_other_without_end_are_the_rest() -> None:
    one, other = ("a.py", 1, "one"), ("a.py", 2, "other")
    found = profiler.by_layer({one: (1, 1, 1.0, 1.0, {other: (1, 1, 1.0, 1.0)}), other: (1, 1, 1.0, 1.0, {one: (1, 1, 1.0, 1.0)})})
    assert found == {"the rest": pytest.approx(2.0)}


def test_the_parts_of_a_wait_add_up_to_the_whole() -> None:
    parts = timeline.shares(NOON, [("look", NOON + timedelta(seconds=1)), ("write", NOON + timedelta(seconds=4))])
    assert parts == {"look": 0.25, "write": 0.75}
    assert timeline.describe([parts, {"look": 0.5, "write": 0.5}, parts]) == "look 25%, write 75%"


def row(value: float) -> Row:
    return Row(benchmark="p", name=f"n{value:g}", value=value, unit="ms", goal=Goal(on="value", bound=1))


def test_only_missed_goals_are_explained_and_one_explanation_is_told_once() -> None:
    rows = explain_missed([row(0.5), row(2), row(3)], lambda: "HTTP 60%", "The rest is the network")
    assert limits(rows) == ["p, n2; p, n3: HTTP 60%. The rest is the network"]


def test_where_every_goal_is_met_nothing_is_profiled() -> None:
    def never() -> str:
        raise AssertionError("profiled")

    assert limits(explain_missed([row(0.5)], never, "")) == []
