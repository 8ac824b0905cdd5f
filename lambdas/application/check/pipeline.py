"""event -> request -> observation -> diagnosis -> plan; then the incident is handed to the remediator."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from lambdas.application.check.check_loop import STAYS, look
from lambdas.application.check.dependencies import Json, Ports
from lambdas.application.check.digest_request import ask_for_digest
from lambdas.application.check.incident_handover import join
from lambdas.contract import metrics
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.workloads import KNOWN
from lambdas.domain.errors import RemediatorError
from lambdas.domain.fleet import MOST_NAMED, Fleet, fleet, what_to_remove, what_to_write
from lambdas.domain.incidents.incident import AlreadyAnswered, CheckRequirements, Deferred, Incident, Signal
from lambdas.domain.plurals import many
from lambdas.domain.requests.parser import parse
from lambdas.domain.requests.request import CheckRequest, DigestDue, Ignored, Sweep, Trigger
from lambdas.domain.snapshot.bindings import bound_targets, has_default
from lambdas.notifications import published_events

READ_ANEW: Final = frozenset({Trigger.PARAMETER_CHANGED, Trigger.PERSON})
"""Who has just changed something, or asks since they have: what was read before that would answer for a world that is gone."""
SWEEPS_APART: Final = timedelta(minutes=1)
"""Less than any schedule's time between two sweeps."""


def run(event: object, ports: Ports) -> Json:
    """Handle one event. Returns what came of it, for the log and for a person who asked.

    Raises:
        MalformedEvent: no retry helps; Lambda hands the event to the dead-letter queue.
        TransientError: Lambda delivers the event again.
    """
    here = ports.environment
    request = parse(event, account=here.account, region=here.region, now=ports.now())
    if isinstance(request, CheckRequest) and request.trigger in READ_ANEW:
        ports = replace(ports, readers=ports.fresh)
    match request:
        case Ignored(reason=reason):
            ports.log("event", reason)
            return {"ignored": reason}
        case Sweep(occurred_at=occurred_at):
            ports.log("event", "sweep")
            swept = _fan_out(CheckRequest(trigger=Trigger.SWEEP, occurred_at=occurred_at, event_id=f"sweep-{occurred_at:%H%M%S}"), ports)
            ports.metrics(metrics.SWEEPS, 1)
            return swept
        case DigestDue(occurred_at=at):
            asking = ask_for_digest(at, ports.readers, ports.remediator, here)
            ports.log("event", f"{many(len(asking), 'cluster asks', 'clusters ask')} for a digest")
            return {"digest": asking}
        case CheckRequest(cluster=None):
            return _fan_out(request, ports)
    return _check_cluster(request, ports)


def _fan_out(request: CheckRequest, ports: Ports) -> Json:
    """One event per bound cluster, so that one broken cluster delays no other."""
    paths = list(ports.readers.parameters.load())
    found = fleet(paths, _existing(paths, request, ports), ports.environment.serves)
    ports.events.put([published_events.check_requested(request, cluster) for cluster in found.bound])
    ports.log("request", f"a check of each of {len(found.bound)} bound clusters was asked for", trigger=request.trigger)
    _tell_of(found, ports)
    return {name: list(names) for name, names in (("asked", found.bound), ("unbound", found.unbound), ("gone", found.gone))}


def _existing(paths: Sequence[str], request: CheckRequest, ports: Ports) -> Sequence[str] | None:
    """The clusters that there are, where it matters: a default binding is for each of them, and a sweep tells which nobody bound."""
    needed = has_default(paths)
    if not needed and request.trigger is not Trigger.SWEEP:
        return None
    try:
        return ports.readers.eks.clusters()
    except RemediatorError as error:
        if needed:
            raise
        ports.log("request", f"clusters without a binding are not told of: {error}", error=error)
        return None


def _tell_of(found: Fleet, ports: Ports) -> None:
    if found.unbound:
        ports.metrics(metrics.UNBOUND, len(found.unbound))
        ports.log("request", what_to_write(found.unbound), clusters=list(found.unbound[:MOST_NAMED]))
    if found.gone:
        ports.log("request", what_to_remove(found.gone), clusters=list(found.gone[:MOST_NAMED]))


