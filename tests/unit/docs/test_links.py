"""Links between pages refer to existing files."""

import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import PAGES, ROOT, named, prose

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
ANCHOR = re.compile(r"\]\(([^)#\s]*)#([^)]+)\)")
_OPERATORS_PAGES = ("docs/adopt.md", "docs/deploy.md", "docs/operate.md", "docs/understand.md", "CONTRIBUTING.md")


def links(page: Path) -> list[str]:
    return [item for item in LINK.findall(prose(page)) if not item.startswith(("http", "mailto:"))]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_refers_to_an_existing_file(page: Path) -> None:
    assert [link for link in links(page) if not (page.parent / link).exists()] == []


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the documentation site form them."""
    headings = re.findall(r"^#{1,6} (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]+)]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_anchor_refers_to_a_heading(page: Path) -> None:
    found = [(link, anchor) for link, anchor in ANCHOR.findall(prose(page)) if not link.startswith(("http", "mailto:"))]
    targets = [((page.parent / link) if link else page, anchor) for link, anchor in found]
    assert [f"{named(target.resolve())}#{anchor}" for target, anchor in targets if anchor not in anchors(target)] == []


def test_the_readme_links_to_the_main_pages() -> None:
    assert set(_OPERATORS_PAGES) <= set(links(ROOT / "README.md"))


def link_targets(page: Path) -> list[Path]:
    """Return the targets of a page's links. A folder counts as its pages."""
    found = [(page.parent / link).resolve() for link in links(page)]
    return [inner for item in found for inner in (sorted(item.glob("*.md")) if item.is_dir() else [item])]


def test_every_page_is_reachable_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += link_targets(page)
    assert [named(item) for item in PAGES if item not in reached] == []


def test_the_figures_of_the_readme_are_those_of_the_benchmarks() -> None:
    rows = re.findall(r"^\| [^|]+ \| ([\d,]+) ms[^|]* \| ([\d,]+) ms", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    measured = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert len(rows) == 3
    assert [(ours, other) for ours, other in rows if not re.search(rf"\| {ours} \|[^|\n]*\|[^|\n]*\| {other} \|", measured)] == []
