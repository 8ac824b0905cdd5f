"""event -> request -> snapshot -> diagnosis -> plan. The remediator does the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from lambdas.application.check import parameter_handover
from lambdas.application.check.check_loop import MAX_LEASE_TIME, run_check_loop
from lambdas.application.check.dependencies import CheckDependencies
from lambdas.application.check.incident_handover import handle_counted_signal
from lambdas.application.check.refused_calls import concerned_targets
from lambdas.application.check.results import (
    CheckHandedOver,
    ChecksRequested,
    ClusterChecked,
    DeliveryRecorded,
    DigestRequested,
    EventIgnored,
    EventMalformed,
    EventResult,
    ServiceAccountResult,
    SignalAlreadyAnswered,
    SignalDeferred,
)
from lambdas.contract import metrics
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.workloads import AWS_NODE
from lambdas.domain.errors import MalformedEvent, RemediatorError
from lambdas.domain.fleet import MOST_NAMES, Fleet, count_states, fleet, missing_clusters_advice, unbound_advice
from lambdas.domain.incidents.incident import AlreadyAnswered, CheckRequirement, Deferred, Incident, Signal
from lambdas.domain.plurals import pluralize
from lambdas.domain.requests.parser import parse
from lambdas.domain.requests.request import CheckRequest, DeliveryTest, DigestDue, Ignored, Refusal, Sweep, Trigger, refusal_to_json
from lambdas.domain.snapshot.bindings import Parameter, bound_targets, has_default
from lambdas.notifications import published_events

UNCACHED_TRIGGERS: Final = frozenset({Trigger.PARAMETER_CHANGED, Trigger.PERSON})
"""Triggers that follow a change of a parameter or a cluster, so a cached read would answer for the state before it."""
UNBOUND: Final = "*"
"""Stands for all clusters without a binding, in claims of a minute. No cluster has this name."""
MIN_SWEEP_INTERVAL: Final = timedelta(minutes=1)
"""Shorter than the interval of any schedule, so a second sweep's check within it does not come from the schedule."""
MIN_REFUSAL_INTERVAL: Final = timedelta(minutes=1)
"""Minimum time between two checks of one process for the same refused call of the same principal."""


def run(event: object, dependencies: CheckDependencies) -> EventResult:
    """Handle one event.

    Raises:
        TransientError: Lambda delivers the event again.
    """
    environment = dependencies.environment
    try:
        request = parse(event, account=environment.account, region=environment.region, now=dependencies.now())
    except MalformedEvent as error:  # raised, it would be delivered again and raise alarms, and anyone with PutEvents can send it
        dependencies.metrics(metrics.MALFORMED_EVENTS, 1)
        dependencies.log("event", f"malformed event: {error}", error=error)
        return EventMalformed(str(error))
    if isinstance(request, CheckRequest) and request.trigger in UNCACHED_TRIGGERS and not request.may_be_forged:
        dependencies = replace(dependencies, readers=dependencies.uncached_readers)
    if isinstance(event, Mapping) and parameter_handover.FIELD in event and isinstance(request, CheckRequest) and request.cluster:
        parameters = parameter_handover.decode(event, request.cluster, dependencies.readers.parameters, dependencies.now)
        dependencies = replace(dependencies, readers=replace(dependencies.readers, parameters=parameters))
    match request:
        case Ignored(reason=reason):
            dependencies.log("event", reason)
            return EventIgnored(reason)
        case Sweep(occurred_at=occurred_at):
            dependencies.log("event", "sweep")
            every_cluster = CheckRequest(trigger=Trigger.SWEEP, occurred_at=occurred_at, event_id=f"sweep-{occurred_at:%H%M%S}")
            result = _request_checks(every_cluster, dependencies)
            dependencies.metrics(metrics.SWEEPS, 1)
            _report_states(result.clusters, dependencies)
            return result
        case DigestDue(occurred_at=until):
            return _request_digest(until, dependencies)
        case DeliveryTest(nonce=nonce):
            dependencies.incidents.record_delivery(nonce, dependencies.now())
            return DeliveryRecorded(nonce)
    return _check(request, dependencies)


