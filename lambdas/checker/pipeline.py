"""event -> request -> observation -> diagnosis -> plan; then the incident is handed to the remediator."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from lambdas.checker.digest import ask_for_digest
from lambdas.contract import metrics
from lambdas.contract.environment import Environment
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.workloads import KNOWN
from lambdas.domain import outgoing
from lambdas.domain.binding import bound_targets, has_default
from lambdas.domain.checking import observe
from lambdas.domain.counting import many
from lambdas.domain.diagnosis import Diagnosis
from lambdas.domain.errors import RemediatorError
from lambdas.domain.finding import Link, State
from lambdas.domain.fleet import MOST_NAMED, Fleet, fleet, what_to_remove, what_to_write
from lambdas.domain.guardrails import Past
from lambdas.domain.incident import Answered, Free, Incident, NodesSeen, silent
from lambdas.domain.observation import Binding, InvalidBinding, Observation
from lambdas.domain.observing import Hints, Readers
from lambdas.domain.planning import plan
from lambdas.domain.ports import EventsPort, IncidentsPort, LogPort, MetricsPort, RemediatorPort
from lambdas.domain.request import CheckRequest, DigestDue, Ignored, Sweep, Trigger
from lambdas.domain.requests import parse
from lambdas.domain.verdict import Verdict

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What a check works with. `fresh` remembers nothing, where `readers` remember what they have read for a while."""

    readers: Readers
    incidents: IncidentsPort
    remediator: RemediatorPort
    events: EventsPort
    metrics: MetricsPort
    log: LogPort
    environment: Environment
    now: Callable[[], datetime]
    fresh: Readers | None = None


KNOWN_FOR: Final = timedelta(minutes=30)
"""How old the time at which all was last well may grow while sweeps go on to find it so: each write of it would be a tenth of a price."""
READ_ANEW: Final = frozenset({Trigger.PARAMETER_CHANGED, Trigger.PERSON})
"""Who has just changed something, or asks since they have: what was read before that would answer for a world that is gone."""


def run(event: object, ports: Ports) -> Json:
    """Handle one event. Returns what came of it, for the log and for a person who asked.

    Raises:
        MalformedEvent: no retry helps; Lambda hands the event to the dead-letter queue.
        TransientError: Lambda delivers the event again.
    """
    here = ports.environment
    request = parse(event, account=here.account, region=here.region, now=ports.now())
    if isinstance(request, CheckRequest) and request.trigger in READ_ANEW:
        ports = replace(ports, readers=ports.fresh or ports.readers)
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
    ports.events.put([outgoing.check_requested(request, cluster) for cluster in found.bound])
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
        ports.log("request", f"clusters without a binding are not told of: {error}")
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
    results, failure = {}, None
    for target in looked_at:
        try:
            results[target.key] = check_target(target, request, ports)
        except RemediatorError as error:  # the others are checked all the same; then the event is delivered again
            ports.log("observation", str(error), target=target.key)
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


def check_target(target: ServiceAccountRef, request: CheckRequest, ports: Ports) -> Json:
    """Count the signal where an incident is open; else look, and open one where something is broken."""
    if request.trigger is not Trigger.SWEEP:  # one for each bound cluster and sweep, so its count tells nothing
        ports.metrics(metrics.CHECKS, 1, trigger=request.trigger)
    met = ports.incidents.signal(target, request.occurred_at, request.about_nodes)
    match met:
        case Incident():
            return _signalled(met, request, ports)
        case Answered(began_at=began_at) if request.trigger is Trigger.PARAMETER_CHANGED:  # by a check that may have remembered it
            return _look(target, request, Free(known_good_at=began_at), ports)
        case Answered(began_at=began_at):
            ports.log("observation", "answered by a check that began after the event", target=target.key, began_at=began_at.isoformat())
            return {"answered": began_at.isoformat()}
    return _look(target, request, met, ports)


def _look(target: ServiceAccountRef, request: CheckRequest, free: Free, ports: Ports) -> Json:
    began_at = ports.now()
    hints = Hints(known_good_at=free.known_good_at, actor=request.actor)
    seen, found = observe(target, ports.readers, began_at, hints, symptoms=request.about_nodes or free.nodes_unsettled)
    broken = [it.verdict for it in found.broken]
    unread = [it.link.title for it in found.unread]
    ports.log("diagnosis", found.verdict, target=target.key, trigger=request.trigger, broken=broken, unread=unread)
    if found.sound:
        if not _is_known(request, free, began_at):
            ports.incidents.record_sound(target, began_at, nodes_seen(seen, found))
        return {"verdict": found.verdict}
    if found.verdict is Verdict.CLUSTER_GONE and not _named_by_a_parameter(seen):
        return {"ignored": "there is no such cluster, and no parameter names it"}
    if found.verdict is Verdict.CLUSTER_GONE and _told_since(seen, free):
        return {"ignored": "there is no such cluster, which has been told since its binding was written"}
    _count(seen, found, request, ports)
    decided = plan(seen, found, Past())
    ports.log("plan", decided.wait or found.broken[0].sentence, target=target.key, actions=[type(it).__name__ for it in decided.actions])
    opened = _open(seen, request, free, ports)
    return {"verdict": found.verdict, "incident": opened.id}