def _check_cluster(request: CheckRequest, ports: Ports) -> Json:
    cluster = request.cluster or ""
    if not ports.environment.serves(cluster):
        ports.log("request", f"cluster {cluster} is served by another stack")
        return {"ignored": "another stack's cluster"}
    if request.trigger is not Trigger.SWEEP:  # of a sweep's check there is one line, its diagnosis
        ports.log("request", f"check {cluster}", trigger=request.trigger, event_id=request.event_id)
    looked_at = targets(request, cluster, ports)
    if not looked_at:
        ports.log("request", f"{'/'.join(request.service_account or ())} is not bound in {cluster}, so it is not ours to look at")
        return {"ignored": "a ServiceAccount that is not bound"}
    results, failure, stay_until = {}, None, ports.now() + STAYS
    for target in looked_at:
        try:
            results[target.key] = check_target(target, request, ports, stay_until=stay_until)
        except RemediatorError as error:  # the others are checked all the same; then the event is delivered again
            ports.log("observation", str(error), target=target.key, error=error)
            failure = failure or error
    if failure:
        raise failure
    return results


def targets(request: CheckRequest, cluster: str, ports: Ports) -> Sequence[ServiceAccountRef]:
    """What to look at: the ServiceAccount that was named, else every bound one of the cluster; aws-node also unbound, to look only.

    Empty where AWS tells of a ServiceAccount that nobody bound: every team's pod identity association is made by a call that we hear of.
    """
    plugin = ServiceAccountRef(cluster, KNOWN[0].namespace, KNOWN[0].service_account)
    named = ServiceAccountRef(cluster, *request.service_account) if request.service_account else None
    if named and (named == plugin or request.trigger not in (Trigger.ADDON_EVENT, Trigger.API_CALL)):
        return [named]
    bound = bound_targets(ports.readers.parameters.load(cluster), [cluster])
    if named:
        return [named] if named in bound else []
    return [*bound, plugin] if not bound or (request.about_nodes and plugin not in bound) else bound


def check_target(target: ServiceAccountRef, request: CheckRequest, ports: Ports, *, stay_until: datetime) -> Json:
    """Count the signal where an incident is open, or leave it to the check on duty; else look, and open one where something is broken."""
    if request.trigger is not Trigger.SWEEP:  # one for each bound cluster and sweep, so its count tells nothing
        ports.metrics(metrics.CHECKS, 1, trigger=request.trigger)
    met = ports.incidents.signal(target, signal_of(target, request, ports))
    match met:
        case Incident():
            return join(met, request, ports)
        case AlreadyAnswered(began_at=began_at):
            ports.log("observation", "answered by a check that began after the event", target=target.key, began_at=began_at.isoformat())
            return {"answered": began_at.isoformat()}
        case Deferred(lease_holder=check):
            ports.log("observation", "left to the check on duty, which looks again", target=target.key, check=check)
            return {"left": check}
    return look(target, request, met, ports, stay_until=stay_until)


def signal_of(target: ServiceAccountRef, request: CheckRequest, ports: Ports) -> Signal:
    """What the row learns of a request. A changed parameter is answered by no check that may have remembered the old one."""
    asks = {CheckRequirements.NODES: request.about_nodes, CheckRequirements.ANEW: request.trigger in READ_ANEW}
    return Signal(
        occurred_at=request.occurred_at,
        check=uuid4().hex[:12],
        at=ports.now(),
        asks=frozenset(item for item, asked in asks.items() if asked),
        answerable=request.trigger is not Trigger.PARAMETER_CHANGED,
        told=published_events.check_requested(request)[1] if request.actor else None,
        quiet=request.trigger is Trigger.SWEEP and not request.about_nodes and _is_due(target, ports),
    )


def _is_due(target: ServiceAccountRef, ports: Ports) -> bool:
    """Whether this process has lately made no sweep's check of it. More would be no schedule's doing, and is counted like any event."""
    last, now = ports.swept.get(target.key), ports.now()
    if last is not None and now - last < SWEEPS_APART:
        return False
    ports.swept[target.key] = now
    return True