def _check(request: CheckRequest, dependencies: CheckDependencies) -> EventResult:
    """Check what the request names: a refused call, every cluster, or one."""
    if request.refusal:
        return _check_refusal(request.refusal, request, dependencies)
    if request.cluster:
        return _check_cluster(request, dependencies)
    if request.may_be_forged and not dependencies.incidents.claim_minute("", dependencies.now()):
        dependencies.log("request", "all clusters were requested less than a minute ago", event_id=request.event_id)
        return EventIgnored("all clusters were requested less than a minute ago; the next sweep checks them again")
    return _request_checks(request, dependencies)


def _request_digest(until: datetime, dependencies: CheckDependencies) -> DigestRequested:
    """Start one execution of the remediator for all clusters of this stack whose settings enable the digest."""
    from lambdas.domain.incidents.daily_digest import clusters_with_digest

    readers, environment = dependencies.readers, dependencies.environment
    enabled = clusters_with_digest(readers.parameters.load(), readers.eks.clusters(), readers.floor)
    clusters = [cluster for cluster in enabled if environment.serves(cluster)]
    if clusters:
        dependencies.remediator.start_digest(until, clusters)
    dependencies.log("event", f"digest requested for {pluralize(len(clusters), 'cluster', 'clusters')}")
    return DigestRequested(tuple(clusters))


def _request_checks(request: CheckRequest, dependencies: CheckDependencies) -> ChecksRequested:
    """Request a separate check of each bound cluster, so that a broken cluster does not delay the others."""
    read_at = dependencies.now()
    parameters = dependencies.readers.parameters.load()
    paths = list(parameters)
    found = fleet(paths, _existing_clusters(paths, request, dependencies), dependencies.environment.serves)
    dependencies.checks.request([_check_of(request, cluster, parameters, read_at) for cluster in found.bound])
    dependencies.log("request", f"requested a check of each of {len(found.bound)} bound clusters", trigger=request.trigger)
    _report_bindings(found, dependencies)
    return ChecksRequested(clusters=found.bound, unbound=found.unbound, missing=found.gone)


def _check_of(request: CheckRequest, cluster: str, parameters: Mapping[str, Parameter], read_at: datetime) -> dict[str, Any]:
    kind, detail = published_events.check_requested(request, cluster)
    return {"detail-type": kind, "detail": detail, **parameter_handover.encode(parameters, cluster, read_at)}


def _existing_clusters(paths: Sequence[str], request: CheckRequest, dependencies: CheckDependencies) -> Sequence[str] | None:
    """The clusters of the account; None if they are not needed, or cannot be listed.

    A default binding needs them, since it applies to each. A sweep reports those without a binding.
    """
    is_needed = has_default(paths)
    if not is_needed and request.trigger is not Trigger.SWEEP:
        return None
    try:
        return dependencies.readers.eks.clusters()
    except RemediatorError as error:
        if is_needed:
            raise
        dependencies.log("request", f"clusters without a binding are not reported: {error}", error=error)
        return None


def _report_bindings(found: Fleet, dependencies: CheckDependencies) -> None:
    if found.unbound:
        dependencies.metrics(metrics.UNBOUND, len(found.unbound))
        dependencies.log("request", unbound_advice(found.unbound), clusters=list(found.unbound[:MOST_NAMES]))
    if found.gone:
        dependencies.log("request", missing_clusters_advice(found.gone), clusters=list(found.gone[:MOST_NAMES]))


def _report_states(clusters: Sequence[str], dependencies: CheckDependencies) -> None:
    """Log how many clusters are broken, unknown and sound, as the checks before this sweep left the table.

    Without an answer nothing is logged, so that a gap shows in the gauges; the sweep has done its work already.
    """
    try:
        targets = bound_targets(dependencies.readers.parameters.load(), clusters)
        counts = count_states(dependencies.incidents.states(targets), dependencies.now())
    except RemediatorError as error:
        dependencies.log("request", f"the states of the clusters are not reported: {error}", error=error)
        return
    values = (counts.broken, counts.unknown, counts.sound, counts.incidents)
    gauges = {gauge.field: value for gauge, value in zip(metrics.GAUGES, values, strict=True)}
    dependencies.log("request", "states of the bound clusters", **gauges)


