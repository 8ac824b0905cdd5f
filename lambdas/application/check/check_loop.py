"""The check loop: assesses one ServiceAccount under the check lease until no new signal arrives."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Any, Final

from lambdas.application.check.dependencies import CheckDependencies
from lambdas.application.check.incident_handover import open_incident
from lambdas.application.check.results import CheckHandedOver, EventIgnored, IncidentOpened, NoFaultFound, ServiceAccountResult
from lambdas.application.readers import Hints
from lambdas.application.snapshot_diagnosis import collect_and_diagnose
from lambdas.contract import metrics
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.timeouts import CHECKER_TIMEOUT_S
from lambdas.domain.diagnosis.finding import READABLE_PRECONDITIONS, Link, State
from lambdas.domain.diagnosis.identity_chain import Diagnosis, diagnose
from lambdas.domain.diagnosis.links.guard import without_effect
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import RemediatorError
from lambdas.domain.fleet import KNOWN_GOOD_MAX_AGE
from lambdas.domain.incidents.incident import BROKEN_PRECONDITIONS, CheckRequirement, IdleState, NodesState, is_in_future
from lambdas.domain.requests.request import CheckRequest, Trigger, actor_of, refusal_to_json, refusals_of
from lambdas.domain.snapshot.snapshot import Binding, InvalidBinding, Snapshot
from lambdas.notifications import published_events

FIRST_PAUSE_S: Final = 1.0
PAUSE_S: Final = 4.0
"""Pause between two assessments. One assessment then answers many signals, and still decides within five seconds of an event."""
CHECKS_GUARDS: Final = frozenset({Trigger.SWEEP, Trigger.PERSON, Trigger.PARAMETER_CHANGED})
"""Triggers of checks that read guard and warning too. Others say nothing about them, and come at a time when each request counts."""
MAX_LEASE_TIME: Final = timedelta(seconds=CHECKER_TIMEOUT_S * 2 / 3)
"""How long one run keeps check leases, over all of its targets. It then hands over, well before the time-out of its function."""


def run_check_loop(
    target: ServiceAccountRef, request: CheckRequest, state: IdleState, dependencies: CheckDependencies, *, deadline: datetime
) -> ServiceAccountResult:
    """Assess the target until it is healthy and no further signal has arrived, or open an incident. After the deadline, hand over.

    `state` is the row as the signal left it: this check holds its lease, or is quiet and holds none.
    """
    try:
        return _check_until_no_signal(target, request, state, dependencies, deadline)
    except RemediatorError:
        with suppress(RemediatorError):  # the lease expires after a minute in any case
            _release_lease(target, state, dependencies)
        raise


def _check_until_no_signal(
    target: ServiceAccountRef, request: CheckRequest, state: IdleState, dependencies: CheckDependencies, deadline: datetime
) -> ServiceAccountResult:
    for pause_s in chain([FIRST_PAUSE_S], repeat(PAUSE_S)):
        began_at = dependencies.now()
        snapshot, diagnosis = _assess(target, request, state, dependencies)
        if not diagnosis.is_healthy:
            return _handle_fault(snapshot, diagnosis, request, state, dependencies)
        if _is_recorded(state, began_at):
            break
        signaled = dependencies.incidents.finish_check(target, state, began_at, nodes_seen(snapshot, diagnosis))
        if signaled is None:
            break
        if began_at > deadline:
            return _hand_over(target, request, state, dependencies)
        state = signaled
        dependencies.sleep(pause_s)
    return NoFaultFound(diagnosis.verdict)


def _assess(
    target: ServiceAccountRef, request: CheckRequest, state: IdleState, dependencies: CheckDependencies
) -> tuple[Snapshot, Diagnosis]:
    readers = dependencies.uncached_readers if CheckRequirement.UNCACHED in state.requirements else dependencies.readers
    recorded = _recorded_request(request, state)
    hints = Hints(known_good_at=state.known_good_at, actor=actor_of(recorded), refusals=refusals_of(recorded))
    symptoms = CheckRequirement.NODES in state.requirements or state.nodes_unsettled
    snapshot, diagnosis = collect_and_diagnose(
        target, readers, dependencies.now(), hints, symptoms=symptoms, guards=request.trigger in CHECKS_GUARDS
    )
    if diagnosis.verdict is Verdict.ROLE_KEPT and not dependencies.incidents.claim_kept_notice(
        target, request.event_id, dependencies.now()
    ):
        dependencies.log("diagnosis", "the guard kept the role again, less than a day after the last message", target=target.key)
        snapshot = without_effect(snapshot)
        diagnosis = diagnose(snapshot)
    unread = [finding.link.title for finding in diagnosis.unread]
    dependencies.log(
        "diagnosis",
        diagnosis.verdict,
        target=target.key,
        **request.log_fields,
        broken=list(diagnosis.verdicts),
        unread=unread,
        unproven=list(diagnosis.unproven),
    )
    return snapshot, diagnosis


def _recorded_request(request: CheckRequest, state: IdleState) -> dict[str, Any]:
    """The request that the incident records: the latest one with an actor, since the report names that actor."""
    detail = dict(state.request or published_events.check_requested(request)[1])
    refusal = state.refusal or (refusal_to_json(request.refusal) if request.refusal else None)
    detail |= {"refusal": dict(refusal)} if refusal else {}
    return detail | ({"knownGoodAt": state.known_good_at.isoformat()} if state.known_good_at else {})


def _hand_over(target: ServiceAccountRef, request: CheckRequest, state: IdleState, dependencies: CheckDependencies) -> CheckHandedOver:
    """Release the lease and request a new check. If this run dies between the two, Lambda delivers its event again."""
    _release_lease(target, state, dependencies)
    following = replace(request, cluster=target.cluster, service_account=(target.namespace, target.name))
    dependencies.events.put([published_events.check_requested(following)])
    dependencies.log("request", "requested another check, because signals still arrive", target=target.key)
    return CheckHandedOver()


def _handle_fault(
    snapshot: Snapshot, diagnosis: Diagnosis, request: CheckRequest, state: IdleState, dependencies: CheckDependencies
) -> EventIgnored | IncidentOpened:
    if diagnosis.verdict is Verdict.CLUSTER_GONE and not _has_own_binding(snapshot):
        _release_lease(snapshot.target, state, dependencies, forget=dependencies.now())
        return EventIgnored("the cluster does not exist, and no parameter names it")
    if diagnosis.verdict is Verdict.CLUSTER_GONE and _is_reported(snapshot, state):
        _release_lease(snapshot.target, state, dependencies)
        return EventIgnored("the cluster does not exist, which was reported after its binding was written")
    dependencies.metrics(metrics.DRIFT, 1, trigger=request.trigger)
    if diagnosis.verdict is Verdict.NO_ACCESS:
        dependencies.metrics(metrics.LOGIN_FAILURES, 1, cluster=snapshot.target.cluster)
    from lambdas.domain.planning.planner import plan
    from lambdas.domain.planning.policies import RepairHistory

    planned = plan(snapshot, diagnosis, RepairHistory())
    actions = [action.kind for action in planned.actions]
    dependencies.log("plan", planned.wait or diagnosis.broken_findings[0].sentence, target=snapshot.target.key, actions=actions)
    recorded = _recorded_request(request, state)
    if diagnosis.verdict is not Verdict.ROLE_KEPT:  # after the repair of another fault, it would look like one more
        recorded["actor"] = {key: value for key, value in recorded.get("actor", {}).items() if key != "effect"}
    recorded[BROKEN_PRECONDITIONS] = [int(link) for link in READABLE_PRECONDITIONS if diagnosis[link].is_broken]
    opened = open_incident(snapshot, request, recorded, dependencies, is_signal_counted=bool(state.lease_holder))
    return IncidentOpened(verdict=diagnosis.verdict, incident_id=opened.id)


def _release_lease(target: ServiceAccountRef, state: IdleState, dependencies: CheckDependencies, forget: datetime | None = None) -> None:
    if state.lease_holder:
        dependencies.incidents.release_check(target, state, forget)


def _is_recorded(state: IdleState, began_at: datetime) -> bool:
    """Whether the table needs no write: this check holds no lease, and the table has a recent `known_good_at`."""
    is_recent = state.known_good_at is not None and began_at - state.known_good_at < KNOWN_GOOD_MAX_AGE
    return not state.lease_holder and is_recent and not state.nodes_unsettled


def nodes_seen(snapshot: Snapshot, diagnosis: Diagnosis) -> NodesState | None:
    """The state of the nodes in a healthy snapshot; None if the nodes were not read."""
    if not isinstance(snapshot.nodes, tuple):
        return None
    is_within_grace = diagnosis[Link.NODES].state is State.OK and any(not node.ready for node in snapshot.nodes)
    return NodesState.STARTING if is_within_grace else NodesState.SETTLED


def _has_own_binding(snapshot: Snapshot) -> bool:
    """Whether a binding names this cluster. Without one, only an event names the cluster, and anyone may send events."""
    own = binding_path(snapshot.target.cluster, snapshot.target.namespace, snapshot.target.name)
    return isinstance(snapshot.binding, Binding | InvalidBinding) and snapshot.binding.path == own


def _is_reported(snapshot: Snapshot, state: IdleState) -> bool:
    """Whether the missing cluster was reported after its binding was last written. One report is enough for one version of a binding."""
    written = snapshot.binding.changed_at if isinstance(snapshot.binding, Binding) else None
    reported = state.gone_notified_at
    return reported is not None and not is_in_future(reported, snapshot.began_at) and (written is None or written <= reported)
