"""Several ServiceAccounts as a table: a summary first, then one row each, worst first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from rich.text import Text

from cli.queries.fleet_member import UpgradeRisk
from cli.queries.fleet_state import FleetState
from cli.views.adaptive_table import AdaptiveTable, Column
from lambdas.contract.workloads import AWS_NODE
from lambdas.domain.diagnosis.verdict import WITHOUT_FAULT
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.plurals import pluralize
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cli.queries.fleet_member import FleetMember

MARKS: Final = {FleetState.BROKEN: ("✗", "bold red"), FleetState.UNKNOWN: ("?", "yellow"), FleetState.SOUND: ("✓", "green")}
STATE_NAMES: Final = {FleetState.BROKEN: "broken", FleetState.UNKNOWN: "unknown", FleetState.SOUND: "without a fault"}
RISK_NAMES: Final = {
    UpgradeRisk.LOSES_ROLE: "loses the role",
    UpgradeRisk.FAILS: "fails",
    UpgradeRisk.UNKNOWN: "unknown",
    UpgradeRisk.NO_ROLE: "has no role",
    UpgradeRisk.KEEPS_ROLE: "keeps the role",
}
RISK_STYLES: Final = {UpgradeRisk.LOSES_ROLE: "bold red", UpgradeRisk.FAILS: "red", UpgradeRisk.UNKNOWN: "yellow"}
ROWS_ON_A_SCREEN: Final = 20
"""A longer table has the count below it too: a terminal of 24 lines no longer shows the first line."""
_MOST_OPTIONS: Final = 5
"""Clusters that a command names. For more, it says `--all`."""
_AWS_NODE: Final = f"{AWS_NODE.namespace}/{AWS_NODE.service_account}"


def fleet_table(members: Sequence[FleetMember], *, with_place: bool = False) -> AdaptiveTable:
    """Return one row for each member, in their order. Account and region are columns where they differ or are asked for."""
    has_others = any(member.service_account != _AWS_NODE for member in members)
    columns = [
        *_names(members, with_place=with_place),
        Column("Kubernetes", [Text(plain(member.kubernetes)) for member in members]),
        Column("add-on" if has_others else "vpc-cni", [Text(plain(member.addon)) for member in members]),
        Column("mode", [Text(member.mode) for member in members]),
        Column("pods with the role", [Text(_pods(member)) for member in members], is_number=True),
        Column("nodes Ready", [Text(_nodes(member)) for member in members], is_number=True),
        Column("next update", [risk_text(member.risk) for member in members]),
    ]
    return AdaptiveTable(marks(member.state for member in members), columns)


def plan_table(members: Sequence[FleetMember]) -> AdaptiveTable:
    """Return one row for each member with its actions, or with the reasons that block them."""
    columns = [
        *_names(members, with_place=False),
        Column("mode", [Text(member.mode) for member in members]),
        Column("plan", [Text(_plan(member)) for member in members]),
    ]
    return AdaptiveTable(marks(member.state for member in members), columns)


def _names(members: Sequence[FleetMember], *, with_place: bool) -> Iterator[Column]:
    yield Column("cluster", [Text(plain(member.cluster)) for member in members])
    if with_place or len({(member.account, member.region) for member in members}) > 1:
        yield Column("account and region", [Text(f"{member.account} {member.region}") for member in members])
    if any(member.service_account != _AWS_NODE for member in members):
        yield Column("service account", [Text(plain(member.service_account)) for member in members])
    yield Column("verdict", [Text(plain(member.verdict or member.sentence)) for member in members])


def marks(states: Iterable[FleetState]) -> list[Text]:
    """Return the mark of each state."""
    return [Text(mark, style=style) for mark, style in (MARKS[state] for state in states)]


def count_line(clusters: int, states: Iterable[FleetState], names: Mapping[FleetState, str], *, detail: str = "") -> Text:
    """Return the number of clusters, with a detail, and how many are in each state, in the words of these names."""
    counts = Counter(states)
    line = Text(pluralize(clusters, "cluster"), style="bold").append(detail)
    parts = [Text(f"{counts[state]} {name}", style=MARKS[state][1]) for state, name in names.items() if counts[state]]
    return line.append(": ").append(Text(" · ").join(parts)) if parts else line


def final_count(count: Text, rows: int) -> Iterator[Text]:
    """Return the count once more where the rows do not fit on a screen with it, else nothing."""
    if rows > ROWS_ON_A_SCREEN:
        yield Text("\n").append(count)


def _plan(member: FleetMember) -> str:
    summary = member.assessment.summary
    if summary is None:
        return ""
    if summary.is_healthy:
        return "nothing to do"
    actions = ", ".join(action.kind for action in summary.actions)
    reasons = dict.fromkeys(str(item.reason) for item in summary.blocked if item.reason != BlockReason.CONSEQUENCE)
    return actions or (f"blocked: {', '.join(reasons)}" if reasons else summary.wait and f"waits: {plain(summary.wait)}") or "no actions"


def risk_text(risk: UpgradeRisk | None) -> Text:
    """Return the risk of the next update in words; empty where it is not known for this workload."""
    return Text(RISK_NAMES[risk], style=RISK_STYLES.get(risk, "")) if risk else Text()


def _pods(member: FleetMember) -> str:
    summary = member.assessment.summary
    return f"{summary.counts.pods_right}/{summary.counts.pods}" if summary and summary.counts.pods and summary.desired_role else ""


def _nodes(member: FleetMember) -> str:
    summary = member.assessment.summary
    return f"{summary.counts.nodes_ready}/{summary.counts.nodes}" if summary and summary.counts.nodes else ""


def member_count(members: Sequence[FleetMember]) -> Text:
    """Return how many members are broken, unknown and without a fault."""
    clusters = len({(member.account, member.region, member.cluster) for member in members})
    detail = f", {pluralize(len(members), 'ServiceAccount')}" if len(members) != clusters else ""
    return count_line(clusters, (member.state for member in members), STATE_NAMES, detail=detail)


def summary_lines(members: Sequence[FleetMember]) -> Iterator[Text]:
    """Return the count of members by state, then the place, open incidents and the next update."""
    yield member_count(members)
    yield Text(" · ".join(_facts(members)), style="dim")


def _facts(members: Sequence[FleetMember]) -> Iterator[str]:
    places = {(member.account, member.region) for member in members}
    if len(places) == 1:
        account, region = next(iter(places))
        yield f"account {account}"
        yield region
    elif places:
        yield pluralize(len({account for account, _ in places}), "account")
        yield pluralize(len({region for _, region in places}), "region")
    incidents = sum(member.assessment.incident is not None for member in members)
    if incidents:
        yield f"{pluralize(incidents, 'incident')} open"
    risks = Counter(member.risk for member in members)
    if risks[UpgradeRisk.LOSES_ROLE]:
        yield f"{risks[UpgradeRisk.LOSES_ROLE]} would lose the role at the next update of vpc-cni"
    if risks[UpgradeRisk.FAILS]:
        yield f"the next update would fail in {risks[UpgradeRisk.FAILS]}"


def unlisted_hint(members: Sequence[FleetMember], listed: Sequence[FleetMember]) -> Iterator[Text]:
    """Return how many members the table leaves out, and the option that lists them; nothing where it leaves out none."""
    shown = {member.state for member in listed}
    left = Counter(member.state for member in members if member.state not in shown)
    if left:
        counts = ", ".join(f"{left[state]} {name}" for state, name in STATE_NAMES.items() if left[state])
        options = " ".join(f"--only {state}" for state in STATE_NAMES if left[state])
        yield Text(f"Not listed: {counts}. {options} lists them.", style="dim")


def next_check(faulty: Sequence[FleetMember]) -> Iterator[Text]:
    """Return the commands that show the links of the first faulty cluster and its repair; nothing where no cluster is faulty."""
    if faulty:
        options = plain(" ".join(filter(None, (faulty[0].cluster, faulty[0].options))))
        command = Text(f"\nirsa-remediator check {options}", style="bold", no_wrap=True, overflow="ignore")
        yield command.append("   shows every link, the evidence and the next step", style="not bold dim")


def unbound_clusters(members: Iterable[FleetMember]) -> list[str]:
    """Return the clusters without a fault and without a binding."""
    summaries = [(member.cluster, member.assessment.summary) for member in members if member.assessment.summary]
    return [cluster for cluster, summary in summaries if not summary.binding_path and summary.verdict in WITHOUT_FAULT]


def unbound_hint(clusters: Sequence[str]) -> Iterator[Text]:
    """Return the command that binds these clusters, or nothing where the list is empty."""
    if clusters:
        options = " ".join(f"--cluster {name}" for name in clusters) if len(clusters) <= _MOST_OPTIONS else "--all"
        text = Text(f"\n{pluralize(len(clusters), 'cluster')} without a binding: the remediator writes nothing there. ", style="dim")
        yield text.append(f"irsa-remediator adopt {options}", style="bold").append("   binds the current role")
