"""The ports: protocols for the outside systems. Each port has one adapter and one fake.

Every method raises `TransientError` where the same call may succeed later, and `AccessDenied` where it is refused. The text of the error
says what was attempted and what the result was.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from lambdas.contract.metrics import Metric
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.incidents.incident import IdleState, Incident, NodesState, PastIncident, Signal, SignalResult
from lambdas.domain.requests.request import Refusal
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.simulation import Simulation
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Association,
    AssociationSettings,
    ClusterFacts,
    ComputeType,
    ControllerError,
    InstalledPolicy,
    Missing,
    NodeFacts,
    NodeRepair,
    OidcProvider,
    PluginError,
    PodFacts,
    RoleFacts,
    ServiceAccountFacts,
    SupportDates,
    VersionAdvice,
    WorkloadFacts,
)

if TYPE_CHECKING:
    from lambdas.contract.access import AccessQuestion


class ParametersPort(Protocol):
    """Parameter Store."""

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        """Bindings and settings of a cluster with the defaults, or all parameters: `path -> parameter`."""
        ...


class EksPort(Protocol):
    """The EKS API."""

    def clusters(self) -> tuple[str, ...]:
        """Names of all clusters in this account and region."""
        ...

    def cluster(self, name: str) -> ClusterFacts | Missing: ...

    def addon(self, cluster: str, name: str) -> AddonFacts | Missing: ...

    def associations(self, target: ServiceAccountRef) -> tuple[Association, ...]:
        """Pod identity associations of one ServiceAccount, with their roles."""
        ...

    def node_repair(self, cluster: str) -> NodeRepair:
        """Node groups with auto repair switched on."""
        ...

    def version_advice(self, addon: str, kubernetes_version: str) -> VersionAdvice:
        """The default and the newest version of an add-on.

        Raises:
            NotFound: EKS does not offer the add-on for this Kubernetes version.
        """
        ...

    def support(self, kubernetes_version: str) -> SupportDates:
        """The support dates of a Kubernetes version.

        Raises:
            NotFound: EKS does not know the version.
        """
        ...

    def set_addon_role(self, cluster: str, addon: str, role_arn: str, token: str) -> str:
        """Call `UpdateAddon` with only the role and PRESERVE. Returns the update's ID; the same token gives the same update.

        Raises:
            Busy: another update is running.
        """
        ...

    def create_association(self, target: ServiceAccountRef, wanted: AssociationSettings, token: str) -> str:
        """Create a pod identity association and return its ID; the same token gives the same association.

        Raises:
            Conflict: the ServiceAccount has one already.
        """
        ...

    def update_association(self, cluster: str, found: Association, wanted: AssociationSettings, token: str) -> None:
        """Change what this association gives; the same token changes it once.

        Raises:
            NotFound: it was deleted.
        """
        ...

    def addon_associations(self, cluster: str, addon: str) -> Mapping[str, str]:
        """The associations that an add-on owns: `ServiceAccount -> role`.

        Raises:
            NotFound: the add-on is not installed.
        """
        ...

    def set_addon_associations(self, cluster: str, addon: str, roles: Mapping[str, str], token: str) -> str:
        """Let an add-on own exactly these associations. Returns the update's ID; the same token gives the same update.

        EKS restarts the pods of the add-on for it.

        Raises:
            Busy: another update is running.
        """
        ...


class IamPort(Protocol):
    """The IAM API."""

    def role(self, arn: str) -> RoleFacts | Missing: ...

    def oidc_provider(self, arn: str) -> OidcProvider | Missing: ...

    def simulate(self, role_arn: str, calls: Sequence[str], resource: str = "") -> Simulation:
        """The decision about each call, on this resource; empty for a resource of the kind that the call needs."""
        ...


class EventHistoryPort(Protocol):
    """CloudTrail's event history."""

    def refused_tokens(self, subject: str, since: datetime, until: datetime) -> tuple[Refusal, ...]:
        """The calls that STS refused to a ServiceAccount in this time, newest first. Older ones may be missing."""
        ...


