"""`irsa-remediator fix`."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.commands.check import ServiceAccount
from cli.errors import CommandError, ExitCode
from cli.options import GlobalOptions
from cli.output import Format, confirm, error_console, is_interactive, progress, write, write_message

if TYPE_CHECKING:
    from cli.clients.dependencies import Dependencies
    from cli.interactive.progress_display import ProgressDisplay
    from cli.interactive.steps import InteractiveRemediationSteps
    from cli.queries.assessment import TargetAssessment
    from lambdas.application.remediation.results import RemediationResult
    from lambdas.domain.incidents.incident import Incident
    from lambdas.domain.planning.plan import BlockReason
    from lambdas.notifications.message_context import ApprovalAnswer

_OVERRIDE_HELP = "Override flapping; with --yes also cool-down, hourly limit, maintenance window and circuit breaker."


_CONTINUES: Final = {
    "restart-workload": "Kubernetes replaces the remaining pods of the rolling update.",
    "update-addon-role": "EKS finishes the update of the add-on record.",
}
"""Effects of an applied action that end without this process."""


@dataclass(frozen=True, kw_only=True)
class FixOptions:
    """Whether to ask for approval, to override the policies that limit the pace, and to only show the plan."""

    yes: bool = False
    override: bool = False
    dry_run: bool = False

    @property
    def overridden(self) -> frozenset[BlockReason]:
        """The policies that only the option overrides."""
        from cli.queries.assessment import OVERRIDABLE_REASONS

        return OVERRIDABLE_REASONS if self.override else frozenset()

    @property
    def overrides_pacing(self) -> bool:
        """Whether pacing policies are overridden: a person who approves at the prompt has read the reasons."""
        return self.override or not self.yes


def fix(
    options: GlobalOptions,
    *,
    name: Annotated[str, typer.Argument(metavar="CLUSTER", help="Cluster, as with --cluster.", show_default=False)] = "",
    cluster: Annotated[
        str, typer.Option("--cluster", "-c", help="Select the cluster. Optional if the region has only one.", show_default=False)
    ] = "",
    service_account: ServiceAccount = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for approval.")] = False,
    override: Annotated[bool, typer.Option("--override", help=_OVERRIDE_HELP)] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
) -> int:
    """Repair the identity now, with the remediator's workflow, and wait until the repair is verified.

    Shows the plan and asks for approval. Exit code 0: verified or no fault found, 1: still broken, 2: unknown.

    Example: irsa-remediator fix --cluster prod-blue
    """
    from cli.clients import connection
    from cli.queries.assessment import assess_target, may_repair, require_known_cluster
    from cli.queries.targets import TargetSelection, single_target

    named = tuple(filter(None, dict.fromkeys((name, cluster))))
    if len(named) > 1:
        raise CommandError(f"{named[0]} and {named[1]} are two clusters, and fix repairs one", next_step="name one of them")
    fix_options = FixOptions(yes=yes, override=override, dry_run=dry_run)
    dependencies = connection.connect(options)
    with progress("assessing"):
        selection = TargetSelection(clusters=named, service_account=service_account)
        target = single_target(selection, dependencies)
        effective = _with_interactive_settings(dependencies, target.cluster, fix_options) if dry_run else dependencies
        assessment = require_known_cluster(assess_target(target, effective, overridden=fix_options.overridden), dependencies)
    if assessment.summary is None:
        raise CommandError(f"{target.key} could not be assessed: {assessment.failure}")
    if assessment.summary.is_healthy or dry_run or not may_repair(assessment, override=fix_options.overrides_pacing):
        return _write_plan(options, assessment)
    if not yes and not is_interactive():
        raise CommandError("standard input is not a terminal, so no one can approve", next_step="give --yes, or --dry-run to see the plan")
    return _repair(options, assessment, dependencies, fix_options)


def _with_interactive_settings(dependencies: Dependencies, cluster: str, fix_options: FixOptions) -> Dependencies:
    from cli.interactive.steps import InteractiveSettings, interactive_values

    parameters = InteractiveSettings(dependencies.readers.parameters, cluster, override=fix_options.overrides_pacing)
    chosen = interactive_values(override=fix_options.overrides_pacing)
    floor = {name: value for name, value in dependencies.readers.floor.items() if name not in chosen}
    return replace(dependencies, readers=replace(dependencies.readers, parameters=parameters, floor=floor))


def _write_plan(options: GlobalOptions, assessment: TargetAssessment) -> ExitCode:
    """Write the plan. Nothing was changed."""
    from cli.views.documents import assessment_document, plan_document
    from cli.views.plan_steps import next_command, plan_view

    assert assessment.summary is not None  # noqa: S101  # the caller has checked it
    code = assessment.exit_code
    document = {"command": "fix", "exitCode": code, "outcome": None, **assessment_document(assessment)}
    hints = [] if assessment.summary.is_healthy else [next_command(assessment)]
    write(options.output, document | {"plan": plan_document(assessment.summary)}, plan_view(assessment), *hints)
    return code


def _repair(options: GlobalOptions, assessment: TargetAssessment, dependencies: Dependencies, fix_options: FixOptions) -> ExitCode:
    from cli.interactive.incident_lease import IncidentLease, claim
    from cli.interactive.progress_display import ProgressDisplay
    from cli.interactive.steps import InteractiveSteps
    from lambdas.application.remediation.workflow import remediate
    from lambdas.domain.incidents.incident import Outcome

    assert assessment.summary is not None  # noqa: S101  # the caller has checked it
    target = assessment.target
    incident = claim(target, assessment.summary.binding_path or None, dependencies)
    display = ProgressDisplay(lambda: dependencies.now().timestamp())
    effective = _with_interactive_settings(dependencies, target.cluster, fix_options)
    remediation_steps = _remediation_steps(incident, effective, display, fix_options.overridden)
    question = _question(assessment, dependencies)
    answer = partial(_ask, remediation_steps, display, fix_options, assessment, question)
    with IncidentLease(incident, dependencies.incidents, dependencies.now) as lease, display:
        steps = InteractiveSteps(sleep=dependencies.sleep, answer=answer, lease=lease, display=display)
        try:
            result = remediate(incident, steps, remediation_steps)
        except KeyboardInterrupt:
            remediation_steps.close_interrupted(Outcome.INTERRUPTED)
            is_interrupted = True
        except BaseException:
            remediation_steps.close_interrupted(Outcome.NEEDS_ACTION)
            raise
        else:
            is_interrupted = False
    return _write_interruption(options, remediation_steps) if is_interrupted else _write_result(options, remediation_steps, result)


def _question(assessment: TargetAssessment, dependencies: Dependencies) -> str:
    """Return the question, which names everything that the answer is about."""
    target, environment = assessment.target, dependencies.environment
    account = f"{target.namespace}/{target.name}"
    return f"Carry out the plan for {account} in cluster {target.cluster}, account {environment.account}, region {environment.region}?"


def _remediation_steps(
    incident: Incident, dependencies: Dependencies, display: ProgressDisplay, overridden: frozenset[BlockReason] = frozenset()
) -> InteractiveRemediationSteps:
    from cli.interactive.steps import BestEffortNotifier, InteractiveRemediationSteps
    from lambdas.application.assessment import PolicySources

    notifier = BestEffortNotifier(dependencies.notifier, dependencies.events, display)
    return InteractiveRemediationSteps(
        incident=incident,
        readers=dependencies.readers,
        policy_sources=PolicySources(incidents=dependencies.incidents, calendar=dependencies.calendar, overridden=overridden),
        incidents=dependencies.incidents,
        notifier=notifier,
        events=notifier,
        metrics=lambda *_args, **_dimensions: None,  # metrics describe the deployed remediator
        log=display.log,
        environment=dependencies.environment,
        now=dependencies.now,
        sleep=dependencies.sleep,
        jitter=partial(random.uniform, 0.5, 1.0),
    )


def _ask(
    remediation_steps: InteractiveRemediationSteps,
    display: ProgressDisplay,
    fix_options: FixOptions,
    assessment: TargetAssessment,
    question: str,
    _callback_id: str,
) -> ApprovalAnswer:
    """Show the current plan and ask for approval."""
    from rich.console import Group
    from rich.text import Text

    from cli.queries.assessment import PACING_REASONS
    from cli.views.plan_steps import approval_lines, plan_lines
    from lambdas.notifications.message_context import ApprovalAnswer

    assert remediation_steps.proposed is not None  # noqa: S101  # the workflow proposes a plan before it requests approval

    display.pause()
    prompt = error_console()
    plan = replace(remediation_steps.proposed, needs_approval=False)
    prompt.print(Group(*plan_lines(plan), *approval_lines(plan), Text()), crop=False)
    blocked = assessment.summary.blocked if assessment.summary else ()
    for sentence in dict.fromkeys(item.sentence for item in blocked if item.reason in PACING_REASONS):
        prompt.print(Text(f"The remediator itself is blocked now: {sentence}", style="yellow"))
    approved = fix_options.yes or confirm(question)
    display.resume()
    return ApprovalAnswer(approved=approved, plan=plan.plan_digest, by=remediation_steps.incident.holder)


def _write_interruption(options: GlobalOptions, remediation_steps: InteractiveRemediationSteps) -> ExitCode:
    """Write what was done before Ctrl-C, what continues without this process, and what to type next."""
    from rich.text import Text

    from cli.views.documents import target_document
    from cli.views.suggested_command import suggested_command
    from lambdas.contract.workloads import service_account_option
    from lambdas.domain.planning.actions import DONE

    incident, changes = remediation_steps.incident, tuple(dict.fromkeys(remediation_steps.changes))
    option = f"--cluster {incident.target.cluster}{service_account_option(incident.target)}"
    done = " · ".join(DONE.get(kind, kind) for kind in changes)
    prompt = error_console()
    prompt.print(Text(f"Interrupted. Incident {incident.id} is closed with the outcome interrupted.", style="yellow"))
    prompt.print(Text(f"Done: {done}." if done else "Nothing was changed."))
    for sentence in (_CONTINUES[kind] for kind in changes if kind in _CONTINUES):
        prompt.print(Text(f"Continues without this command: {sentence}"))
    prompt.print(suggested_command(f"irsa-remediator check {option}", "shows the present state"))
    prompt.print(suggested_command(f"irsa-remediator fix {option}", "repairs the rest"))
    if options.output is not Format.TABLE:
        document: dict[str, Any] = {
            "command": "fix",
            "exitCode": ExitCode.INTERRUPTED,
            **target_document(incident.target),
            "incident": incident.id,
            "outcome": "interrupted",
            "verdict": remediation_steps.first.verdict.value if remediation_steps.first else None,
            "verdictNow": remediation_steps.current.verdict.value if remediation_steps.current else None,
            "changes": list(remediation_steps.changes),
        }
        write(options.output, document)
    return ExitCode.INTERRUPTED


def _write_result(options: GlobalOptions, remediation_steps: InteractiveRemediationSteps, result: RemediationResult) -> ExitCode:
    """Write the outcome, for people with the text of the notification."""
    from cli.views.documents import target_document
    from lambdas.domain.incidents.incident import Outcome

    first, current = remediation_steps.first, remediation_steps.current
    if first is None or current is None:
        raise CommandError(f"incident {result.incident} was taken over before it was assessed")
    code = ExitCode.OK if result.outcome in (Outcome.VERIFIED, Outcome.RECOVERED) else ExitCode.BROKEN
    if options.output is Format.TABLE:
        summary = f"Done: {current.sentence}" if remediation_steps.changes else f"Nothing was changed. {current.sentence}"
        write_message(remediation_steps.message.text if remediation_steps.message else summary)
        return code
    document: dict[str, Any] = {
        "command": "fix",
        "exitCode": code,
        **target_document(remediation_steps.incident.target),
        "incident": remediation_steps.incident.id,
        "outcome": str(result.outcome) if result.outcome else "taken-over",
        "verdict": first.verdict.value,
        "verdictNow": current.verdict.value,
        "changes": list(result.changes),
    }
    write(options.output, document)
    return code
