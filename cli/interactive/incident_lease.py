"""A person's run holds its incident: it claims it, says every half minute that it is there, and learns when it is no longer its own."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING, Final, Self
from uuid import uuid4

from cli.errors import CommandError
from lambdas.domain.errors import RemediatorError
from lambdas.domain.incidents.incident import HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, Incident, heartbeat_expired
from lambdas.domain.requests.request import CheckRequest, Trigger
from lambdas.notifications import published_events
from lambdas.notifications.kind import NotificationKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cli.clients.dependencies import Dependencies
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.ports import IncidentsPort

_WATCHING: Final = frozenset(
    {NotificationKind.NEEDS_ACTION, NotificationKind.BLOCKED, NotificationKind.NOT_APPROVED, NotificationKind.REMINDER}
)
"""What the remediator has told last when it only watches and a person may act in its place."""


class LeaseLost(RemediatorError):
    """The incident has become another's while we worked on it."""


def claim(target: ServiceAccountRef, binding_path: str | None, outside: Dependencies) -> Incident:
    """Open an incident as ours, or take over one that nobody works on.

    Raises:
        Refused: somebody works on it, or it waits for an answer; says who, and what to do instead.
    """
    ours = _ours(target, binding_path, outside)
    there = outside.incidents.get(target)
    if there is None:
        claimed = outside.incidents.claim(ours)
    elif _free(there, outside):
        claimed = outside.incidents.take_over(there, ours)
    else:
        claimed = there
    if claimed.id != ours.id:
        raise _refusal(claimed)
    return claimed


def _ours(target: ServiceAccountRef, binding_path: str | None, outside: Dependencies) -> Incident:
    name, now = uuid4().hex[:12], outside.now()
    request = CheckRequest(
        trigger=Trigger.PERSON,
        occurred_at=now,
        event_id=f"fix-{name}",
        cluster=target.cluster,
        service_account=(target.namespace, target.name),
    )
    return Incident(
        id=name,
        target=target,
        opened_at=now,
        signals=1,
        request=dict(published_events.check_requested(request)[1]),
        started=True,
        holder=outside.caller,
        binding_path=binding_path,
        heartbeat_at=now,
    )


def _free(there: Incident, outside: Dependencies) -> bool:
    if there.held_by_a_person:
        return heartbeat_expired(there, outside.now())
    told = {state.split(" ", 1)[-1].split(" ")[0] for state in outside.incidents.told(there)}
    return not there.acting and not there.callback_id and bool(told & _WATCHING)


def _refusal(there: Incident) -> CommandError:
    if there.callback_id and not there.held_by_a_person:
        return CommandError(f"incident {there.id} waits for an answer already", next_step=f"irsa-remediator approve {there.id}")
    who = there.holder if there.held_by_a_person else "the remediator"
    words = f"{who} works on it, as incident {there.id}, since {there.opened_at:%H:%M:%S} UTC"
    return CommandError(words, next_step=f"irsa-remediator history {there.id}")


class IncidentLease:
    """Beats while it is entered. `still_ours` raises once the incident has gone to somebody else."""

    def __init__(self, incident: Incident, incidents: IncidentsPort, now: Callable[[], datetime]) -> None:
        self._incident = incident
        self._incidents = incidents
        self._now = now
        self._heard_at = incident.heartbeat_at or now()
        self._over = Event()
        self._lost = Event()
        self._thread = Thread(target=self._beat_on, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=HEARTBEAT_INTERVAL.total_seconds())

    def renew(self) -> None:
        """Say that we are there, and learn whether that is still so.

        Raises:
            TakenOver: we were silent for too long, so that the remediator went on, or may have.
        """
        self.beat()
        name = f"incident {self._incident.id}"
        if self._lost.is_set():
            raise LeaseLost(f"{name} was taken over by the remediator, since this run had been silent for too long")
        silence = self._now() - self._heard_at
        if silence > HEARTBEAT_TIMEOUT - HEARTBEAT_INTERVAL:
            raise LeaseLost(f"{name} may have been taken over: the table did not answer this run for {silence.total_seconds():.0f} s")

    def beat(self) -> None:
        """One sign of life; one that does not arrive is made good by the next."""
        at = self._now()
        try:
            if self._incidents.beat(self._incident, at):
                self._heard_at = at
            else:
                self._lost.set()
        except RemediatorError:
            return

    def _beat_on(self) -> None:
        while not self._over.wait(HEARTBEAT_INTERVAL.total_seconds()) and not self._lost.is_set():
            self.beat()