class ClusterPort(Protocol):
    """The Kubernetes API of one cluster, logged in."""

    def service_account(self, namespace: str, name: str) -> ServiceAccountFacts | Missing: ...

    def workload(self, namespace: str, kind: WorkloadKind, name: str) -> WorkloadFacts | Missing: ...

    def owner(self, namespace: str, kind: str, name: str) -> tuple[WorkloadKind, str] | None:
        """The workload that controls a pod: its controller, or the Deployment of a ReplicaSet; None for kinds that are never restarted."""
        ...

    def pods(self, namespace: str, service_account: str, node: str = "") -> tuple[PodFacts, ...]:
        """All pods that run under the ServiceAccount, or only those on the named node."""
        ...

    def agent_pods(self) -> tuple[PodFacts, ...]:
        """The pods of the EKS Pod Identity agent."""
        ...

    def nodes(self) -> tuple[NodeFacts, ...]: ...

    def compute_types(self) -> Mapping[str, ComputeType]:
        """The nodes of EKS Auto Mode, Fargate and EKS Hybrid Nodes, and those with Windows: name -> type."""
        ...

    def plugin_errors(self, namespace: str) -> tuple[PluginError, ...]:
        """`MissingIAMPermissions` events on pods of the namespace, newest first."""
        ...

    def controller_errors(self, namespace: str, name: str) -> tuple[ControllerError, ...]:
        """`FailedCreate` events on the workload of this name, newest first."""
        ...

    def has_identity_webhook(self) -> bool:
        """Whether the identity webhook is registered with the API server."""
        ...

    def guards(self, namespace: str, name: str) -> tuple[InstalledPolicy, ...]:
        """The guard and the warning of a ServiceAccount, as far as they are installed."""
        ...

    def apply_annotation(self, namespace: str, name: str, role_arn: str, resource_version: str) -> None:
        """Set only the role annotation and own it, so that another manager that stops applying it does not remove it.

        Raises:
            Conflict: the ServiceAccount has another resource version.
            NotFound: the ServiceAccount does not exist.
        """
        ...

    def restore_annotation(self, namespace: str, name: str, role_arn: str | None, resource_version: str) -> None:
        """Set only the role annotation to a former value; None removes it for every owner.

        Raises:
            Conflict: the ServiceAccount has another resource version.
            NotFound: the ServiceAccount does not exist.
        """
        ...

    def restart(self, namespace: str, kind: WorkloadKind, name: str, restarted_at: str) -> None:
        """Set the restart annotation of the pod template. Setting the same value again restarts nothing."""
        ...

    def delete_pod(self, namespace: str, name: str, uid: str) -> bool:
        """Delete exactly this pod. Returns False where it no longer exists or another pod has its name."""
        ...


class ClustersPort(Protocol):
    """Logs in to clusters."""

    def login(self, facts: ClusterFacts) -> ClusterPort:
        """A client for the cluster. This makes no request."""
        ...


class IncidentsPort(Protocol):
    """Incidents and history. Every write is conditional, so concurrent callers cannot undo each other."""

    def signal(self, target: ServiceAccountRef, signal: Signal) -> SignalResult:
        """Count a signal on the open incident or the lease, or take the lease: one conditional write.

        An expired lease needs a second write.
        """
        ...

    def finish_check(
        self, target: ServiceAccountRef, state: IdleState, began_at: datetime, nodes: NodesState | None = None
    ) -> IdleState | None:
        """Record a healthy check and release its lease. Returns None, or the state where a signal arrived since `state` and needs another
        check.
        """
        ...

    def release_check(self, target: ServiceAccountRef, state: IdleState, forget: datetime | None = None) -> None:
        """Release the lease without an answer. Waiting signals stay for the next check; `forget` is the time for a row that need not be
        kept.
        """
        ...

    def record_delivery(self, nonce: str, at: datetime) -> None:
        """Record that a test event arrived."""
        ...

    def claim_minute(self, cluster: str, at: datetime) -> bool:
        """Claim this minute for one request that any principal can send. Returns False where the minute is already claimed.

        The limit applies to each cluster. The empty name means a request for all clusters. A stored time in the future blocks nothing.
        """
        ...

    def claim_kept_notice(self, target: ServiceAccountRef, event: str, at: datetime) -> bool:
        """Claim this day for one message that the guard kept the role. Returns False where another event has claimed it.

        The event that claimed it may claim it again, since Lambda delivers an event again after a failure. A stored time in the future
        blocks nothing.
        """
        ...

    def claim(self, incident: Incident) -> Incident:
        """Open this incident, or join the open one. Returns the open incident; its `signals` are added to those already counted."""
        ...

    def take_over(self, ended: Incident, successor: Incident) -> Incident:
        """Replace an abandoned incident, unless its holder has since started or finished a repair, or handed it over.

        Returns the open incident.
        """
        ...

    def mark_started(self, incident: Incident, execution_arn: str) -> None:
        """Record the execution that works on the incident, unless a later one follows already."""
        ...

    def hand_over(self, incident: Incident, state: str) -> bool:
        """Store the state of the workflow, and let the next execution be started. False: the incident has another holder."""
        ...

    def carried_state(self, incident: Incident) -> str:
        """The state that the execution before this one stored; empty where there is none."""
        ...

    def renew_heartbeat(self, incident: Incident, at: datetime) -> bool:
        """Record a heartbeat of the person who holds it. Returns False where they no longer hold it and must stop."""
        ...

    def mark_repairing(self, incident: Incident, repairing: bool) -> bool:
        """Record whether its holder is changing something. Returns False where the caller no longer holds it and must stop.

        An execution that has handed the incident over no longer holds it.
        """
        ...

    def mark_approval_requested(self, incident: Incident, callback_id: str | None) -> None:
        """Record the callback of a requested approval; None once it was answered."""
        ...

    def get(self, target: ServiceAccountRef) -> Incident | None: ...

    def states(self, targets: Sequence[ServiceAccountRef]) -> Mapping[ServiceAccountRef, Incident | IdleState]:
        """Return the open incident of each target, or its state without one, as they were a moment ago."""
        ...

    def mark_notified(self, incident: Incident, state: str) -> bool:
        """Record that the message of this state was sent. Returns False where the incident is no longer open."""
        ...

    def notified_states(self, incident: Incident) -> frozenset[str]:
        """The states whose message was sent."""
        ...

    def close(self, past: PastIncident, seen_signals: int, healthy_since: datetime | None) -> bool:
        """Write history and close the incident if at most `seen_signals` signals arrived. Returns False where more arrived; nothing is
        written.
        """
        ...

    def history(self, target: ServiceAccountRef, since: datetime) -> tuple[PastIncident, ...]:
        """Incidents of this ServiceAccount that were closed since then, newest first."""
        ...

    def affected_clusters(self, binding_path: str, since: datetime) -> tuple[str, ...]:
        """Clusters with an open or closed incident about this binding since then."""
        ...


