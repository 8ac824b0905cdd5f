"""Links between pages lead to files that exist."""

import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import PAGES, ROOT, named, prose

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_OPERATORS_PAGES = ("docs/adopt.md", "docs/deploy.md", "docs/operate.md", "docs/understand.md", "CONTRIBUTING.md")


def links(page: Path) -> list[str]:
    return [it for it in LINK.findall(prose(page)) if not it.startswith(("http", "mailto:"))]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_to_a_file(page: Path) -> None:
    assert [it for it in links(page) if not (page.parent / it).exists()] == []


def test_the_readme_leads_to_one_page_for_each_thing_to_do() -> None:
    assert set(_OPERATORS_PAGES) <= set(links(ROOT / "README.md"))


def led_to(page: Path) -> list[Path]:
    """Where the links of a page lead; a folder stands for its pages."""
    found = [(page.parent / it).resolve() for it in links(page)]
    return [inner for it in found for inner in (sorted(it.glob("*.md")) if it.is_dir() else [it])]


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += led_to(page)
    assert [named(it) for it in PAGES if it not in reached] == []
