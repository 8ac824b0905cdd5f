"""The report of `fleet` for a terminal: counts, accounts, faulty clusters, releases with known faults, and what could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from cli.queries.fleet_member import UpgradeRisk
from cli.queries.fleet_state import FleetState
from cli.views.adaptive_table import AdaptiveTable, Column
from cli.views.fleet_documents import account_document, by_release, of_account, release_document
from cli.views.fleet_table import (
    final_count,
    fleet_table,
    marks,
    member_count,
    next_check,
    summary_lines,
    unlisted_hint,
)
from lambdas.domain.plurals import pluralize
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from cli.queries.fleet_member import FleetMember
    from cli.queries.fleet_report import FleetFailure, FleetReport


def fleet_views(report: FleetReport, listed: Sequence[FleetMember]) -> Iterator[RenderableType]:
    """Return the parts of the report, the most urgent first."""
    yield from summary_lines(report.members)
    if report.failures:
        count = pluralize(len(report.failures), "account or region", "accounts or regions")
        yield Text(f"{count} could not be read, so their clusters are unknown", style="yellow")
    if listed:
        yield Text()
        yield fleet_table(listed, with_place=True)
    yield from unlisted_hint(report.members, listed)
    yield from next_check([member for member in listed if member.state is not FleetState.SOUND])
    yield from _accounts(report)
    yield from _losing(report.members)
    yield from _releases(report.members)
    for failure in report.failures:
        yield from _failure(failure)
    yield from final_count(member_count(report.members), len(listed) + len(report.accounts) + len(report.failures))


def _accounts(report: FleetReport) -> Iterator[RenderableType]:
    """Return one row for each account with a cluster, the worst first."""
    counted = [account_document(account, of_account(report.members, account)) for account in report.accounts]
    rows = sorted((row for row in counted if row["clusters"]), key=lambda row: (-row["broken"], -row["unknown"], row["account"]))
    if not rows:
        return
    columns = [Column("account", [Text(row["account"]) for row in rows])]
    names = {"clusters": "clusters", "broken": "broken", "unknown": "unknown", "sound": "without a fault"}
    names |= {"openIncidents": "incidents open", "losingRole": "would lose the role"}
    columns += [Column(title, [Text(str(row[name] or "")) for row in rows], is_number=True) for name, title in names.items()]
    states = [FleetState.BROKEN if row["broken"] else FleetState.UNKNOWN if row["unknown"] else FleetState.SOUND for row in rows]
    yield Text("\nAccounts", style="bold")
    yield AdaptiveTable(marks(states), columns)


def _losing(members: Sequence[FleetMember]) -> Iterator[RenderableType]:
    """Return the clusters that run well now and would lose the role at the next update."""
    losing = [member for member in members if member.risk is UpgradeRisk.LOSES_ROLE]
    if losing:
        yield Text("\nWould lose the role at the next update of vpc-cni", style="bold")
        yield from (_indented(f"{_place(member)}: {plain(member.risk_sentence)}") for member in losing)


def _releases(members: Sequence[FleetMember]) -> Iterator[RenderableType]:
    documents = [release_document(release, of_release) for release, of_release in by_release(members).items()]
    warned = [(document, warning) for document in documents for warning in document["warnings"]]
    if warned:
        yield Text("\nReleases with known faults", style="bold")
        for document, warning in warned:
            yield _indented(f"{pluralize(warning['members'], 'cluster')} with {document['version']}: {plain(warning['sentence'])}")


def _failure(failure: FleetFailure) -> Iterator[RenderableType]:
    where = " ".join(filter(None, (failure.label, failure.account if failure.account not in failure.label else "", failure.region)))
    yield Text("\nnot read: ", style="yellow").append(f"{plain(where)}: {plain(failure.sentence)}", style="default")
    if failure.next_step:
        yield _indented(f"next: {plain(failure.next_step)}")


def _place(member: FleetMember) -> str:
    return f"{member.account} {member.region} {plain(member.cluster)}"


def _indented(text: str) -> Padding:
    return Padding(Text(text), (0, 0, 0, 2), expand=False)
