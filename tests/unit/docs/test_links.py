"""Links between pages lead to files that exist."""

import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import PAGES, ROOT, named, prose

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_OPERATORS_PAGES = ("docs/adopt.md", "docs/deploy.md", "docs/operate.md", "docs/understand.md", "CONTRIBUTING.md")


def links(page: Path) -> list[str]:
    return [item for item in LINK.findall(prose(page)) if not item.startswith(("http", "mailto:"))]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_to_a_file(page: Path) -> None:
    assert [link for link in links(page) if not (page.parent / link).exists()] == []


def test_the_readme_leads_to_one_page_for_each_thing_to_do() -> None:
    assert set(_OPERATORS_PAGES) <= set(links(ROOT / "README.md"))


def led_to(page: Path) -> list[Path]:
    """Where the links of a page lead; a folder stands for its pages."""
    found = [(page.parent / link).resolve() for link in links(page)]
    return [inner for item in found for inner in (sorted(item.glob("*.md")) if item.is_dir() else [item])]


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += led_to(page)
    assert [named(item) for item in PAGES if item not in reached] == []
