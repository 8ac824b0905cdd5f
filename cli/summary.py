"""Several looks on one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.plurals import many
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cli.looking import Seen

_RESULTS = (("✓", "green"), ("✗", "bold red"), ("?", "yellow"))


def summary(seen: list[Seen]) -> Table:
    """Cluster, ServiceAccount and verdict, the broken ones first."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("cluster", overflow="fold")
    table.add_column("service account", overflow="fold")
    table.add_column("verdict", overflow="fold")
    table.add_column("pods with the role", justify="right")
    table.add_column("nodes Ready", justify="right")
    for item in sorted(seen, key=lambda item: ((1, 0, 2).index(item.exit_code), item.target)):
        mark, style = _RESULTS[item.exit_code]
        table.add_row(Text(mark, style=style), item.target.cluster, f"{item.target.namespace}/{item.target.name}", *_columns(item))
    return table


def _columns(it: Seen) -> tuple[str, str, str]:
    if it.look is None:
        return plain(it.failure), "", ""
    counts = it.look.counts
    pods = f"{counts.pods_right}/{counts.pods}" if counts.pods and it.look.desired_role else ""
    nodes = f"{counts.nodes_ready}/{counts.nodes}" if counts.nodes else ""
    return str(it.look.verdict), pods, nodes


def unbound(seen: list[Seen]) -> Iterator[Text]:
    """How to bind those that are looked at and never written to."""
    names = [item.target.cluster for item in seen if item.look and not item.look.binding_path and item.look.verdict is Verdict.HEALTHY]
    if names:
        yield from how_to_bind(names)


def how_to_bind(names: Sequence[str]) -> Iterator[Text]:
    """What to run for clusters that nobody bound."""
    options = " ".join(f"--cluster {name}" for name in names)
    words = Text(f"\n{many(len(names), 'cluster')} not bound: nothing is ever written there. ", style="dim")
    yield words.append(f"irsa-remediator adopt {options}", style="bold").append("   binds to the role of today")
