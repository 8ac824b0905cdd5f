"""Writes one page for each rule to `docs/preflight/rules`, and the table of rules: `python -m preflight.rule_pages`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from preflight.rules import RULES, Rule

FOLDER: Final = Path(__file__).parents[1] / "docs" / "preflight" / "rules"


def page(rule: Rule) -> str:
    """Return the page about a rule: rationale, example, fix and the version that introduced it."""
    parts = [
        f"# {rule.id} `{rule.name}`",
        f"{rule.title}. Level: **{rule.level.value}**. Since version {rule.since}.",
        f"## Rationale\n\n{rule.why} [Source]({rule.source})",
    ]
    if rule.example:
        parts.append(f"## Example\n\n```\n{rule.example}\n```")
    parts.append(f"## Fix\n\n{rule.fix}")
    parts.append(
        "## Suppress\n\n"
        f"Comment above the line: `# irsa-preflight: ignore {rule.id} -- reason`. For the whole project, in `.irsa-preflight.yaml`:\n\n"
        f'```yaml\nsuppress:\n  - rule: {rule.id}\n    resource: "*"\n    reason: why it does not matter here\n```'
    )
    parts.append("All rules: [index](README.md).")
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """Return the table of all rules."""
    rows = [f"| [{rule.id}]({rule.id}.md) | `{rule.name}` | {rule.level.value} | {rule.title} |" for rule in RULES]
    head = ["# Rules of preflight", "", "Ids and names are stable. Errors make exit code 1, unknowns 2.", ""]
    return "\n".join([*head, "| rule | name | level | reports |", "|---|---|---|---|", *rows]) + "\n"


def pages() -> dict[str, str]:
    """Return the text of every file in the folder of rule pages."""
    return {"README.md": index(), **{f"{rule.id}.md": page(rule) for rule in RULES}}


def main() -> None:
    """Write the pages, and delete pages of rules that no longer exist."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    expected = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in expected:
            path.unlink()
    for name, text in expected.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