def _check_cluster(request: CheckRequest, dependencies: CheckDependencies) -> EventIgnored | ClusterChecked:
    cluster = request.cluster or ""
    if not dependencies.environment.serves(cluster):
        dependencies.log("request", f"cluster {cluster} belongs to another stack")
        return EventIgnored("the cluster belongs to another stack")
    targets = targets_of(request, cluster, dependencies)
    if not targets:
        dependencies.log("request", f"{'/'.join(request.service_account or ())} has no binding in {cluster}")
        return EventIgnored("the ServiceAccount has no binding")
    if request.may_be_forged and not _is_bound_or_first(cluster, dependencies):
        dependencies.log("request", f"{cluster} has no binding, and another such cluster was checked less than a minute ago")
        return EventIgnored("clusters without a binding are checked once a minute")
    return _check_targets(targets, request, dependencies)


def _check_refusal(refusal: Refusal, request: CheckRequest, dependencies: CheckDependencies) -> EventIgnored | ClusterChecked:
    """Check the ServiceAccounts that a refused call concerns. A call of a role without a binding costs no check.

    A plug-in that is refused repeats its call within seconds, so the same refusal is checked at most once a minute.
    """
    name, now = f"{refusal.principal} {refusal.call} {refusal.role_arn}", dependencies.now()
    last = dependencies.last_refusals.get(name)
    if last is not None and now - last < MIN_REFUSAL_INTERVAL:
        return EventIgnored("the same refused call was checked less than a minute ago")
    targets = concerned_targets(refusal, request, dependencies.readers, dependencies.environment.serves)
    if not targets:
        reason = f"{refusal.call} was refused to {refusal.principal}, which no binding names"
        dependencies.log("request", reason)
        return EventIgnored(reason)
    dependencies.log("request", f"{refusal.call} was refused to {refusal.principal}", code=refusal.code, event_id=request.event_id)
    result = _check_targets(targets, request, dependencies)
    for known in [known for known, at in dependencies.last_refusals.items() if now - at >= MIN_REFUSAL_INTERVAL]:
        del dependencies.last_refusals[known]
    dependencies.last_refusals[name] = now
    return result


def _check_targets(targets: Sequence[ServiceAccountRef], request: CheckRequest, dependencies: CheckDependencies) -> ClusterChecked:
    results: dict[ServiceAccountRef, ServiceAccountResult] = {}
    failure, deadline = None, dependencies.now() + MAX_LEASE_TIME
    is_answerable = _is_answerable(request, dependencies)
    for position, target in enumerate(targets):
        if position and dependencies.now() > deadline:
            results |= _request_rest(targets[position:], request, dependencies)
            break
        try:
            results[target] = check_target(target, request, dependencies, deadline=deadline, is_answerable=is_answerable)
        except RemediatorError as error:  # the other targets are still checked; Lambda then delivers the event again
            dependencies.log("snapshot", str(error), target=target.key, error=error, **request.log_fields)
            failure = failure or error
    if failure:
        raise failure
    return ClusterChecked(results)


def _is_bound_or_first(cluster: str, dependencies: CheckDependencies) -> bool:
    """Whether the cluster has a binding, or no other cluster without one was requested in this minute: its name may be invented."""
    is_bound = bool(bound_targets(dependencies.readers.parameters.load(cluster), [cluster]))
    return is_bound or dependencies.incidents.claim_minute(UNBOUND, dependencies.now())


def _request_rest(
    targets: Sequence[ServiceAccountRef], request: CheckRequest, dependencies: CheckDependencies
) -> dict[ServiceAccountRef, ServiceAccountResult]:
    """Request a separate check for each target that this run has no time for, so that a slow read leaves no target unchecked."""
    following = [
        replace(request, cluster=target.cluster, service_account=(target.namespace, target.name), refusal=None) for target in targets
    ]
    dependencies.events.put([published_events.check_requested(item) for item in following])
    dependencies.log("request", f"requested {pluralize(len(targets), 'further check')}, because the time of this one is up")
    return dict.fromkeys(targets, CheckHandedOver())


