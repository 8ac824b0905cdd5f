"""A fleet as a JSON document, and as CSV with one row for each ServiceAccount."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from cli.queries.fleet_member import UpgradeRisk
from cli.queries.fleet_state import FleetState
from cli.views.documents import summary_document
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cli.queries.fleet_member import FleetMember
    from cli.queries.fleet_report import FleetReport

Json = dict[str, Any]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""First characters by which a spreadsheet takes a cell for a formula. Source: https://owasp.org/www-community/attacks/CSV_Injection"""


def fleet_document(report: FleetReport, listed: Sequence[FleetMember]) -> Json:
    """Return the report. `members` are the listed ones, the other fields count all."""
    return {
        "command": "fleet",
        "exitCode": report.exit_code,
        "at": report.at.isoformat(),
        "summary": summary_document(report.members) | {"accounts": len(report.accounts), "regions": report.regions},
        "accounts": [account_document(account, of_account(report.members, account)) for account in report.accounts],
        "members": [row(member) for member in listed],
        "releases": [release_document(release, members) for release, members in by_release(report.members).items()],
        "failures": [
            {
                "source": failure.label,
                "account": failure.account or None,
                "region": failure.region or None,
                "problem": failure.sentence,
                "nextStep": failure.next_step or None,
            }
            for failure in report.failures
        ],
    }


def of_account(members: Iterable[FleetMember], account: str) -> list[FleetMember]:
    """Return the members of one account."""
    return [member for member in members if member.account == account]


def account_document(account: str, members: Sequence[FleetMember]) -> Json:
    """Return the counts of one account."""
    return {
        "account": account,
        "clusters": len({(member.region, member.cluster) for member in members}),
        **summary_document(members),
        "openIncidents": sum(member.assessment.incident is not None for member in members),
        "losingRole": sum(member.risk is UpgradeRisk.LOSES_ROLE for member in members),
    }


def by_release(members: Iterable[FleetMember]) -> dict[tuple[str, str], list[FleetMember]]:
    """Return the members by name and version of their add-on, the most frequent release first."""
    found: dict[tuple[str, str], list[FleetMember]] = defaultdict(list)
    for member in members:
        if member.addon_name and member.addon:
            found[member.addon_name, member.addon].append(member)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def release_document(release: tuple[str, str], members: Sequence[FleetMember]) -> Json:
    """Return one release with the calls that it needs in these clusters, and what is known against it there."""
    warnings = Counter(member.release_warning for member in members if member.release_warning)
    return {
        "addon": release[0],
        "version": release[1],
        "members": len(members),
        "neededCalls": sorted({call for member in members for call in member.needed_calls}),
        "warnings": [{"sentence": sentence, "members": count} for sentence, count in warnings.most_common()],
    }


def row(member: FleetMember) -> Json:
    """Return one member as a flat document: the columns of the CSV file."""
    summary, incident = member.assessment.summary, member.assessment.incident
    counts = summary.counts if summary else None
    return {
        "account": member.account,
        "region": member.region,
        "cluster": member.cluster,
        "serviceAccount": member.service_account,
        "state": str(member.state),
        "verdict": member.verdict or None,
        "severity": str(summary.severity) if summary else None,
        "sentence": member.sentence,
        "kubernetesVersion": member.kubernetes or None,
        "addonVersion": member.addon or None,
        "mode": member.mode or None,
        "role": (summary.desired_role or None) if summary else None,
        "podsWithRole": counts.pods_right if counts else None,
        "pods": counts.pods if counts else None,
        "nodesReady": counts.nodes_ready if counts else None,
        "nodes": counts.nodes if counts else None,
        "incident": incident.id if incident else None,
        "incidentOpenedAt": incident.opened_at.isoformat() if incident else None,
        "nextUpdate": str(member.risk) if member.risk else None,
        "nextUpdateReason": member.risk_sentence or None,
        "releaseWarning": member.release_warning or None,
        "nextCommand": None if member.state is FleetState.SOUND else member.next_command,
    }


def fleet_csv(members: Sequence[FleetMember]) -> str:
    """Return one line for each member below a header. No cell is a formula, whatever a cluster says."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = [row(member) for member in members]
    writer.writerow(_COLUMNS)
    writer.writerows([[_cell(item[column]) for column in _COLUMNS] for item in rows])
    return text.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else plain(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


_COLUMNS: Final = (
    "account",
    "region",
    "cluster",
    "serviceAccount",
    "state",
    "verdict",
    "severity",
    "sentence",
    "kubernetesVersion",
    "addonVersion",
    "mode",
    "role",
    "podsWithRole",
    "pods",
    "nodesReady",
    "nodes",
    "incident",
    "incidentOpenedAt",
    "nextUpdate",
    "nextUpdateReason",
    "releaseWarning",
    "nextCommand",
)
