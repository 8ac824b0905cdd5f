"""Result of `guard`: the policies of each ServiceAccount, and the next steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from cli.errors import ExitCode
from cli.output import error_console
from cli.queries.guards import Proof
from lambdas.domain.errors import RemediatorError
from lambdas.domain.snapshot.guard import GuardState
from lambdas.notifications.escape import plain
from lambdas.notifications.owners import short_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from rich.console import RenderableType

    from cli.clients.dependencies import Dependencies
    from cli.queries.guard_updates import GuardUpdate
    from cli.queries.guards import GuardScope, GuardStatus

_MARKS: Final = {
    GuardState.INSTALLED: ("✓", "green"),
    GuardState.ABSENT: ("–", "dim"),
    GuardState.STALE: ("✗", "bold red"),
    GuardState.DIFFERS: ("✗", "bold red"),
    GuardState.FOREIGN: ("✗", "bold red"),
    GuardState.UNBOUND: ("✗", "bold red"),
    GuardState.NOT_SERVED: ("–", "yellow"),
    GuardState.UNKNOWN: ("?", "yellow"),
}
_PROOFS: Final = {
    Proof.KEPT: "a removal that was not stored left the role",
    Proof.REMOVED: "a removal that was not stored took the role away",
    Proof.NOT_KNOWN: "not tried",
}


def guard_view(command: str, scope: GuardScope, statuses: Sequence[GuardStatus]) -> Iterator[RenderableType]:
    """Return one line for each policy, then the ServiceAccounts that have none, and the next steps."""
    if command == "guard remove":
        yield from _removed(scope, statuses)
        return
    if command == "guard apply":
        yield from (_removal(status) for status in statuses if status.is_removed)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for _ in range(5):
        table.add_column(overflow="fold")
    for status in (status for status in statuses if not status.is_removed):
        mark, style = _MARKS[status.state]
        if status.proof is Proof.REMOVED:
            mark, style = _MARKS[GuardState.DIFFERS]
        table.add_row(Text(mark, style=style), plain(status.account), status.kind, status.state, Text(_detail(status), style="dim"))
    yield table
    for account, reason in scope.excluded.items():
        yield Text(f"{plain(account)} can have no guard: {plain(reason)}", style="dim")
    if not statuses and not scope.excluded:
        yield Text("No ServiceAccount of this cluster has a binding. irsa-remediator adopt writes bindings.", style="dim")
    elif any(status.state is GuardState.ABSENT and not status.is_removed for status in statuses):
        yield Text(f"To install: irsa-remediator guard apply --cluster {scope.cluster}", style="dim")
    for step in dict.fromkeys(status.next_step for status in statuses if status.next_step):
        yield Text(f"next:  {plain(step)}", style="bold", no_wrap=True, overflow="ignore")


def follow_bindings(clusters: Collection[str], dependencies: Dependencies, accounts: frozenset[str] | None = None) -> ExitCode:
    """Bring the policies of these clusters up to date, and write to standard error what was done and what was not.

    Returns 1 where a policy is known not to follow its binding. That nothing is known of a cluster is no fault of the parameter.
    """
    from cli.queries.guard_updates import update_guards

    try:
        updates = update_guards(clusters, dependencies, accounts)
    except RemediatorError as error:
        error_console().print(f"Whether guards follow the changed parameter is not known: {plain(str(error))}", soft_wrap=True)
        return ExitCode.OK
    for update in updates:
        for line in update_lines(update):
            error_console().print(line, soft_wrap=True)
    return ExitCode.BROKEN if any(update.exit_code is ExitCode.BROKEN for update in updates) else ExitCode.OK


def update_lines(update: GuardUpdate) -> Iterator[Text]:
    """Return what was done in a cluster, what was not, why, and the next step."""
    where = f"in {update.cluster}"
    for status in update.installed:
        proof = f"; {_PROOFS[status.proof]}" if status.proof else ""
        yield Text(f"The {status.kind} of {plain(status.account)} {where} is up to date: {plain(status.role_arn)}{proof}")
    for status in update.removed:
        yield Text(f"The {status.kind} of {plain(status.account)} {where} was removed: {plain(status.detail)}")
    for status in update.remaining:
        why = plain(status.detail) or "it is not installed, and the setting guard asks for it"
        yield Text(f"The {status.kind} of {plain(status.account)} {where} does not follow its binding: {why}", style="yellow")
    if update.problem:
        yield Text(_capitalized(plain(update.problem)), style="yellow")
    if update.next_step:
        yield Text(f"next:  {plain(update.next_step)}", style="bold")


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def updates_view(updates: Sequence[GuardUpdate]) -> Iterator[RenderableType]:
    """Return one line for each cluster, then what needs a person."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(overflow="fold")
    marks = {ExitCode.OK: ("✓", "green"), ExitCode.BROKEN: ("✗", "bold red")}
    for update in updates:
        mark, style = marks.get(update.exit_code, ("?", "yellow"))
        counts = {"installed": len(update.installed), "removed": len(update.removed), "not up to date": len(update.remaining)}
        text = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        summary = text or ("not known" if update.problem else "no change")
        table.add_row(Text(mark, style=style), plain(update.cluster), Text(summary, style="dim"))
    yield table
    for update in updates:
        if update.problem or update.remaining:
            yield from update_lines(replace(update, installed=(), removed=()))


def _detail(status: GuardStatus) -> str:
    role = status.role_arn.rpartition("/")[2]
    proof = _PROOFS[status.proof] if status.proof else ""
    left_out = f"last left out by {short_name(status.left_out_by)}" if status.left_out_by else ""
    shown = role if status.state is not GuardState.ABSENT else ""
    return plain("; ".join(filter(None, (shown, proof, left_out, status.detail))))


def _removed(scope: GuardScope, statuses: Sequence[GuardStatus]) -> Iterator[RenderableType]:
    if not statuses:
        yield Text(f"Cluster {scope.cluster} has no guard and no warning of eks-irsa-remediator to remove.", style="dim")
    yield from map(_removal, statuses)


def _removal(status: GuardStatus) -> Text:
    return Text(f"removed the {status.kind} of {plain(status.account)}")
