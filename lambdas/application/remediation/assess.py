"""Assess the ServiceAccount in one iteration, and wait for the cluster or for an update where needed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from lambdas.application.remediation.results import AssessmentResult
from lambdas.application.remediation.state import Iteration
from lambdas.application.workflow_steps import PollSchedule, StepId, StepPurpose
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.verdict import Verdict

MAX_DENIALS: Final = 12
"""Successive failed logins before they count as the cluster's state: an API server restarts within a minute or two."""
READ_SCHEDULE: Final = PollSchedule(timeout_s=3600, most_s=15)
"""How long to assess again where something essential did not answer. The time-out for updates is a setting, which is read first."""
FOR_MESSAGE_SCHEDULE: Final = PollSchedule(timeout_s=120, most_s=15)
"""How long to try to read the state for a message, which waits for it."""


class TakenOver(Exception):
    """The incident has another holder, so this workflow must neither change nor say anything more."""


def assess(iteration: Iteration, part: str = "") -> AssessmentSummary | None:
    """The assessment when the cluster answers and no update runs; the last one when the time is up, None where there is none.

    Raises:
        TakenOver: the incident has another holder.
    """
    result = _assess_until(iteration, iteration.step(StepPurpose.ASSESS, part), _is_current, READ_SCHEDULE)
    if result.summary and not _is_settled(result):
        schedule = PollSchedule(timeout_s=result.summary.time_limits.update_timeout_s, most_s=15)
        is_over = _is_update_over if result.summary.wait and _shows_addon(result.summary) else _is_settled
        settled = _assess_until(iteration, iteration.step(StepPurpose.AWAIT_UPDATE, part), is_over, schedule)
        if not settled.is_taken_over and settled.summary is None:  # the time is up, and no poll has stored its assessment
            step = iteration.step(StepPurpose.ASSESS, f"{part} after-time-out".strip())
            settled = iteration.steps.once(step, lambda: iteration.assess(AssessmentResult()), AssessmentResult)
        result = settled if settled.is_current else result
    _record(iteration, result)
    return result.summary


def _assess_until(
    iteration: Iteration, step: StepId, is_settled: Callable[[AssessmentResult], bool], schedule: PollSchedule
) -> AssessmentResult:
    """Assess until the result is settled. Only that one keeps its assessment, since the payload of each poll counts against the quota."""

    def assess(former: AssessmentResult) -> AssessmentResult:
        result = iteration.assess(former)
        return result if is_settled(result) else replace(result, summary=None)

    result = iteration.steps.until(step, AssessmentResult(), assess, is_settled, schedule)
    iteration.state.record_reads(result)
    return result


def _is_current(result: AssessmentResult) -> bool:
    return result.is_current


def _is_settled(result: AssessmentResult) -> bool:
    if result.summary is None or not result.is_current:
        return result.is_taken_over
    if result.summary.verdict is Verdict.NO_ACCESS:
        return result.denials >= MAX_DENIALS
    return not result.summary.wait


def _is_update_over(result: AssessmentResult) -> bool:
    """Whether an update that was seen to run is shown to run no more."""
    return _is_settled(result) and (result.summary is None or _shows_addon(result.summary))


def _shows_addon(summary: AssessmentSummary) -> bool:
    """Whether the add-on record was read. In a young cluster, one that cannot be read counts as not ready yet."""
    record = next((link for link in summary.links if link.link == Link.ADDON_RECORD), None)
    return record is not None and record.state != State.UNKNOWN and record.verdict != Verdict.CLUSTER_INITIALIZING


def assess_for_message(iteration: Iteration, part: str) -> None:
    """Record the present state, so that the next message describes it: after a failed action, or before a reminder.

    An update that runs is not awaited. Where the cluster does not answer, the assessment before stays the latest one.

    Raises:
        TakenOver: the incident has another holder.
    """
    result = _assess_until(iteration, iteration.step(StepPurpose.ASSESS, part), _is_current, FOR_MESSAGE_SCHEDULE)
    _record(iteration, result)


def _record(iteration: Iteration, result: AssessmentResult) -> None:
    if result.is_taken_over:
        raise TakenOver
    if result.summary:
        iteration.state.signals = result.signals
        iteration.state.record_assessment(result.summary, result.at)
