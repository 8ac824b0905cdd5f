"""Assessment of one ServiceAccount for check, plan, fix, adopt and replay: the snapshot, diagnosis and plan that the checker would make."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cli.errors import CommandError, ExitCode
from cli.queries.cluster_names import existing_clusters, suggestion
from lambdas.application.assessment import PolicySources, assess
from lambdas.application.readers import Hints
from lambdas.application.snapshot_collection import add_advice
from lambdas.contract.parameters import binding_path
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.finding import PRECONDITIONS, State
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import AccessDenied, RemediatorError
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.requests.request import actor_of, refusals_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cli.clients.dependencies import Dependencies
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.assessment.summary import AssessmentSummary
    from lambdas.domain.diagnosis.identity_chain import Diagnosis
    from lambdas.domain.incidents.incident import Incident
    from lambdas.domain.ports import IncidentsPort
    from lambdas.domain.snapshot.snapshot import Snapshot

MAX_PARALLEL_ASSESSMENTS: Final = 4
"""Each assessment has eight parallel reads of its own."""
MAX_LISTED_ASSESSMENTS: Final = 20
"""Open incidents that a list assesses: each takes a second or two."""
PACING_REASONS: Final = frozenset(
    {BlockReason.COOLDOWN, BlockReason.TOO_MANY_REPAIRS, BlockReason.MAINTENANCE_WINDOW, BlockReason.CIRCUIT_BREAKER}
)
"""Policies that limit how often the remediator acts on its own. A person who approves at the prompt overrides them; policies that
protect the cluster stay."""
OVERRIDABLE_REASONS: Final = frozenset({BlockReason.TUG_OF_WAR})
"""Policies that only `--override` overrides: another writer is likely to undo the repair."""


@dataclass(frozen=True, kw_only=True)
class TargetAssessment:
    """Summary of one assessment, or `failure`, the sentence that says why there is none. `incident` is the open one, if any."""

    target: ServiceAccountRef
    summary: AssessmentSummary | None = None
    diagnosis: Diagnosis | None = None
    snapshot: Snapshot | None = None
    incident: Incident | None = None
    failure: str = ""
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """Healthy, broken or unknown."""
        if self.summary is None or self.summary.verdict is Verdict.NO_ACCESS:
            return ExitCode.UNKNOWN
        if not self.summary.is_healthy:
            return ExitCode.BROKEN
        is_unread = any(link.state == State.UNKNOWN and link.link not in PRECONDITIONS for link in self.summary.links)
        return ExitCode.UNKNOWN if is_unread else ExitCode.OK


def needs_override(assessment: TargetAssessment) -> bool:
    """Return whether `fix` acts only with `--override`."""
    blocked = assessment.summary.blocked if assessment.summary else ()
    return any(str(item.reason) in OVERRIDABLE_REASONS for item in blocked)


def may_repair(assessment: TargetAssessment, *, override: bool) -> bool:
    """Return whether `fix` would act: nothing blocks it but the mode and, with `override`, the policies that limit the pace."""
    summary = assessment.summary
    if summary is None or summary.is_healthy:
        return False
    reasons = {str(blocked.reason) for blocked in summary.blocked}
    return bool(summary.actions or summary.wait or BlockReason.OBSERVE_MODE in reasons or (override and reasons & PACING_REASONS))


def assess_target(
    target: ServiceAccountRef, dependencies: Dependencies, *, overridden: frozenset[BlockReason] = frozenset()
) -> TargetAssessment:
    """Collect, diagnose and plan, with symptoms and history. An error becomes the assessment's `failure`."""
    try:
        notes: list[str] = []
        incident = _open_incident(target, dependencies, notes)
        incidents = dependencies.incidents if not notes else _no_incidents()
        policy_sources = PolicySources(incidents=incidents, calendar=dependencies.calendar, overridden=overridden)
        request = dict(incident.request) if incident else {}
        hints = Hints(actor=actor_of(request), refusals=refusals_of(request, incident.refusal if incident else None))
        result = assess(target, dependencies.readers, policy_sources, dependencies.now(), hints)
        # A broken identity has its advice read by the check already.
        snapshot = add_advice(result.snapshot, dependencies.readers) if result.diagnosis.is_healthy else result.snapshot
    except RemediatorError as error:
        return TargetAssessment(target=target, failure=str(error))
    summary = summarize(snapshot, result.diagnosis, result.plan)
    return TargetAssessment(
        target=target, summary=summary, diagnosis=result.diagnosis, snapshot=snapshot, incident=incident, notes=tuple(notes)
    )


def current_verdicts(incidents: Sequence[Incident], dependencies: Dependencies) -> Mapping[str, str]:
    """Return the present verdict of each open incident, by its id. Incidents that cannot be assessed, or are too many, have none."""
    with ThreadPoolExecutor(MAX_PARALLEL_ASSESSMENTS) as pool:
        assessed = list(pool.map(lambda incident: assess_target(incident.target, dependencies), incidents[:MAX_LISTED_ASSESSMENTS]))
    found = zip(incidents, assessed, strict=False)
    return {incident.id: result.summary.verdict.value for incident, result in found if result.summary}


def require_known_cluster(assessment: TargetAssessment, dependencies: Dependencies) -> TargetAssessment:
    """Return the assessment, unless its cluster neither exists nor has its own binding: then the name is misspelt.

    Raises:
        CommandError: the name is unknown; lists the existing clusters, if the caller may list them.
    """
    target, summary = assessment.target, assessment.summary
    own_binding = binding_path(target.cluster, target.namespace, target.name)
    is_gone = summary is not None and summary.verdict is Verdict.CLUSTER_GONE and not summary.cluster.status
    if summary is None or not is_gone or summary.binding_path == own_binding:
        return assessment
    names = sorted(existing_clusters(dependencies) or ())
    listed = f"use one of {', '.join(names[:20])}" if names else "choose another --region, or another account with --profile"
    near = suggestion(target.cluster, names)
    next_step = f"{near} Otherwise {listed}" if near else listed
    where = f"{dependencies.environment.account} {dependencies.environment.region}"
    raise CommandError(f"cluster {target.cluster!r} does not exist in {where}", next_step=next_step)


def _open_incident(target: ServiceAccountRef, dependencies: Dependencies, notes: list[str]) -> Incident | None:
    try:
        return dependencies.incidents.get(target)
    except AccessDenied as error:
        notes.append(f"incidents and history could not be read, so policies over history do not apply here: {error}")
        return None


def _no_incidents() -> IncidentsPort:
    from cli.clients.local_incidents import LocalIncidents

    return LocalIncidents()
