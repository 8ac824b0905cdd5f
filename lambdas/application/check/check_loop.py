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
from lambdas.domain.incidents.incident import Asks, Free, NodesSeen
from lambdas.domain.planning.planner import plan
from lambdas.domain.planning.policies import Past
from lambdas.domain.requests.request import CheckRequest, actor_of
from lambdas.domain.snapshot.snapshot import Binding, InvalidBinding, Observation
from lambdas.notifications import published_events

FIRST_PAUSE_S: Final = 1.0
PAUSE_S: Final = 4.0
"""Between two looks, so that one answers many signals: with the look itself still within the five seconds from event to decision."""
KNOWN_FOR: Final = timedelta(minutes=30)
"""How old the time at which all was last well may grow while sweeps go on to find it so: each write of it would be a tenth of a price."""
STAYS: Final = timedelta(seconds=CHECKER_TIMEOUT_S * 2 / 3)
"""How long one run stays on duty, whatever it looks at; after that it hands over, long before its function's time is up."""


def look(target: ServiceAccountRef, request: CheckRequest, duty: Free, ports: Ports, *, stay_until: datetime) -> Json:
    """Look until every signal was followed by a look that found all well, or open an incident; after `stay_until` hand over."""
    try:
        return _until_all_is_seen(target, request, duty, ports, stay_until)
    except RemediatorError:
        with suppress(RemediatorError):  # whoever finds us gone takes our place after a minute
            _let_go(target, duty, ports)
        raise


def _until_all_is_seen(target: ServiceAccountRef, request: CheckRequest, duty: Free, ports: Ports, stay_until: datetime) -> Json:
    for pause_s in chain([FIRST_PAUSE_S], repeat(PAUSE_S)):
        began_at = ports.now()
        seen, found = _look(target, request, duty, ports)
        if not found.sound:
            return _broken(seen, found, request, duty, ports)
        again = None if _is_known(duty, began_at) else ports.incidents.finish(target, duty, began_at, nodes_seen(seen, found))
        if again is None:
            break
        if began_at > stay_until:
            return _hand_over(target, request, duty, ports)
        duty = again
        ports.sleep(pause_s)
    return {"verdict": found.verdict}


def _look(target: ServiceAccountRef, request: CheckRequest, duty: Free, ports: Ports) -> tuple[Observation, Diagnosis]:
    readers = ports.fresh if Asks.ANEW in duty.asks else ports.readers
    hints = Hints(known_good_at=duty.known_good_at, actor=actor_of(_told(request, duty)))
    seen, found = observe(target, readers, ports.now(), hints, symptoms=Asks.NODES in duty.asks or duty.nodes_unsettled)
    broken = [it.verdict for it in found.broken]
    unread = [it.link.title for it in found.unread]
    ports.log("diagnosis", found.verdict, target=target.key, trigger=request.trigger, broken=broken, unread=unread)
    return seen, found


def _told(request: CheckRequest, duty: Free) -> Json:
    """The request as an incident remembers it: the latest that named an actor, since that one tells who did it."""
    detail = dict(duty.told or published_events.check_requested(request)[1])
    return detail | ({"knownGoodAt": duty.known_good_at.isoformat()} if duty.known_good_at else {})


def _hand_over(target: ServiceAccountRef, request: CheckRequest, duty: Free, ports: Ports) -> Json:
    """Signals still come: go off duty, and let another check begin afresh. One that dies in between is delivered again."""
    _let_go(target, duty, ports)
    ports.events.put([published_events.check_requested(replace(request, service_account=(target.namespace, target.name)))])
    ports.log("observation", "handed over, since signals still come", target=target.key)
    return {"handed_over": target.key}


def _broken(seen: Observation, found: Diagnosis, request: CheckRequest, duty: Free, ports: Ports) -> Json:
    if found.verdict is Verdict.CLUSTER_GONE and not _named_by_a_parameter(seen):
        _let_go(seen.target, duty, ports, forget=ports.now())
        return {"ignored": "there is no such cluster, and no parameter names it"}
    if found.verdict is Verdict.CLUSTER_GONE and _told_since(seen, duty):
        _let_go(seen.target, duty, ports)
        return {"ignored": "there is no such cluster, which has been told since its binding was written"}
    ports.metrics(metrics.DRIFT, 1, trigger=request.trigger)
    if found.verdict is Verdict.NO_ACCESS:
        ports.metrics(metrics.LOGIN_FAILURES, 1, cluster=seen.target.cluster)
    decided = plan(seen, found, Past())
    actions = [type(it).__name__ for it in decided.actions]
    ports.log("plan", decided.wait or found.broken[0].sentence, target=seen.target.key, actions=actions)
    opened = open_incident(seen, request, _told(request, duty), ports, counted=bool(duty.on_duty))
    return {"verdict": found.verdict, "incident": opened.id}


def _let_go(target: ServiceAccountRef, duty: Free, ports: Ports, forget: datetime | None = None) -> None:
    if duty.on_duty:
        ports.incidents.let_go(target, duty, forget)


def _is_known(duty: Free, began_at: datetime) -> bool:
    """Whether a quiet finding that all is well need not be written: nobody waits for its answer, and the table says it of lately."""
    lately = duty.known_good_at is not None and began_at - duty.known_good_at < KNOWN_FOR
    return not duty.on_duty and lately and not duty.nodes_unsettled


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