class RemediatorPort(Protocol):
    """The durable function."""

    def start(self, incident: Incident) -> str:
        """Start the execution of the incident. Starting it again returns the same execution's ARN."""
        ...

    def start_digest(self, until: datetime, clusters: Sequence[str]) -> None:
        """Start the digest of the day that ends then, once, however often it is requested."""
        ...

    def running(self, execution_arn: str) -> bool:
        """Whether the execution has not ended. An unknown execution is not running."""
        ...


@dataclass(frozen=True, kw_only=True)
class ClusterIdentity:
    """The caller as the API server of a cluster names it."""

    username: str
    groups: frozenset[str]


class ClusterProbePort(Protocol):
    """The way to the API server of a cluster, step by step, without a cached connection."""

    def resolve(self, facts: ClusterFacts) -> tuple[str, ...]:
        """Addresses of the endpoint's name."""
        ...

    def connect(self, facts: ClusterFacts) -> None:
        """Open and close a TCP connection to the endpoint."""
        ...

    def handshake(self, facts: ClusterFacts) -> str:
        """The TLS version, after a handshake with the authority of the cluster.

        Raises:
            AccessDenied: the certificate is signed by another authority, or is of another name.
        """
        ...

    def identity(self, facts: ClusterFacts) -> ClusterIdentity:
        """The function's identity in the cluster."""
        ...

    def allows(self, facts: ClusterFacts, question: "AccessQuestion") -> bool:
        """Whether the API server would allow the call."""
        ...


class ChecksPort(Protocol):
    """The checker, for checks that it requests of itself."""

    def request(self, checks: Sequence[Mapping[str, Any]]) -> None:
        """Hand over events in the form of the bus: `detail-type`, `detail` and other fields. Each one gets an invocation of its own."""
        ...


class EventsPort(Protocol):
    """The event bus."""

    def put(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Publish events `(detail-type, detail)` in batches until each one was accepted."""
        ...


@dataclass(frozen=True, kw_only=True)
class Message:
    """One rendered message.

    `thread` groups the messages of one incident. `chat` is the body for Amazon Q Developer in chat applications (JSON text), `text` the
    same
    content for mail and pagers. `subject` fits SNS (under 100 characters, one line). `attributes` are for subscription filters.
    """

    thread: str
    subject: str
    chat: str
    text: str
    attributes: Mapping[str, str]


class NotifierPort(Protocol):
    """The SNS topics for chat and for mail."""

    def send(self, message: Message) -> None: ...


class CalendarPort(Protocol):
    """Systems Manager Change Calendar."""

    def opens_at(self, name: str, at: datetime) -> datetime | None:
        """None where the calendar is open then, else the time at which it next opens."""
        ...


class MetricsPort(Protocol):
    """Adds a value to a CloudWatch metric with exactly the dimensions that the metric declares."""

    def __call__(self, metric: Metric, value: float = 1, **dimensions: str) -> None: ...


LogPort = Callable[..., None]
"""Writes one log line: `log(title, message, error=None, **fields)`. The title is a stage of the pipeline; a line with an error is a
warning.

Log lines contain no tokens and no whole objects.
"""
