"""The identity chain as a table: result of `check`, and the header of `plan` and `fix`."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.errors import ExitCode
from cli.queries.assessment import needs_override
from cli.queries.incidents import incident_status
from cli.views.suggested_command import suggested_command
from lambdas.contract.parameters import binding_path
from lambdas.contract.workloads import service_account_option
from lambdas.domain.diagnosis.finding import State
from lambdas.domain.diagnosis.verdict import WITHOUT_FAULT, Verdict
from lambdas.notifications.escape import line as visible
from lambdas.notifications.escape import plain
from lambdas.notifications.messages import consequence_text
from lambdas.notifications.time_text import clock
from lambdas.notifications.trust_correction import documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from cli.queries.assessment import TargetAssessment
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.assessment.summary import AddonSummary, AssessmentSummary, ClusterSummary, LinkSummary

MARKS: Final = {
    State.OK: ("✓", "green"),
    State.BROKEN: ("✗", "bold red"),
    State.UNKNOWN: ("?", "yellow"),
    State.NOT_APPLICABLE: ("–", "dim"),
}


def chain_view(assessment: TargetAssessment) -> RenderableType:
    """Return header, links, verdict and next steps."""
    summary = assessment.summary
    if summary is None:
        return failure_view(assessment)
    links = Padding(_link_table(summary), (0, 0, 0, 1), expand=False)
    return Group(_header(assessment, summary), Text(), links, Text(), *_conclusion(assessment, summary), Text())


def target_title(assessment: TargetAssessment) -> Text:
    """Return cluster and ServiceAccount."""
    target = assessment.target
    return Text(target.cluster, style="bold").append(f" · {target.namespace}/{target.name}", style="not bold")


def failure_view(assessment: TargetAssessment) -> RenderableType:
    """Return the reason why there is no assessment."""
    return Group(target_title(assessment), Text(f"could not be assessed: {plain(assessment.failure)}", style="yellow"), Text())


def _header(assessment: TargetAssessment, summary: AssessmentSummary) -> Group:
    cluster, addon, version = summary.cluster, summary.addon, summary.cluster.version
    parts = [
        assessment.target.cluster,
        f"account {assessment.snapshot.account}" if assessment.snapshot else "",
        cluster.region,
        f"Kubernetes {version}{support_dates(cluster, today=summary.began_at[:10])}" if version else "",
        f"{addon.name} {addon.version}{_available_versions(addon, version)}" if addon else "",
    ]
    line = Text(" · ").join(Text(plain(part), style="bold" if i == 0 else "") for i, part in enumerate(parts) if part)
    return Group(line, _binding(assessment, summary))


def _available_versions(addon: AddonSummary, kubernetes: str) -> str:
    """Return the add-on's default version for the cluster's Kubernetes and the latest one, where they differ from the installed one."""
    installed, default, latest = addon.version, addon.default, addon.latest
    if not default:
        return ""
    label = f"default for {kubernetes}"
    versions = [label if default == installed else f"{label}: {default}"]
    versions += [f"latest: {latest}"] if latest not in ("", default, installed) else []
    return f" ({', '.join(versions)})"


def support_dates(cluster: ClusterSummary, *, today: str) -> str:
    """Return the next end of EKS support for the cluster's Kubernetes version, or the last one. Empty where no date is known."""
    ends = {name: date[:10] for name, date in (("standard", cluster.standard_until), ("extended", cluster.extended_until)) if date}
    future = [f" ({name} support until {date})" for name, date in ends.items() if today < date]
    past = [f" ({name} support ended {date})" for name, date in ends.items()]
    return next(iter(future), past[-1] if past else "")


def _binding(assessment: TargetAssessment, summary: AssessmentSummary) -> Text:
    target = assessment.target
    account = f"{target.namespace}/{target.name}"
    if not summary.binding_path:
        path = binding_path(target.cluster, target.namespace, target.name)
        return Text(f"{account} has no binding, so the remediator writes nothing here. The binding is the parameter\n{path}", style="dim")
    if not summary.desired_role:
        return Text(f"{account}: the parameter {summary.binding_path} names no usable role", style="yellow")
    text = Text(f"{account} must use ").append(plain(summary.desired_role), style="cyan")
    mode = f" · mode {assessment.snapshot.settings.mode}" if assessment.snapshot else ""
    return text.append(f"\nbinding: the parameter {summary.binding_path}{mode}", style="dim")


def _link_table(summary: AssessmentSummary) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1), expand=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for first, last in _folded(summary.links):
        mark, style = MARKS[State(first.state)]
        text = Text(plain(first.sentence), style="dim" if first.state == State.NOT_APPLICABLE else "")
        for evidence in _evidence(first, summary):
            text.append(f"\n{evidence}", style="dim")
        number, title = str(int(first.link)), first.title
        if first is not last:
            number, title = f"{number}-{int(last.link)}", f"{title} … {last.title}"
        table.add_row(number, title, Text(mark, style=style), text)
    return table


