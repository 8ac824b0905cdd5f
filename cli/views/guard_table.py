"""Result of `guard`: the policies of each ServiceAccount, and the next steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from cli.queries.guards import GuardState, Proof
from lambdas.notifications.escape import plain
from lambdas.notifications.owners import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

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
