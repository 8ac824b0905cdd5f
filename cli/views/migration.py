"""A migration for people and for programs: the steps, what prevents them, and the change of the trust policy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.interactive.migration_fleet import MigrationState, summary
from cli.views.documents import target_document
from lambdas.domain.trust import as_terraform, changed_lines
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cli.interactive.migration_fleet import MigrationResult
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


def result_lines(results: Sequence[MigrationResult]) -> Iterator[str]:
    """What a person has to know at the end: which ones are done, why others are not, the notes, and for several the counts."""
    for result in results:
        match result.state:
            case MigrationState.DONE:
                yield f"{result.target.key} uses {result.migration.to}."
                if result.issued:
                    yield result.issued.sentence
            case MigrationState.STOPPED:
                yield f"{result.target.key} stopped: {result.reason}" + (f" ({result.next_step})" if result.next_step else "")
            case MigrationState.BLOCKED if len(results) > 1:
                yield f"{result.target.key} is blocked: {result.reason}"
            case MigrationState.NOT_STARTED:
                yield f"{result.target.key} was not started: {result.reason}"
        yield from result.notes
    if len(results) > 1:
        yield f"{len(results)} ServiceAccounts: " + ", ".join(f"{count} {state}" for state, count in summary(results).items())
    if any(result.state in (MigrationState.STOPPED, MigrationState.NOT_STARTED) for result in results):
        yield "Correct what stopped, and run the same command again: it continues with what is left."


def migration_document(result: MigrationResult) -> dict[str, Any]:
    """Return one migration as JSON."""
    migration, trust, issued = result.migration, result.migration.trust, result.issued
    return {
        **target_document(migration.target),
        "to": str(migration.to),
        "state": str(result.state),
        "reason": result.reason or None,
        "steps": [
            {"kind": str(step.kind), "sentence": step.sentence, "done": step.is_done, "inCode": step.in_code or None}
            for step in migration.steps
        ],
        "obstacles": list(migration.obstacles),
        "credentials": {"pods": issued.pods, "seen": issued.seen, "unknown": issued.unknown or None} if issued else None,
        "podsMoved": len(migration.moved_pods),
        "pods": len(migration.pods),
        "trust": {"role": trust.role_arn, "policy": trust.after, "terraform": as_terraform(trust.after)} if trust else None,
    }
