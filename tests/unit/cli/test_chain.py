"""Support dates in the header of the identity chain."""

import pytest

from cli.views.chain import support_dates

DATES = {"standard_until": "2024-11-26T00:00:00+00:00", "extended_until": "2025-11-26T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("today", "words"),
    [
        ("2024-11-25", " (standard support until 2024-11-26)"),
        ("2024-11-26", " (extended support until 2025-11-26)"),
        ("2025-11-25", " (extended support until 2025-11-26)"),
        ("2025-11-26", " (extended support ended 2025-11-26)"),
    ],
)
def test_the_next_end_of_support_is_shown_or_else_the_last(today: str, words: str) -> None:
    assert support_dates(DATES, today=today) == words


def test_only_known_dates_are_shown() -> None:
    assert support_dates({}, today="2025-01-01") == ""
    assert support_dates({"standard_until": "2024-11-26"}, today="2025-01-01") == " (standard support ended 2024-11-26)"
