"""`fix`: the remediator's workflow, run by a person who answers at the prompt."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Group
from rich.text import Text

from cli.clients import connection
from cli.options import GlobalOptions, Format
from cli.interactive.steps import BestEffortNotifier, InteractiveRemediationSteps, InteractiveSteps, InteractiveSettings
from cli.views.documents import checked, place, planned
from cli.errors import BROKEN, SOUND, CommandError
from cli.interactive.incident_lease import IncidentLease, claim
from cli.queries.assessment import LIFTABLE, TargetAssessment, may, refuse_unknown, see
from cli.output import console, error_console, progress, write
from cli.views.plan_steps import lines, next_step, view
from cli.interactive.progress_display import ProgressDisplay
from cli.queries.targets import TargetSelection, one
from lambdas.application.assessment import PolicySources
from lambdas.application.remediation.workflow import remediate
from lambdas.domain.assessment.summary import summary_from_json
from lambdas.domain.incidents.incident import Outcome

if TYPE_CHECKING:
    from cli.clients.dependencies import Dependencies
    from lambdas.application.workflow_steps import Json
    from lambdas.domain.assessment.summary import AssessmentSummary
    from lambdas.domain.incidents.incident import Incident


@dataclass(frozen=True, kw_only=True)
class FixOptions:
    """How it is to be done: without a question, beyond the rules that pace the remediator, or not at all."""

    yes: bool = False
    override: bool = False
    dry_run: bool = False

    @property
    def lifted(self) -> bool:
        """Whether rules that pace the remediator are lifted: a person who answers has read them."""
        return self.override or not self.yes


def run(asked: GlobalOptions, wanted: TargetSelection, manner: FixOptions) -> int:
    """Look; then, where something can be done, do it and stay until it is proven."""
    outside = connection.connect(asked)
    with progress("looking"):
        target = one(wanted, outside)
        seen = refuse_unknown(see(target, _persons(outside, target.cluster, manner) if manner.dry_run else outside), outside)
    if seen.look is None:
        raise CommandError(f"{target.key} could not be looked at: {seen.failure}")
    if seen.look.sound or manner.dry_run or not may(seen, lifted=manner.lifted):
        return _told(asked, seen)
    if not manner.yes and not interactive():
        raise CommandError("there is nobody to ask: standard input is no terminal", next_step="give --yes, or --dry-run to see the plan")
    return _repaired(asked, seen, outside, manner)


def _persons(outside: Dependencies, cluster: str, manner: FixOptions) -> Dependencies:
    """Settings as a person's run counts them."""
    parameters = InteractiveSettings(outside.readers.parameters, cluster, lifted=manner.lifted)
    return replace(outside, readers=replace(outside.readers, parameters=parameters))


def interactive() -> bool:
    """Whether somebody can answer."""
    return sys.stdin.isatty()


def _told(asked: GlobalOptions, seen: TargetAssessment) -> int:
    """What stands, and what would be done about it: nothing has been done."""
    assert seen.look is not None  # noqa: S101  # told to the type checker
    document = {"command": "fix", "exitCode": seen.exit_code, "outcome": None, **checked(seen), "plan": planned(seen.look)}
    write(asked.output, document, view(seen), *([] if seen.look.sound else [next_step(seen)]))
    return seen.exit_code


def _repaired(asked: GlobalOptions, seen: TargetAssessment, outside: Dependencies, manner: FixOptions) -> int:
    assert seen.look is not None  # noqa: S101  # told to the type checker
    incident = claim(seen.target, seen.look.binding_path or None, outside)
    screen = ProgressDisplay(lambda: outside.now().timestamp())
    desk = _desk(incident, _persons(outside, seen.target.cluster, manner), screen)
    with IncidentLease(incident, outside.incidents, outside.now) as holding, screen:
        steps = InteractiveSteps(sleep=outside.sleep, answer=partial(_answer, desk, screen, manner, seen), holding=holding, screen=screen)
        try:
            result = remediate(incident, steps, desk)
        except BaseException:
            desk.release()
            raise
    return _ended(asked, desk, result)


def _desk(incident: Incident, outside: Dependencies, screen: ProgressDisplay) -> InteractiveRemediationSteps:
    courteous = BestEffortNotifier(outside.notifier, outside.events, screen)
    return InteractiveRemediationSteps(
        incident=incident,
        readers=outside.readers,
        policy_sources=PolicySources(incidents=outside.incidents, calendar=outside.calendar),
        incidents=outside.incidents,
        notifier=courteous,
        events=courteous,
        metrics=lambda *_args, **_dimensions: None,  # metrics tell of the deployed remediator
        log=screen.log,
        environment=outside.environment,
        now=outside.now,
        sleep=outside.sleep,
    )


def _answer(desk: InteractiveRemediationSteps, screen: ProgressDisplay, manner: FixOptions, seen: TargetAssessment, _callback_id: str) -> Json:
    """Show the plan as it is now, and ask."""
    screen.pause()
    shown = error_console()
    shown.print(Group(*lines(replace(summary_from_json(desk.asked), needs_approval=False)), Text()), crop=False)
    assert seen.look is not None  # noqa: S101  # told to the type checker
    pacing = dict.fromkeys(blocked.sentence for blocked in seen.look.blocked if blocked.reason in LIFTABLE)
    for sentence in pacing:
        shown.print(Text(f"The remediator itself would not do this now: {sentence}", style="yellow"))
    agreed = manner.yes or typer.confirm("Do this?", err=True)
    screen.go_on()
    return {"approved": agreed, "by": desk.incident.holder, "at": desk.now().isoformat()}


def _ended(asked: GlobalOptions, desk: InteractiveRemediationSteps, result: Json) -> int:
    """What came of it: the message that colleagues get, too."""
    now = summary_from_json(desk.last)
    code = SOUND if result["outcome"] in (Outcome.VERIFIED, Outcome.RECOVERED) else BROKEN
    document: dict[str, Any] = {
        "command": "fix",
        "exitCode": code,
        **place(desk.incident.target),
        "incident": desk.incident.id,
        "outcome": str(result["outcome"]),
        "verdict": summary_from_json(desk.first).verdict.value,
        "verdictNow": now.verdict.value,
        "changes": list(result["changes"]),
    }
    if asked.output is Format.TABLE:
        console().print(Text(desk.told.text if desk.told else _nothing_told(desk, now)), soft_wrap=True)
        return code
    write(asked.output, document)
    return code


def _nothing_told(desk: InteractiveRemediationSteps, now: AssessmentSummary) -> str:
    """The end of a run of which nobody else hears."""
    return f"Done: {now.sentence}" if desk.changes else f"Nothing was changed. {now.sentence}"