def _is_known(request: CheckRequest, free: Free, began_at: datetime) -> bool:
    """Whether a sweep's finding that all is well need not be written: nobody waits for its answer, and the table says it of lately."""
    lately = free.known_good_at is not None and began_at - free.known_good_at < KNOWN_FOR
    return request.trigger is Trigger.SWEEP and lately and not free.nodes_unsettled


def nodes_seen(seen: Observation, found: Diagnosis) -> NodesSeen | None:
    """What a sound check saw of the nodes, or None where it read none."""
    if not isinstance(seen.nodes, tuple):
        return None
    starting = found[Link.NODES].state is State.OK and any(not node.ready for node in seen.nodes)
    return NodesSeen.STARTING if starting else NodesSeen.SETTLED


def _named_by_a_parameter(seen: Observation) -> bool:
    """Whether the cluster has a binding of its own. Without one its name is only what an event says, and anybody may send events."""
    own = binding_path(seen.target.cluster, seen.target.namespace, seen.target.name)
    return isinstance(seen.binding, Binding | InvalidBinding) and seen.binding.path == own


def _told_since(seen: Observation, free: Free) -> bool:
    """Whether people have been told that this binding's cluster is gone: once is enough for as long as nobody writes it again."""
    written = seen.binding.changed_at if isinstance(seen.binding, Binding) else None
    return free.gone_told_at is not None and (written is None or written <= free.gone_told_at)


def _count(seen: Observation, found: Diagnosis, request: CheckRequest, ports: Ports) -> None:
    ports.metrics(metrics.DRIFT, 1, trigger=request.trigger)
    if found.verdict is Verdict.NO_ACCESS:
        ports.metrics(metrics.LOGIN_FAILURES, 1, cluster=seen.target.cluster)


def _open(seen: Observation, request: CheckRequest, free: Free, ports: Ports) -> Incident:
    """Claim the incident, and start the remediator by its id: whoever comes second joins the first."""
    binding = seen.binding if isinstance(seen.binding, Binding) else None
    claimed = ports.incidents.claim(
        Incident(
            id=uuid4().hex[:12],
            target=seen.target,
            opened_at=request.occurred_at,
            signals=1,
            request=_remembered(request, free),
            binding_path=binding.path if binding else None,
        )
    )
    ports.log("plan", "incident opened", target=seen.target.key, incident=claimed.id, signals=claimed.signals)
    if not claimed.started and not claimed.held_by_a_person:
        _start(claimed, ports)
    return claimed


def _remembered(request: CheckRequest, free: Free) -> Json:
    detail = dict(outgoing.check_requested(request)[1])
    return detail | ({"knownGoodAt": free.known_good_at.isoformat()} if free.known_good_at else {})


def _start(incident: Incident, ports: Ports) -> None:
    """Idempotent by the incident's id, so a checker that died between claim and start is made good by any later signal."""
    arn = ports.remediator.start(incident)
    ports.incidents.mark_started(incident, arn)
    ports.log("actions", "remediator started", incident=incident.id, target=incident.target.key)


def _signalled(incident: Incident, request: CheckRequest, ports: Ports) -> Json:
    """An open incident has counted the signal. Its execution is started where nobody did, and replaced where it ended without closing."""
    ports.log("observation", "counted on the open incident", incident=incident.id, signals=incident.signals, trigger=request.trigger)
    if not incident.started and not incident.held_by_a_person:
        _start(incident, ports)
    elif request.trigger in (Trigger.SWEEP, Trigger.PERSON) and not _alive(incident, ports):
        successor = Incident(
            id=uuid4().hex[:12],
            target=incident.target,
            opened_at=incident.opened_at,
            signals=1,
            request=incident.request,
            binding_path=incident.binding_path,
        )
        taken = ports.incidents.take_over(incident, successor)
        if not taken.started:
            _start(taken, ports)
        return {"incident": taken.id, "taken_over": incident.id}
    return {"incident": incident.id, "signals": incident.signals}


def _alive(incident: Incident, ports: Ports) -> bool:
    """Whether whoever works on it still does: a person by their sign of life, the remediator by its execution."""
    if incident.held_by_a_person:
        return not silent(incident, ports.now())
    return bool(incident.execution_arn and ports.remediator.running(incident.execution_arn))
