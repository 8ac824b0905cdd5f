"""The table of docs/prevention.md is the one that the tests on a real control plane check."""

from pathlib import Path

from tests.e2e.prevention_matrix import program_table, table, year_table

PAGE = Path(__file__).resolve().parents[3] / "docs" / "prevention.md"


def test_the_page_shows_the_tested_results() -> None:
    page = PAGE.read_text()
    assert "\n".join(table()) in page
    assert "\n".join(year_table()) in page
    assert "\n".join(program_table()) in page
