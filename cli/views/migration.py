"""A migration for people and for programs: the steps, what prevents them, and the change of the trust policy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.views.documents import target_document
from lambdas.domain.trust import as_terraform, changed_lines
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.queries.migration import Migration, TrustChange


def migration_view(migration: Migration) -> Group:
    """Return the steps with their state, the obstacles, and the change of the trust policy."""
    return Group(*_lines(migration))


def _lines(migration: Migration) -> Iterator[Text]:
    yield Text(f"{migration.target.key} to {migration.to}", style="bold")
    for number, step in enumerate(migration.steps, 1):
        mark = "✓" if step.is_done else " "
        yield Text(f"  {number} {mark} {plain(step.sentence)}", style="dim" if step.is_done else "")
        if step.in_code and not step.is_done:
            yield Text(f"      in code: {plain(step.in_code)}", style="dim")
    for obstacle in migration.obstacles:
        yield Text(f"  ✗ {plain(obstacle)}", style="red")
    if migration.trust:
        yield from _trust_lines(migration.trust)
    if not migration.remaining and not migration.obstacles:
        yield Text("  nothing is left to do", style="green")


def _trust_lines(change: TrustChange) -> Iterator[Text]:
    """The change as lines, as JSON and as Terraform. A person applies it, or --apply-trust does."""
    yield Text(f"  change the trust policy of {plain(change.role_arn)} first, or give --apply-trust:")
    for old, new in changed_lines(change.before, change.after):
        yield from (Text(f"    {sign} {plain(text)}") for sign, text in (("-", old), ("+", new)) if text.strip())
    yield Text("  as JSON:")
    yield Text(plain(json.dumps(change.after)), overflow="fold")
    yield Text("  as Terraform:")
    yield from (Text(plain(line)) for line in as_terraform(change.after).splitlines())


def migration_document(migration: Migration) -> dict[str, Any]:
    """Return one migration as JSON."""
    trust = migration.trust
    return {
        **target_document(migration.target),
        "to": str(migration.to),
        "steps": [
            {"kind": str(step.kind), "sentence": step.sentence, "done": step.is_done, "inCode": step.in_code or None}
            for step in migration.steps
        ],
        "obstacles": list(migration.obstacles),
        "podsMoved": len(migration.moved_pods),
        "pods": len(migration.pods),
        "trust": {"role": trust.role_arn, "policy": trust.after, "terraform": as_terraform(trust.after)} if trust else None,
    }
