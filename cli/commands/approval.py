"""`irsa-remediator approve` and `reject`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CommandError, ExitCode
from cli.options import GlobalOptions
from cli.output import confirm, error_console, is_interactive, progress, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.clients.dependencies import Dependencies
    from lambdas.domain.incidents.incident import Incident

IncidentId = Annotated[str, typer.Argument(metavar="INCIDENT", help="Incident id, or the prefix that messages print.", show_default=False)]


def approve(
    options: GlobalOptions,
    *,
    incident: IncidentId,
    plan: Annotated[
        str, typer.Option("--plan", metavar="DIGEST", help="Approve the plan with this digest without a prompt.", show_default=False)
    ] = "",
) -> int:
    """Approve a pending repair.

    Assesses the ServiceAccount, shows the plan with the full ARNs, and asks. The answer approves the shown plan only: if the remediator
    has another one, it asks again. The history records your ARN.

    Example: irsa-remediator approve 7f3a9c21
    """
    from lambdas.contract.approval import PLAN_DIGEST

    if plan and not PLAN_DIGEST.fullmatch(plan):
        raise CommandError(f"{plan!r} is no digest of a plan", next_step="copy the digest from the approval request")
    return _answer(options, incident, approved=True, plan=plan)


def reject(options: GlobalOptions, *, incident: IncidentId) -> int:
    """Reject a pending repair.

    Nothing is changed. The history records your ARN.

    Example: irsa-remediator reject 7f3a9c21
    """
    return _answer(options, incident, approved=False)


def _answer(options: GlobalOptions, prefix: str, *, approved: bool, plan: str = "") -> ExitCode:
    from rich.text import Text

    from cli.clients import connection

    dependencies = connection.connect(options)
    with progress("reading the incident"):
        incident = _pending_incident(prefix, dependencies)
    if approved and not plan:
        plan = _confirmed_plan(incident, dependencies)
    answer = {"approved": approved, "by": dependencies.caller} | ({"plan": plan} if approved else {})
    _send(incident, dependencies, answer)
    command, state, style = ("approve", "approved", "green") if approved else ("reject", "rejected", "yellow")
    write(
        options.output,
        {"command": command, "exitCode": ExitCode.OK, "incident": incident.id, **answer},
        Text(f"{incident.id} {state}", style=style).append(f" for {incident.target.key}", style="default"),
        Text(f"irsa-remediator history {incident.id}   shows the progress", style="dim"),
    )
    return ExitCode.OK


def _pending_incident(prefix: str, dependencies: Dependencies) -> Incident:
    """Return the open incident that waits for approval.

    Raises:
        CommandError: the incident is closed, or does not wait for approval.
    """
    from cli.queries.incidents import find_incident
    from lambdas.domain.incidents.incident import Incident

    incident = find_incident(prefix, dependencies)
    next_step = f"irsa-remediator history {incident.id}"
    if not isinstance(incident, Incident):
        raise CommandError(f"incident {incident.id} is closed: {incident.outcome}", next_step=next_step)
    if not incident.callback_id:
        raise CommandError(f"incident {incident.id} does not wait for approval", next_step=next_step)
    return incident


def _confirmed_plan(incident: Incident, dependencies: Dependencies) -> str:
    """Return the digest of the current plan after the user has read and approved the plan.

    Raises:
        CommandError: no one can approve, there is no plan, or the user does not approve it.
    """
    from dataclasses import replace

    from rich.console import Group

    from cli.queries.assessment import assess_target
    from cli.views.plan_steps import approval_lines, plan_lines

    if not is_interactive():
        next_step = f"irsa-remediator approve {incident.id} --plan DIGEST, with the digest from the approval request"
        raise CommandError("standard input is not a terminal, so no one can read the plan", next_step=next_step)
    with progress("assessing"):
        assessment = assess_target(incident.target, dependencies)
    next_step = f"irsa-remediator check --cluster {incident.target.cluster}"
    summary = assessment.summary
    if summary is None:
        raise CommandError(f"{incident.target.key} could not be assessed: {assessment.failure}", next_step=next_step)
    if not summary.actions:
        raise CommandError(f"nothing to approve: {summary.sentence}", next_step=next_step)
    error_console().print(Group(*plan_lines(replace(summary, needs_approval=False)), *approval_lines(summary)), crop=False)
    if not confirm("Approve this plan?"):
        raise CommandError("not approved; the repair still waits", next_step=f"irsa-remediator reject {incident.id} rejects it")
    return summary.plan_digest


def _send(incident: Incident, dependencies: Dependencies, answer: Mapping[str, Any]) -> None:
    from lambdas.domain.errors import Conflict, NotFound

    try:
        dependencies.callbacks.answer(incident.callback_id or "", answer)
    except NotFound as error:
        text = f"incident {incident.id} no longer waits for approval: it was answered, or the approval timed out"
        raise CommandError(text, next_step=f"irsa-remediator history {incident.id}") from error
    try:
        dependencies.incidents.mark_approval_requested(incident, None)  # a second answer is rejected then
    except Conflict:
        return
