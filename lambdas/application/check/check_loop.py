"""A check on duty: it looks, and again while signals come, until every one of them was followed by a look."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Final

from lambdas.application.assessment import observe
from lambdas.application.check.dependencies import Json, Ports
from lambdas.application.check.incident_handover import open_incident
from lambdas.application.readers import Hints
from lambdas.contract import metrics
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.timeouts import CHECKER_TIMEOUT_S
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.identity_chain import Diagnosis
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import RemediatorError
from lambdas.domain.incidents.incident import CheckRequirements, IdleState, NodesSeen
from lambdas.domain.planning.planner import plan
from lambdas.domain.planning.policies import RepairHistory
from lambdas.domain.requests.request import CheckRequest, actor_of
from lambdas.domain.snapshot.snapshot import Binding, InvalidBinding, Snapshot
from lambdas.notifications import published_events

FIRST_PAUSE_S: Final = 1.0
PAUSE_S: Final = 4.0
"""Between two looks, so that one answers many signals: with the look itself still within the five seconds from event to decision."""
KNOWN_FOR: Final = timedelta(minutes=30)
"""How old the time at which all was last well may grow while sweeps go on to find it so: each write of it would be a tenth of a price."""
STAYS: Final = timedelta(seconds=CHECKER_TIMEOUT_S * 2 / 3)
"""How long one run stays on duty, whatever it looks at; after that it hands over, long before its function's time is up."""


def look(target: ServiceAccountRef, request: CheckRequest, duty: IdleState, ports: Ports, *, stay_until: datetime) -> Json:
    """Look until every signal was followed by a look that found all well, or open an incident; after `stay_until` hand over."""
    try:
        return _until_all_is_seen(target, request, duty, ports, stay_until)
    except RemediatorError:
        with suppress(RemediatorError):  # whoever finds us gone takes our place after a minute
            _let_go(target, duty, ports)
        raise


def _until_all_is_seen(target: ServiceAccountRef, request: CheckRequest, duty: IdleState, ports: Ports, stay_until: datetime) -> Json:
    for pause_s in chain([FIRST_PAUSE_S], repeat(PAUSE_S)):
        began_at = ports.now()
        snapshot, found = _look(target, request, duty, ports)
        if not found.sound:
            return _broken(snapshot, found, request, duty, ports)
        again = None if _is_known(duty, began_at) else ports.incidents.finish(target, duty, began_at, nodes_seen(snapshot, found))
        if again is None:
            break
        if began_at > stay_until:
            return _hand_over(target, request, duty, ports)
        duty = again
        ports.sleep(pause_s)
    return {"verdict": found.verdict}


def _look(target: ServiceAccountRef, request: CheckRequest, duty: IdleState, ports: Ports) -> tuple[Snapshot, Diagnosis]:
    readers = ports.fresh if CheckRequirements.ANEW in duty.asks else ports.readers
    hints = Hints(known_good_at=duty.known_good_at, actor=actor_of(_told(request, duty)))
    snapshot, found = observe(target, readers, ports.now(), hints, symptoms=CheckRequirements.NODES in duty.asks or duty.nodes_unsettled)
    broken = [finding.verdict for finding in found.broken]
    unread = [finding.link.title for finding in found.unread]
    ports.log("diagnosis", found.verdict, target=target.key, trigger=request.trigger, broken=broken, unread=unread)
    return snapshot, found


def _told(request: CheckRequest, duty: IdleState) -> Json:
    """The request as an incident remembers it: the latest that named an actor, since that one tells who did it."""
    detail = dict(duty.told or published_events.check_requested(request)[1])
    return detail | ({"knownGoodAt": duty.known_good_at.isoformat()} if duty.known_good_at else {})


def _hand_over(target: ServiceAccountRef, request: CheckRequest, duty: IdleState, ports: Ports) -> Json:
    """Signals still come: go off duty, and let another check begin afresh. One that dies in between is delivered again."""
    _let_go(target, duty, ports)
    ports.events.put([published_events.check_requested(replace(request, service_account=(target.namespace, target.name)))])
    ports.log("observation", "handed over, since signals still come", target=target.key)
    return {"handed_over": target.key}


def _broken(snapshot: Snapshot, found: Diagnosis, request: CheckRequest, duty: IdleState, ports: Ports) -> Json:
    if found.verdict is Verdict.CLUSTER_GONE and not _named_by_a_parameter(snapshot):
        _let_go(snapshot.target, duty, ports, forget=ports.now())
        return {"ignored": "there is no such cluster, and no parameter names it"}
    if found.verdict is Verdict.CLUSTER_GONE and _told_since(snapshot, duty):
        _let_go(snapshot.target, duty, ports)
        return {"ignored": "there is no such cluster, which has been told since its binding was written"}
    ports.metrics(metrics.DRIFT, 1, trigger=request.trigger)
    if found.verdict is Verdict.NO_ACCESS:
        ports.metrics(metrics.LOGIN_FAILURES, 1, cluster=snapshot.target.cluster)
    decided = plan(snapshot, found, RepairHistory())
    actions = [type(action).__name__ for action in decided.actions]
    ports.log("plan", decided.wait or found.broken[0].sentence, target=snapshot.target.key, actions=actions)
    opened = open_incident(snapshot, request, _told(request, duty), ports, counted=bool(duty.lease_holder))
    return {"verdict": found.verdict, "incident": opened.id}


def _let_go(target: ServiceAccountRef, duty: IdleState, ports: Ports, forget: datetime | None = None) -> None:
    if duty.lease_holder:
        ports.incidents.let_go(target, duty, forget)


def _is_known(duty: IdleState, began_at: datetime) -> bool:
    """Whether a quiet finding that all is well need not be written: nobody waits for its answer, and the table says it of lately."""
    lately = duty.known_good_at is not None and began_at - duty.known_good_at < KNOWN_FOR
    return not duty.lease_holder and lately and not duty.nodes_unsettled


def nodes_seen(snapshot: Snapshot, found: Diagnosis) -> NodesSeen | None:
    """What a sound check saw of the nodes, or None where it read none."""
    if not isinstance(snapshot.nodes, tuple):
        return None
    starting = found[Link.NODES].state is State.OK and any(not node.ready for node in snapshot.nodes)
    return NodesSeen.STARTING if starting else NodesSeen.SETTLED


def _named_by_a_parameter(snapshot: Snapshot) -> bool:
    """Whether the cluster has a binding of its own. Without one its name is only what an event says, and anybody may send events."""
    own = binding_path(snapshot.target.cluster, snapshot.target.namespace, snapshot.target.name)
    return isinstance(snapshot.binding, Binding | InvalidBinding) and snapshot.binding.path == own


def _told_since(snapshot: Snapshot, free: IdleState) -> bool:
    """Whether people have been told that this binding's cluster is gone: once is enough for as long as nobody writes it again."""
    written = snapshot.binding.changed_at if isinstance(snapshot.binding, Binding) else None
    return free.gone_told_at is not None and (written is None or written <= free.gone_told_at)
