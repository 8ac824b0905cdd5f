"""The header over the chain."""

import pytest

from cli.views.chain import supported

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
def test_support_is_told_by_the_date_that_is_ahead_or_else_the_last(today: str, words: str) -> None:
    assert supported(DATES, today=today) == words


def test_only_dates_that_were_read_are_told() -> None:
    assert supported({}, today="2025-01-01") == ""
    assert supported({"standard_until": "2024-11-26"}, today="2025-01-01") == " (standard support ended 2024-11-26)"
