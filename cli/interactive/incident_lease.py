"""Lease of an incident: claim it, send a heartbeat every half minute, and detect that another worker took it over."""

from __future__ import annotations

from dataclasses import replace
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, Self
from uuid import uuid4

from cli.errors import CommandError
from lambdas.application.check.incident_handover import what_was_done
from lambdas.application.remediation.results import NotificationKey
from lambdas.domain.errors import RemediatorError
from lambdas.domain.incidents.incident import HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, Incident, is_heartbeat_expired
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
"""Notifications after which the remediator only watches, so that a person may take over the incident."""


class LeaseLost(RemediatorError):
    """Another worker took over the incident during this run, or may have."""


def claim(target: ServiceAccountRef, binding_path: str | None, dependencies: Dependencies, *, takes_own: bool = False) -> Incident:
    """Open an incident for the caller, or take over one that no one works on.

    With `takes_own`, also one of the caller: a process that was killed cannot release it, and one that still runs notices and stops.

    Raises:
        CommandError: another holder works on the incident, or it waits for approval.
    """
    new = _new_incident(target, binding_path, dependencies)
    existing = dependencies.incidents.get(target)
    if existing is None:
        claimed = dependencies.incidents.claim(new)
    elif _may_take_over(existing, dependencies) or (takes_own and existing.holder == dependencies.caller):
        former = what_was_done(existing, dependencies.incidents.notified_states(existing))
        new = replace(new, request={**new.request, **former})
        claimed = dependencies.incidents.take_over(existing, new)
    else:
        claimed = existing
    if claimed.id != new.id:
        raise _conflict(claimed)
    return claimed


def _new_incident(target: ServiceAccountRef, binding_path: str | None, dependencies: Dependencies) -> Incident:
    incident_id, now = uuid4().hex[:12], dependencies.now()
    request = CheckRequest(
        trigger=Trigger.PERSON,
        occurred_at=now,
        event_id=f"fix-{incident_id}",
        cluster=target.cluster,
        service_account=(target.namespace, target.name),
    )
    return Incident(
        id=incident_id,
        target=target,
        opened_at=now,
        signals=1,
        request=dict(published_events.check_requested(request)[1]),
        started=True,
        holder=dependencies.caller,
        binding_path=binding_path,
        heartbeat_at=now,
    )


def _may_take_over(incident: Incident, dependencies: Dependencies) -> bool:
    if incident.is_held_by_person:
        return is_heartbeat_expired(incident, dependencies.now())
    notified = map(NotificationKey.parse, dependencies.incidents.notified_states(incident))
    return not incident.repairing and not incident.callback_id and any(key is not None and key.kind in _WATCHING for key in notified)


def _conflict(incident: Incident) -> CommandError:
    if incident.callback_id and not incident.is_held_by_person:
        return CommandError(f"incident {incident.id} waits for approval", next_step=f"irsa-remediator approve {incident.id}")
    holder = incident.holder if incident.is_held_by_person else "the remediator"
    text = f"{holder} works on it since {incident.opened_at:%H:%M:%S} UTC, as incident {incident.id}"
    return CommandError(text, next_step=f"irsa-remediator history {incident.id}")


class IncidentLease:
    """Sends heartbeats while its context is entered. `renew` raises once another worker holds the incident."""

    def __init__(self, incident: Incident, incidents: IncidentsPort, now: Callable[[], datetime]) -> None:
        self._incident = incident
        self._incidents = incidents
        self._now = now
        self._acknowledged_at = incident.heartbeat_at or now()
        self._stopped = Event()
        self._lost = Event()
        self._thread = Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(timeout=HEARTBEAT_INTERVAL.total_seconds())

    def renew(self) -> None:
        """Send a heartbeat and check that the lease is still held.

        Raises:
            LeaseLost: heartbeats were missing for so long that the remediator took over the incident, or may have.
        """
        self.heartbeat()
        name = f"incident {self._incident.id}"
        if self._lost.is_set():
            raise LeaseLost(f"the remediator took over {name}, because this run had sent no heartbeat for too long")
        silence = self._now() - self._acknowledged_at
        if silence > HEARTBEAT_TIMEOUT - HEARTBEAT_INTERVAL:
            raise LeaseLost(f"the remediator may have taken over {name}: no heartbeat was acknowledged for {silence.total_seconds():.0f} s")

    def heartbeat(self) -> None:
        """Send one heartbeat. A failed one is made up for by the next."""
        at = self._now()
        try:
            if self._incidents.renew_heartbeat(self._incident, at):
                self._acknowledged_at = at
            else:
                self._lost.set()
        except RemediatorError:
            return

    def _run(self) -> None:
        while not self._stopped.wait(HEARTBEAT_INTERVAL.total_seconds()) and not self._lost.is_set():
            self.heartbeat()
