"""A fleet as a self-contained HTML page: state by account, what is broken, what the next update would break, and what was not read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from cli.queries.fleet_member import UpgradeRisk
from cli.queries.fleet_state import FleetState
from cli.queries.incidents import incident_status
from cli.views.fleet_documents import account_document, by_release, of_account, release_document
from cli.views.fleet_table import RISK_NAMES, STATE_NAMES
from cli.views.html_page import html_page, html_table, to_html, unbroken
from lambdas.domain.plurals import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cli.queries.fleet_member import FleetMember
    from cli.queries.fleet_report import FleetFailure, FleetReport

_MARKS: Final = {FleetState.BROKEN: "✗", FleetState.UNKNOWN: "?", FleetState.SOUND: "✓"}


def fleet_page(report: FleetReport) -> str:
    """Return the page as HTML."""
    faulty = [member for member in report.members if member.state is not FleetState.SOUND]
    clusters = len({(member.account, member.region, member.cluster) for member in report.members})
    title = f"{pluralize(clusters, 'cluster')} in {pluralize(len(report.accounts), 'account')}"
    return html_page(
        title,
        (
            f'<p class="eyebrow">irsa-remediator fleet · {report.at:%Y-%m-%d %H:%M} UTC · {report.regions} pairs of account and region</p>',
            f"<h1>{to_html(title)}</h1>",
            _figures(report.members),
            *_failures(report.failures),
            _section("What is broken", _faulty(faulty), "No fault was found."),
            _section("Open incidents", _incidents(report.members), "No incident is open."),
            _section("Would lose the role at the next update", _losing(report.members), "No cluster is known to lose the role."),
            _section("State by account", _accounts(report), "No account has a cluster."),
            _section("Releases of the add-on", _releases(report.members), "No add-on was read."),
            _section("All clusters", _all(report.members), ""),
            "<footer>“Without a fault” means that no link of the identity chain that was read is broken. All times are UTC.</footer>",
        ),
        is_wide=True,
    )


def _figures(members: Sequence[FleetMember]) -> str:
    """Return the single values: counts of ServiceAccounts by state, of open incidents, and of roles that the next update removes."""
    states = Counter(member.state for member in members)
    values = [(STATE_NAMES[state], states[state], str(state)) for state in FleetState]
    incidents = sum(member.assessment.incident is not None for member in members)
    losing = sum(member.risk is UpgradeRisk.LOSES_ROLE for member in members)
    values += [("incidents open", incidents, "broken" if incidents else ""), ("would lose the role", losing, "unknown" if losing else "")]
    tiles = "".join(f'<div><dd class="{style if value else ""}">{value}</dd><dt>{name}</dt></div>' for name, value, style in values)
    return f'<dl class="figures">{tiles}</dl>'


def _section(title: str, table: str, empty: str) -> str:
    return f"<section><h2>{title}</h2>{table or f'<p>{empty}</p>'}</section>"


def _failures(failures: Sequence[FleetFailure]) -> Iterator[str]:
    """Return what could not be read, above everything that was: its clusters may be broken."""
    if failures:
        headers = ("account", "region", "reason", "next step")
        rows = [
            (
                _name(failure.label, failure.account),
                unbroken(failure.region or "all"),
                to_html(failure.sentence),
                to_html(failure.next_step),
            )
            for failure in failures
        ]
        yield _section("Not read, so unknown", html_table(headers, rows), "")


def _name(label: str, account: str) -> str:
    return unbroken(" ".join(filter(None, (label, account if account not in label else ""))))


def _faulty(faulty: Sequence[FleetMember]) -> str:
    headers = ("", "cluster", "where", "verdict", "what is broken", "what to do")
    rows = [
        (
            _mark(member),
            _cluster(member),
            _where(member),
            unbroken(member.verdict),
            to_html(member.sentence),
            f"<code>{unbroken(member.next_command)}</code>",
        )
        for member in faulty
    ]
    return html_table(headers, rows) if rows else ""


def _incidents(members: Sequence[FleetMember]) -> str:
    headers = ("incident", "opened", "cluster", "where", "verdict", "state")
    rows = [
        (
            unbroken(incident.id),
            unbroken(f"{incident.opened_at:%Y-%m-%d %H:%M}"),
            _cluster(member),
            _where(member),
            unbroken(member.verdict),
            to_html(incident_status(incident)),
        )
        for member in members
        if (incident := member.assessment.incident)
    ]
    return html_table(headers, sorted(rows, key=lambda row: row[1])) if rows else ""


def _losing(members: Sequence[FleetMember]) -> str:
    headers = ("cluster", "where", "Kubernetes", "vpc-cni", "reason")
    rows = [
        (_cluster(member), _where(member), to_html(member.kubernetes), unbroken(member.addon), to_html(member.risk_sentence))
        for member in members
        if member.risk is UpgradeRisk.LOSES_ROLE
    ]
    return html_table(headers, rows) if rows else ""


def _accounts(report: FleetReport) -> str:
    counted = [account_document(account, of_account(report.members, account)) for account in report.accounts]
    rows = sorted((row for row in counted if row["clusters"]), key=lambda row: (-row["broken"], -row["unknown"], row["account"]))
    names = {"clusters": "clusters", **{str(state): STATE_NAMES[state] for state in FleetState}}
    names |= {"openIncidents": "incidents open", "losingRole": "would lose the role"}
    cells = [
        (to_html(row["account"]), *(f'<span class="{name if row[name] else ""}">{row[name]}</span>' for name in names)) for row in rows
    ]
    return html_table(("account", *names.values()), cells) if cells else ""


def _releases(members: Sequence[FleetMember]) -> str:
    headers = ("add-on", "version", "ServiceAccounts", "calls that it needs", "known faults")
    documents = [release_document(release, of_release) for release, of_release in by_release(members).items()]
    rows = [
        (
            to_html(document["addon"]),
            to_html(document["version"]),
            str(document["members"]),
            _calls(document["neededCalls"]),
            "<br>".join(f"{warning['members']} of them: {to_html(warning['sentence'])}" for warning in document["warnings"]),
        )
        for document in documents
    ]
    return html_table(headers, rows) if rows else ""


def _calls(calls: Sequence[str]) -> str:
    listed = to_html(", ".join(calls))
    return f"<details><summary>{pluralize(len(calls), 'call')}</summary>{listed}</details>" if calls else "not known"


def _all(members: Sequence[FleetMember]) -> str:
    headers = ("", "cluster", "where", "verdict", "Kubernetes", "add-on", "mode", "next update")
    rows = [
        (
            _mark(member),
            _cluster(member),
            _where(member),
            unbroken(member.verdict or "not known"),
            to_html(member.kubernetes),
            unbroken(member.addon),
            unbroken(member.mode),
            RISK_NAMES[member.risk] if member.risk else "",
        )
        for member in members
    ]
    return html_table(headers, rows) if rows else ""


def _mark(member: FleetMember) -> str:
    return f'<span class="{member.state}" title="{STATE_NAMES[member.state]}">{_MARKS[member.state]}</span>'


def _cluster(member: FleetMember) -> str:
    return f"<strong>{to_html(member.cluster)}</strong><br><small>{unbroken(member.service_account)}</small>"


def _where(member: FleetMember) -> str:
    return f"{unbroken(member.account)}<br><small>{unbroken(member.region)}</small>"
