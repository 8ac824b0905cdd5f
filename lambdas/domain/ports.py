"""What the domain asks of the outside. Each port has one adapter and one fake.

Every method raises `TransientError` where the same call may succeed later and `AccessDenied` where a door is closed, each with a text that
says what was attempted and what came back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from lambdas.contract.metrics import Metric
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.incidents.incident import IdleState, Incident, NodesState, PastIncident, Signal, SignalResult
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.simulation import Simulation
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Association,
    ClusterFacts,
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


class ParametersPort(Protocol):
    """Parameter Store."""

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        """Bindings and settings that concern a cluster, defaults included, or all that there are: `path -> parameter`."""
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
            NotFound: EKS offers the add-on for no such version.
        """
        ...

    def support(self, kubernetes_version: str) -> SupportDates:
        """Until when a Kubernetes version is supported.

        Raises:
            NotFound: EKS knows no such version.
        """
        ...

    def set_addon_role(self, cluster: str, addon: str, role_arn: str, token: str) -> str:
        """`UpdateAddon` with the role and PRESERVE, nothing else; the same token is the same update. Returns the update's id.

        Raises:
            Busy: another update runs.
        """
        ...


class IamPort(Protocol):
    """The IAM API."""

    def role(self, arn: str) -> RoleFacts | Missing: ...

    def oidc_provider(self, arn: str) -> OidcProvider | Missing: ...

    def simulate(self, role_arn: str, calls: Sequence[str]) -> Simulation:
        """The decision about each call."""
        ...


class ClusterPort(Protocol):
    """The Kubernetes API of one cluster, logged in."""

    def service_account(self, namespace: str, name: str) -> ServiceAccountFacts | Missing: ...

    def workload(self, namespace: str, kind: WorkloadKind, name: str) -> WorkloadFacts | Missing: ...

    def owner(self, namespace: str, kind: str, name: str) -> tuple[WorkloadKind, str] | None:
        """The workload behind a pod's controller: itself, or the Deployment of a ReplicaSet; None where it is of no kind we restart."""
        ...

    def pods(self, namespace: str, service_account: str, node: str = "") -> tuple[PodFacts, ...]:
        """Every pod that runs under the ServiceAccount; where a node is named, on that one alone."""
        ...

    def nodes(self) -> tuple[NodeFacts, ...]: ...

    def plugin_errors(self, namespace: str) -> tuple[PluginError, ...]:
        """`MissingIAMPermissions` events on pods of the namespace, newest first."""
        ...

    def annotate(self, namespace: str, name: str, role_arn: str | None, resource_version: str) -> None:
        """Set (None: remove) the role annotation, and nothing else.

        Raises:
            Conflict: the ServiceAccount is no longer at that resource version.
            NotFound: it is gone.
        """
        ...

    def restart(self, namespace: str, kind: WorkloadKind, name: str, restarted_at: str) -> None:
        """Stamp the pod template; the same stamp restarts nothing twice."""
        ...

    def delete_pod(self, namespace: str, name: str, uid: str) -> bool:
        """Delete exactly this pod. False: it was gone already, or another has its name."""
        ...


class ClustersPort(Protocol):
    """Logs in to clusters."""

    def login(self, facts: ClusterFacts) -> ClusterPort:
        """A client for the cluster; no request is made yet."""
        ...


class IncidentsPort(Protocol):
    """Incidents and history. Every write is conditional, so that several callers cannot undo each other."""

    def signal(self, target: ServiceAccountRef, signal: Signal) -> SignalResult:
        """Count a signal on the open incident or on the check that is on duty, or go on duty: a single conditional write.

        A second one only where the check on duty must have ended without a word.
        """
        ...

    def finish_check(
        self, target: ServiceAccountRef, duty: IdleState, began_at: datetime, nodes: NodesState | None = None
    ) -> IdleState | None:
        """Remember that a look that began then found all well, and go off duty: None. A signal came since `duty`: look again, for that."""
        ...

    def release_check(self, target: ServiceAccountRef, duty: IdleState, forget: datetime | None = None) -> None:
        """Go off duty without an answer: what waits is the next check's. With `forget`, the time, of a row that needs no keeping."""
        ...

    def claim(self, incident: Incident) -> Incident:
        """Open this incident, or join the one that is open: returned. Its `signals` come to those that have been counted already."""
        ...

    def take_over(self, ended: Incident, successor: Incident) -> Incident:
        """Replace an incident that nobody works on, unless its holder began or stopped to act since. Returns the one open now."""
        ...

    def mark_started(self, incident: Incident, execution_arn: str) -> None: ...

    def renew_heartbeat(self, incident: Incident, at: datetime) -> bool:
        """A sign of life of the person who holds it. False: it is no longer theirs, so they must not go on."""
        ...

    def mark_repairing(self, incident: Incident, repairing: bool) -> bool:
        """Note that its holder is about to change something, or has stopped. False: it is no longer theirs, so they must not."""
        ...

    def mark_approval_requested(self, incident: Incident, callback_id: str | None) -> None:
        """Remember the approval that is waited for; None when it has been answered."""
        ...

    def get(self, target: ServiceAccountRef) -> Incident | None: ...

    def mark_notified(self, incident: Incident, state: str) -> bool:
        """Remember that this state's message was sent. False: the incident is no longer open."""
        ...

    def notified_states(self, incident: Incident) -> frozenset[str]:
        """States whose message has been sent."""
        ...

    def close(self, past: PastIncident, seen_signals: int, healthy_since: datetime | None) -> bool:
        """Write history and close, only if no more than `seen_signals` came. False: a signal is unseen, nothing was written."""
        ...

    def history(self, target: ServiceAccountRef, since: datetime) -> tuple[PastIncident, ...]:
        """Incidents of this ServiceAccount closed since then, newest first."""
        ...

    def affected_clusters(self, binding_path: str, since: datetime) -> tuple[str, ...]:
        """Clusters with an incident, open or closed, about this binding since then."""
        ...


class RemediatorPort(Protocol):
    """The durable function."""

    def start(self, incident: Incident) -> str:
        """Start it by the incident's id; again with the same incident is the same execution. Returns the execution's ARN."""
        ...

    def start_digest(self, until: datetime, clusters: Sequence[str]) -> None:
        """Have it sum up the day that ends then, once, however often it is asked to."""
        ...

    def running(self, execution_arn: str) -> bool:
        """Whether the execution has not ended. An execution that is not known does not run."""
        ...


class EventsPort(Protocol):
    """The event bus."""

    def put(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Send `(detail-type, detail)` events of ours, in batches, until every one was accepted."""
        ...


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message to people, written already.

    `thread` groups the messages of one incident. `chat` is the body for Amazon Q Developer in chat applications (JSON text), `text` is
    the same for mail and pagers, `subject` fits SNS (under 100 characters, one line), `attributes` are for subscription filters.
    """

    thread: str
    subject: str
    chat: str
    text: str
    attributes: Mapping[str, str]


class NotifierPort(Protocol):
    """Topics for chat and people."""

    def send(self, message: Message) -> None: ...


class CalendarPort(Protocol):
    """Systems Manager Change Calendar."""

    def opens_at(self, name: str, at: datetime) -> datetime | None:
        """None where it is open then, else when it next opens."""
        ...


class MetricsPort(Protocol):
    """Adds a value to a CloudWatch metric, with exactly the dimensions that the metric declares."""

    def __call__(self, metric: Metric, value: float = 1, **dimensions: str) -> None: ...


LogPort = Callable[..., None]
"""Writes one line of log: `log(title, message, error=None, **fields)`, titled with one of the eight words. With an error it is a warning.

Never a token, never a whole object.
"""
