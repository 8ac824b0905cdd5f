"""A plan for people: actions in order, and blocked actions with the reason."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.queries.assessment import may_repair, needs_override
from cli.views.chain import failure_view, override_command, target_title
from cli.views.suggested_command import suggested_command
from lambdas.contract.workloads import service_account_option
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.planning.plan import BlockReason
from lambdas.notifications.escape import plain
from lambdas.notifications.time_text import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import RenderableType

    from cli.queries.assessment import TargetAssessment
    from lambdas.domain.assessment.summary import AssessmentSummary, BlockedSummary
    from lambdas.domain.planning.actions import Action


def plan_view(assessment: TargetAssessment) -> RenderableType:
    """Return the plan under a title."""
    if assessment.summary is None:
        return failure_view(assessment)
    return Group(target_title(assessment), *plan_lines(assessment.summary), Text())


def plan_lines(summary: AssessmentSummary) -> Iterator[RenderableType]:
    """Return verdict, actions and blocked actions."""
    if summary.is_healthy:
        yield Text(f"{summary.verdict}: nothing to do.", style="green")
        return
    yield Text(f"{summary.verdict}", style="bold red").append(f": {plain(summary.sentence)}", style="not bold default")
    if summary.wait:
        yield Text(f"Waits first: {plain(summary.wait)}", style="yellow")
    if summary.actions:
        yield Text(f"Actions, in this order{', after approval' if summary.needs_approval else ''}:", style="bold")
        yield _action_table(summary.actions)
    else:
        yield Text("No actions.", style="bold")
    if summary.proposed:
        yield Text("Actions in mode enforce, in this order:", style="bold")
        yield _action_table(summary.proposed)
    yield from _blocked_lines(summary)


def approval_lines(summary: AssessmentSummary) -> Iterator[RenderableType]:
    """Return what an approval is bound to: the role with its full ARN, the binding with its version, and the plan's digest."""
    target = summary.service_account
    yield Text(f"For {target.namespace}/{target.name} in {target.cluster}, role {plain(summary.desired_role)}", overflow="fold")
    yield Text(f"Binding {plain(summary.binding_path)} version {summary.binding_version} · plan {summary.plan_digest}", overflow="fold")


def next_command(assessment: TargetAssessment) -> Text:
    """Return `approve` where the repair waits for approval, `fix` where it would act, otherwise `check`, which prints the changes."""
    incident = assessment.incident
    if incident and incident.callback_id and not incident.is_held_by_person:
        return suggested_command(f"irsa-remediator approve {incident.id}", "approves the waiting repair")
    option = f"--cluster {assessment.target.cluster}{service_account_option(assessment.target)}"
    if needs_override(assessment):
        return override_command(assessment.target)
    if may_repair(assessment, override=True):
        return suggested_command(f"irsa-remediator fix {option}", "carries out the plan")
    return suggested_command(f"irsa-remediator check {option}", "prints the manual changes")


def _action_table(actions: Iterable[Action]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(style="dim", justify="right", min_width=3)
    table.add_column(overflow="fold")
    for number, action in enumerate(actions, 1):
        table.add_row(str(number), Text(action.sentence).append(_action_details(action), style="dim"))
    return table


def _action_details(action: Action) -> str:
    role, pod = getattr(action, "role_arn", ""), getattr(action, "pod", "")
    old = getattr(action, "old_value", None) or getattr(action, "old_role_arn", None)
    details = [plain(pod) if pod else "", f"to {plain(role)}" if role and not pod else "", f"from {plain(old)}" if old else ""]
    return "".join(f" · {detail}" for detail in details if detail)


def _blocked_lines(summary: AssessmentSummary) -> Iterator[RenderableType]:
    """Return one line for each reason. Consequences of earlier links come last, dimmed."""
    by_reason: dict[tuple[str, str, str], list[BlockedSummary]] = {}
    for blocked in summary.blocked:
        by_reason.setdefault((blocked.reason, blocked.sentence, blocked.until), []).append(blocked)
    lines: list[Text] = []
    consequences: list[Text] = []
    for (reason, sentence, until), group in by_reason.items():
        links = ", ".join(Link(blocked.link).title for blocked in group)
        if reason == BlockReason.CONSEQUENCE:
            consequences.append(Text(f"{links}: {plain(sentence)}", style="dim"))
        else:
            text = Text(f"{links}: ").append(_cause(sentence, summary) + _end_time(until, sentence))
            lines.append(text.append(f" ({reason})", style="dim"))
    if lines:
        yield Text("Blocked:", style="bold")
    yield from (Padding(line, (0, 0, 0, 2), expand=False) for line in (*lines, *consequences))


def _cause(sentence: str, summary: AssessmentSummary) -> str:
    """Return the reason without the sentence of the verdict, which is shown above the plan."""
    rest = sentence.replace(summary.sentence, "").rstrip(": ")
    return plain(rest) or "only a person can change this"


def _end_time(until: str, sentence: str) -> str:
    """Return when the reason ends, unless the sentence contains the time."""
    at = datetime.fromisoformat(until) if until else None
    return f"; ends at {clock(at)}" if at and f"{at:%H:%M}" not in sentence else ""
