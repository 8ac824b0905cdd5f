"""The results of one event. The checker's handler turns them into JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.diagnosis.verdict import Verdict


@dataclass(frozen=True)
class EventIgnored:
    """The event needs no check of this cluster or ServiceAccount, for this reason."""

    reason: str


@dataclass(frozen=True)
class EventMalformed:
    """The event violates the format of its type, for this reason. No retry helps."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class ChecksRequested:
    """A check of each of these clusters was requested. `unbound` clusters have no binding; `missing` clusters have one and do not exist."""

    clusters: tuple[str, ...]
    unbound: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class DigestRequested:
    """The daily digest of these clusters was requested; none where no setting enables it."""

    clusters: tuple[str, ...]


@dataclass(frozen=True)
class DeliveryRecorded:
    """The arrival of a test event was recorded."""

    nonce: str


@dataclass(frozen=True)
class NoFaultFound:
    """The check found no fault. The verdict is `healthy` only where every link is shown to hold."""

    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class IncidentOpened:
    """The check found a fault, and opened an incident or joined the open one."""

    verdict: Verdict
    incident_id: str


@dataclass(frozen=True, kw_only=True)
class SignalCounted:
    """The signal was counted on the open incident."""

    incident_id: str
    signals: int


@dataclass(frozen=True, kw_only=True)
class IncidentTakenOver:
    """The holder of the open incident was gone, so a new incident replaced it."""

    incident_id: str
    former_incident_id: str


@dataclass(frozen=True)
class SignalAlreadyAnswered:
    """A check that began after the event found no fault."""

    check_began_at: datetime


@dataclass(frozen=True)
class SignalDeferred:
    """Another check holds the lease and assesses the target again for this signal."""

    lease_holder: str


@dataclass(frozen=True)
class CheckHandedOver:
    """Signals still arrived at the end of the lease, so a new check was requested."""


ServiceAccountResult = (
    EventIgnored
    | NoFaultFound
    | IncidentOpened
    | SignalCounted
    | IncidentTakenOver
    | SignalAlreadyAnswered
    | SignalDeferred
    | CheckHandedOver
)


@dataclass(frozen=True)
class ClusterChecked:
    """The result for each ServiceAccount of the cluster that the request concerns."""

    service_accounts: Mapping[ServiceAccountRef, ServiceAccountResult]


EventResult = EventIgnored | EventMalformed | ChecksRequested | DigestRequested | DeliveryRecorded | ClusterChecked
