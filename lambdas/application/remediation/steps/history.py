"""What is kept of an incident that ends: its line of history and its figures."""

from lambdas.application.remediation.steps.step_context import StepContext
from lambdas.application.workflow_steps import Json
from lambdas.contract import metrics
from lambdas.domain.assessment.history_details import history_details
from lambdas.domain.assessment.summary import summary_from_json
from lambdas.domain.incidents.incident import Outcome, PastIncident

MOST_LINES = 200
"""Lines of the timeline, and changes of the counts, that history keeps."""


def past(context: StepContext, outcome: Outcome, about: Json, signals: int) -> PastIncident:
    """The incident as history has it."""
    incident, first = context.incident, summary_from_json(about["first"] or about["look"])
    timeline = {"lines": about["lines"][-MOST_LINES:], "trail": about.get("trail", [])[-MOST_LINES:], "changes": about["changes"]}
    return PastIncident(
        id=incident.id,
        target=incident.target,
        opened_at=incident.opened_at,
        closed_at=context.now(),
        outcome=outcome,
        verdict=first.verdict,
        trigger=str(incident.request.get("trigger", "person")),
        changes=tuple(about["changes"]),
        signals=signals,
        binding_path=first.binding_path or None,
        binding_version=first.binding_version or None,
        old_value=first.annotation or None,
        details={**history_details(first), **timeline},
    )


def measure(context: StepContext, past: PastIncident) -> None:
    """Count it."""
    context.metrics(metrics.REPAIRS, 1, outcome=past.outcome)
    context.metrics(metrics.VERDICTS, 1, cluster=past.target.cluster, verdict=past.verdict)
    if past.outcome is Outcome.VERIFIED:
        context.metrics(metrics.TIME_TO_RECOVER, (past.closed_at - past.opened_at).total_seconds())