def _folded(links: Sequence[LinkSummary]) -> Iterator[tuple[LinkSummary, LinkSummary]]:
    """Return first and last of each run of links that do not apply for the same reason. Every other link is its own run."""
    for (state, sentence), run in groupby(links, key=lambda link: (link.state, link.sentence)):
        members = list(run)
        if state == State.NOT_APPLICABLE and sentence:
            yield members[0], members[-1]
        else:
            yield from ((link, link) for link in members)


def _evidence(link: LinkSummary, summary: AssessmentSummary) -> Iterator[str]:
    """Return the evidence of a broken link that its sentence does not contain. Objects with the same evidence share a line."""
    if link.state != State.BROKEN:
        return
    now, subjects_by_fact = _parse_time(summary.began_at), defaultdict[tuple[str, str, str], list[str]](list)
    for subject, field, value, at in link.evidence:
        if value not in link.sentence and (value != "none" or at):
            subjects_by_fact[field, value, at].append(subject)
    for (field, value, at), subjects in subjects_by_fact.items():
        since = _parse_time(at)
        yield plain(f"{', '.join(subjects)}: {field} {value}") + (f" (since {clock(since, now)})" if since else "")


def _parse_time(iso: str) -> datetime | None:
    return datetime.fromisoformat(iso) if iso else None


def _conclusion(assessment: TargetAssessment, summary: AssessmentSummary) -> Iterator[RenderableType]:
    yield _verdict(assessment, summary)
    for remedy in summary.remedies:
        is_followed = bool(remedy.diff or remedy.command)
        yield Padding(Text(plain(f"{remedy.text}:" if is_followed else remedy.text)), (0, 0, 0, 2), expand=False)
        for old, new in remedy.diff:
            yield Padding(Text(plain(f"{old}  →  {new}")), (0, 0, 0, 2), expand=False)
        if remedy.command:  # one line, so that it can be copied: the terminal wraps it
            yield Text(remedy.command, no_wrap=True, overflow="ignore")
    yield from _corrected_trust(summary)
    for note in (*assessment.notes, *summary.warnings):
        yield Text(f"note: {plain(note)}", style="dim")
    if assessment.incident:
        yield Text(f"Incident {assessment.incident.id} is open: {incident_status(assessment.incident)}")
    if command := _next_command(assessment, summary):
        yield command


def _corrected_trust(summary: AssessmentSummary) -> Iterator[RenderableType]:
    """Return the complete corrected trust policy as JSON and as Terraform, to be copied."""
    for document in documents(summary.corrected_trust, summary.desired_role.rsplit("/", 1)[-1]):
        yield Text(f"{visible(document.title)}:", style="bold")
        yield Text("\n".join(map(visible, document.lines)), no_wrap=True, overflow="ignore")


_WITHOUT_FAULT: Final = {Verdict.HEALTHY: "Healthy", Verdict.NOT_APPLICABLE: "Not applicable"}


def _verdict(assessment: TargetAssessment, summary: AssessmentSummary) -> Text:
    if summary.is_healthy:
        style = "yellow" if assessment.exit_code != ExitCode.OK else "bold green" if summary.verdict is Verdict.HEALTHY else "green"
        text = Text(f"{_WITHOUT_FAULT.get(summary.verdict, 'No fault found')}: ", style=style)
        return text.append(plain(summary.sentence), style="not bold")
    label, style = ("Unknown: ", "bold yellow") if assessment.exit_code == ExitCode.UNKNOWN else ("Broken: ", "bold red")
    others = [link.title for link in summary.links if link.state == State.BROKEN and link.verdict != summary.verdict]
    text = Text(label, style=style).append(str(summary.verdict), style="bold")
    text.append(f"; also broken: {', '.join(others)}" if others else "", style="not bold default")
    return text.append(f". {consequence_text(summary)}", style="not bold default")


def override_command(target: ServiceAccountRef) -> Text:
    """Return the command of a person who repairs against another writer."""
    return suggested_command(
        f"irsa-remediator fix --cluster {target.cluster}{service_account_option(target)} --override",
        "repairs it once more, although another writer may undo it",
    )


def _next_command(assessment: TargetAssessment, summary: AssessmentSummary) -> Text | None:
    """Return the next command."""
    option = f"--cluster {assessment.target.cluster}"
    if summary.is_healthy:
        is_unbound = not summary.binding_path and summary.verdict in WITHOUT_FAULT
        return suggested_command(f"irsa-remediator adopt {option}", "binds the current role") if is_unbound else None
    if summary.verdict is Verdict.CLUSTER_GONE:
        return None
    if summary.verdict is Verdict.NO_ACCESS:
        return suggested_command(f"irsa-remediator access {option} --check", "shows which access is missing")
    if needs_override(assessment):
        return override_command(assessment.target)
    return suggested_command(f"irsa-remediator plan {option}", "shows what a repair would change")
