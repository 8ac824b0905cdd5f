"""Support dates in the header of the identity chain."""

import pytest

from cli.views.chain import support_dates
from lambdas.domain.assessment.summary import ClusterSummary

CLUSTER = ClusterSummary(name="demo", standard_until="2024-11-26T00:00:00+00:00", extended_until="2025-11-26T00:00:00+00:00")


@pytest.mark.parametrize(
    ("today", "text"),
    [
        ("2024-11-25", " (standard support until 2024-11-26)"),
        ("2024-11-26", " (extended support until 2025-11-26)"),
        ("2025-11-25", " (extended support until 2025-11-26)"),
        ("2025-11-26", " (extended support ended 2025-11-26)"),
    ],
)
def test_the_next_end_of_support_is_shown_or_else_the_last(today: str, text: str) -> None:
    assert support_dates(CLUSTER, today=today) == text


def test_only_known_dates_are_shown() -> None:
    assert support_dates(ClusterSummary(name="demo"), today="2025-01-01") == ""
    cluster = ClusterSummary(name="demo", standard_until="2024-11-26")
    assert support_dates(cluster, today="2025-01-01") == " (standard support ended 2024-11-26)"
