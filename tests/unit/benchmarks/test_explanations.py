"""Explanations of missed goals: CPU shares by layer and shares of the elapsed time."""

from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.harness import import_profile, profiler, timeline
from benchmarks.harness.row import Goal, Row, explain_missed
from benchmarks.harness.table import limits

DOMAIN = ("/var/task/lambdas/domain/diagnosis/identity_chain.py", 1, "diagnose")
BOTOCORE = ("/site-packages/botocore/client.py", 1, "call")
SORT = ("~", 0, "<built-in method builtins.sorted>")
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_functions_without_a_layer_count_for_their_callers() -> None:
    stats: dict[profiler.Function, tuple[int, int, float, float, profiler.Callers]] = {
        DOMAIN: (1, 1, 1.0, 4.0, {}),
        BOTOCORE: (1, 1, 2.0, 3.0, {}),
        SORT: (4, 4, 4.0, 4.0, {DOMAIN: (3, 3, 3.0, 3.0), BOTOCORE: (1, 1, 1.0, 1.0)}),
    }
    found = profiler.by_layer(stats)
    assert {name: seconds for name, seconds in found.items() if seconds} == {"domain": 4.0, "botocore": 3.0}


def test_recursive_functions_without_a_layer_are_the_rest() -> None:
    one, other = ("a.py", 1, "one"), ("a.py", 2, "other")
    found = profiler.by_layer({one: (1, 1, 1.0, 1.0, {other: (1, 1, 1.0, 1.0)}), other: (1, 1, 1.0, 1.0, {one: (1, 1, 1.0, 1.0)})})
    assert found == {"the rest": pytest.approx(2.0)}


def test_the_shares_of_a_timeline_add_up() -> None:
    parts = timeline.shares(NOON, [("read", NOON + timedelta(seconds=1)), ("write", NOON + timedelta(seconds=4))])
    assert parts == {"read": 0.25, "write": 0.75}
    assert timeline.describe([parts, {"read": 0.5, "write": 0.5}, parts]) == "read 25%, write 75%"


def row(value: float) -> Row:
    return Row(benchmark="p", name=f"n{value:g}", value=value, unit="ms", goal=Goal(on="value", bound=1))


def test_only_missed_goals_are_explained_and_share_an_explanation() -> None:
    rows = explain_missed([row(0.5), row(2), row(3)], lambda: "HTTP 60%", "The rest is the network")
    assert limits(rows) == ["p, n2; p, n3: HTTP 60%. The rest is the network"]


def test_nothing_is_profiled_if_every_goal_is_met() -> None:
    def never() -> str:
        raise AssertionError("profiled")

    assert limits(explain_missed([row(0.5)], never, "")) == []


def test_imports_count_for_their_origin() -> None:
    lines = [
        "import time: self [us] | cumulative | imported package",
        "import time:       300 |       300 |   json.decoder",
        "import time:      1000 |      1300 | lambdas.checker.handler",
        "import time:       500 |       500 |   orjson",
        "import time:       200 |       200 |   lambdas.domain",
    ]
    found = import_profile.seconds_by_origin(lines)
    assert found == {
        "imports of the standard library": pytest.approx(0.0003),
        "imports of the product": pytest.approx(0.0012),
        "imports of packages": pytest.approx(0.0005),
    }