def targets_of(request: CheckRequest, cluster: str, dependencies: CheckDependencies) -> Sequence[ServiceAccountRef]:
    """The ServiceAccounts to check: the one in the request, else every bound one of the cluster; aws-node also without a binding.

    aws-node is checked first: the nodes need it, and the duration of another target's check depends on the pods of a tenant.
    Empty if AWS names a ServiceAccount without a binding: every team's calls for pod identity associations arrive here.
    """
    aws_node = ServiceAccountRef(cluster, AWS_NODE.namespace, AWS_NODE.service_account)
    named = ServiceAccountRef(cluster, *request.service_account) if request.service_account else None
    must_be_bound = request.may_be_forged or request.trigger in (Trigger.ADDON_EVENT, Trigger.API_CALL)
    if named and (named == aws_node or not must_be_bound):
        return [named]
    bound = bound_targets(dependencies.readers.parameters.load(cluster), [cluster])
    if named:
        return [named] if named in bound else []
    others = [target for target in bound if target != aws_node]
    return [aws_node, *others] if not bound or request.is_about_nodes or aws_node in bound else others


def check_target(
    target: ServiceAccountRef, request: CheckRequest, dependencies: CheckDependencies, *, deadline: datetime, is_answerable: bool = True
) -> ServiceAccountResult:
    """Count the signal on the open incident, or defer it to the check that holds the lease, or run the check loop."""
    if request.trigger is not Trigger.SWEEP:  # a sweep makes one check for each bound cluster, so the count says nothing
        dependencies.metrics(metrics.CHECKS, 1, trigger=request.trigger)
    signaled = dependencies.incidents.signal(target, signal_of(target, request, dependencies, is_answerable=is_answerable))
    match signaled:
        case Incident():
            return handle_counted_signal(signaled, request, dependencies)
        case AlreadyAnswered(began_at=began_at):
            text = "answered by a check that began after the event"
            dependencies.log("request", text, target=target.key, began_at=began_at.isoformat(), **request.log_fields)
            return SignalAlreadyAnswered(began_at)
        case Deferred(lease_holder=lease_holder):
            text = "deferred to the check that holds the lease"
            dependencies.log("request", text, target=target.key, check=lease_holder, **request.log_fields)
            return SignalDeferred(lease_holder)
    return run_check_loop(target, request, signaled, dependencies, deadline=deadline)


def signal_of(target: ServiceAccountRef, request: CheckRequest, dependencies: CheckDependencies, *, is_answerable: bool = True) -> Signal:
    """The signal that a request gives to one of its targets. `is_answerable`: a former check may have answered the request."""
    requirements = {CheckRequirement.NODES: request.is_about_nodes, CheckRequirement.UNCACHED: request.trigger in UNCACHED_TRIGGERS}
    return Signal(
        occurred_at=request.occurred_at,
        check=uuid4().hex[:12],
        at=dependencies.now(),
        requirements=frozenset(requirement for requirement, is_set in requirements.items() if is_set),
        answerable=is_answerable,
        request=published_events.check_requested(request)[1] if request.actor else None,
        refusal=refusal_to_json(request.refusal) if request.refusal else None,
        quiet=request.trigger is Trigger.SWEEP and not request.is_about_nodes and _is_sweep_due(target, dependencies),
    )


def _is_answerable(request: CheckRequest, dependencies: CheckDependencies) -> bool:
    """Whether a former check may have answered the request, for all of its targets alike.

    It cannot have answered a changed parameter, since it may have read a cached value, nor a refused call, which it did not know. An event
    that anyone may send is believed to be one of these once a minute for each cluster.
    """
    if request.trigger not in (Trigger.PARAMETER_CHANGED, Trigger.REFUSED_CALL):
        return True
    return request.may_be_forged and not dependencies.incidents.claim_minute(request.cluster or "", dependencies.now())


def _is_sweep_due(target: ServiceAccountRef, dependencies: CheckDependencies) -> bool:
    """Whether this process has made no sweep's check of the target lately. A repeated one is counted like any other event."""
    last, now = dependencies.last_sweep_checks.get(target.key), dependencies.now()
    if last is not None and now - last < MIN_SWEEP_INTERVAL:
        return False
    dependencies.last_sweep_checks[target.key] = now
    return True
