"""One fake per port over one `World`. They keep state, and tests read that state."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lambdas.contract.names import FIELD_MANAGER, ROLE_ANNOTATION
from lambdas.contract.parameters import folders_of
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain import duty
from lambdas.domain.errors import Busy, Conflict, NotFound
from lambdas.domain.incident import Free, Incident, NodesSeen, PastIncident, Signal, Signalled
from lambdas.domain.observation import (
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
from tests.world import NAMESPACE, InCluster, Update, World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lambdas.contract.metrics import Metric
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.ports import Message, Parameter


class FakeParameters:
    """Parameter Store."""

    def __init__(self, world: World) -> None:
        self._world = world

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        self._world.meet("parameters.load")
        within = tuple(f"{folder}/" for folder in folders_of(cluster)) if cluster else ("",)
        return {path: it for path, it in self._world.parameters.items() if path.startswith(within)}


class FakeEks:
    """The EKS API. `updates` are the calls that were accepted: `(cluster, add-on, role, token)`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.updates: list[tuple[str, str, str, str]] = []

    def clusters(self) -> tuple[str, ...]:
        self._world.meet("eks.clusters")
        return tuple(sorted(self._world.clusters))

    def cluster(self, name: str) -> ClusterFacts | Missing:
        self._world.meet("eks.cluster")
        found = self._world.clusters.get(name)
        return found.facts if found else Missing(f"cluster {name}")

    def addon(self, cluster: str, name: str) -> AddonFacts | Missing:
        self._world.meet("eks.addon")
        found = self._world.clusters.get(cluster)
        if found is None or name not in found.addons:
            return Missing(f"add-on {name} of cluster {cluster}")
        self._world.advance_update(found, name)
        return found.addons[name]

    def associations(self, target: ServiceAccountRef) -> tuple[Association, ...]:
        self._world.meet("eks.associations")
        return self._there(target.cluster).associations.get((target.namespace, target.name), ())

    def node_repair(self, cluster: str) -> NodeRepair:
        self._world.meet("eks.node_repair")
        return NodeRepair(nodegroups=self._there(cluster).repaired_nodegroups)

    def version_advice(self, addon: str, kubernetes_version: str) -> VersionAdvice:
        self._world.meet("eks.version_advice")
        found = self._world.advised_versions.get((addon, kubernetes_version))
        if found is None:
            raise NotFound(f"no version of {addon} for {kubernetes_version}")
        return found

    def support(self, kubernetes_version: str) -> SupportDates:
        self._world.meet("eks.support")
        if kubernetes_version not in self._world.supported:
            raise NotFound(f"Kubernetes {kubernetes_version} is not known")
        return self._world.supported[kubernetes_version]

    def set_addon_role(self, cluster: str, addon: str, role_arn: str, token: str) -> str:
        self._world.meet("eks.set_addon_role")
        there = self._there(cluster)
        same = next((index for index, it in enumerate(self.updates) if it == (cluster, addon, role_arn, token)), None)
        if same is None:
            if addon in there.updates:
                raise Busy(f"add-on {addon} cannot be updated as it is currently in UPDATING state")
            if addon not in there.addons:
                raise NotFound(f"add-on {addon} of cluster {cluster}")
            self._begin(there, cluster, addon, role_arn, token)
            same = len(self.updates) - 1
        self._world.meet("eks.set_addon_role", after=True)
        return f"update-{same + 1}"

    def _begin(self, there: InCluster, cluster: str, addon: str, role_arn: str, token: str) -> None:
        becomes = replace(there.addons[addon], role_arn=role_arn, status="ACTIVE")
        there.addons[addon] = replace(there.addons[addon], status="UPDATING")
        there.updates[addon] = Update(becomes, there.update_looks, annotates=True)
        self.updates.append((cluster, addon, role_arn, token))
        self._world.writes.append(f"set add-on role {cluster}/{addon} {role_arn}")

    def _there(self, cluster: str) -> InCluster:
        if cluster not in self._world.clusters:
            raise NotFound(f"cluster {cluster}")
        return self._world.clusters[cluster]


class FakeIam:
    """The IAM API."""

    def __init__(self, world: World) -> None:
        self._world = world

    def role(self, arn: str) -> RoleFacts | Missing:
        self._world.meet("iam.role")
        return self._world.roles.get(arn) or Missing(f"role {arn}")

    def oidc_provider(self, arn: str) -> OidcProvider | Missing:
        self._world.meet("iam.oidc_provider")
        return self._world.providers.get(arn) or Missing(f"OIDC provider {arn}")

    def simulate(self, role_arn: str, calls: Sequence[str]) -> Mapping[str, str]:
        self._world.meet("iam.simulate")
        told = self._world.simulated.get(role_arn, {})
        return {call: told.get(call, "allowed") for call in calls}


class FakeCluster:
    """The Kubernetes API of one cluster; `here` is its state."""

    def __init__(self, world: World, here: InCluster) -> None:
        self._world = world
        self.here = here

    def service_account(self, namespace: str, name: str) -> ServiceAccountFacts | Missing:
        self._world.meet("cluster.service_account")
        return self.here.accounts.get((namespace, name)) or Missing(f"ServiceAccount {namespace}/{name}")

    def workload(self, namespace: str, kind: WorkloadKind, name: str) -> WorkloadFacts | Missing:
        self._world.meet("cluster.workload")
        if (namespace, kind, name) not in self.here.workloads:
            return Missing(f"{kind} {namespace}/{name}")
        facts, account = self.here.workloads[namespace, kind, name]
        pods = [it for it in self.here.pods.values() if it.service_account == account]
        updated = sum(it.revision >= facts.generation for it in pods)
        ready = sum(it.facts.ready for it in pods)
        return replace(facts, updated=updated, ready=ready) if pods else facts

    def owner(self, namespace: str, kind: str, name: str) -> tuple[WorkloadKind, str] | None:
        self._world.meet("cluster.owner")
        if kind == "ReplicaSet":
            kind, name = self.here.replica_sets.get((namespace, name), ("", ""))
        return (WorkloadKind(kind), name) if kind in tuple(WorkloadKind) else None

    def pods(self, namespace: str, service_account: str) -> tuple[PodFacts, ...]:
        self._world.meet("cluster.pods")
        key = (namespace, service_account)
        if self.here.pace:
            self._world.roll_out(self.here, key, self.here.pace)
        return tuple(it.facts for it in self.here.pods.values() if it.service_account == key)

    def nodes(self) -> tuple[NodeFacts, ...]:
        self._world.meet("cluster.nodes")
        return tuple(self.here.nodes.values())

    def plugin_errors(self, namespace: str) -> tuple[PluginError, ...]:
        self._world.meet("cluster.plugin_errors")
        found = self.here.errors if namespace == NAMESPACE else []
        return tuple(sorted(found, key=lambda it: it.at, reverse=True))

    def annotate(self, namespace: str, name: str, role_arn: str | None, resource_version: str) -> None:
        self._world.meet("cluster.annotate")
        found = self.here.accounts.get((namespace, name))
        if found is None:
            raise NotFound(f"ServiceAccount {namespace}/{name}")
        if found.resource_version != resource_version:
            raise Conflict(f"ServiceAccount {namespace}/{name} is at {found.resource_version}, not at {resource_version}")
        if found.role_annotations.get(ROLE_ANNOTATION) != role_arn:
            self._world.set_annotation(self.here, (namespace, name), role_arn, FIELD_MANAGER)
            self._world.writes.append(f"annotate {namespace}/{name} {role_arn}")
        self._world.meet("cluster.annotate", after=True)

    def restart(self, namespace: str, kind: WorkloadKind, name: str, restarted_at: str) -> None:
        self._world.meet("cluster.restart")
        key = (namespace, str(kind), name)
        if key not in self.here.workloads:
            raise NotFound(f"{kind} {namespace}/{name}")
        facts, account = self.here.workloads[key]
        if facts.restarted_at != restarted_at:
            generation = facts.generation + 1
            stamped = replace(facts, restarted_at=restarted_at, generation=generation, observed_generation=generation)
            self.here.workloads[key] = (stamped, account)
            self._world.writes.append(f"restart {namespace}/{name} {restarted_at}")
            if not self.here.pace and not facts.on_delete:
                self._world.roll_out(self.here, account, None)
        self._world.meet("cluster.restart", after=True)

    def delete_pod(self, namespace: str, name: str, uid: str) -> bool:
        self._world.meet("cluster.delete_pod")
        found = self.here.pods.get(name)
        if found is None or found.facts.uid != uid:
            return False
        self._world.replace_pod(self.here, name)
        self._world.writes.append(f"delete pod {namespace}/{name}")
        self._world.meet("cluster.delete_pod", after=True)
        return True


class FakeClusters:
    """Logs in to the clusters of the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def login(self, facts: ClusterFacts) -> FakeCluster:
        self._world.meet("clusters.login")
        return FakeCluster(self._world, self._world.clusters[facts.name])


@dataclass
class Row:
    """What the table holds of one ServiceAccount."""

    incident: Incident | None = None
    free: Free = field(default_factory=Free)
    told: frozenset[str] = frozenset()
    past: list[PastIncident] = field(default_factory=list)


class FakeIncidents:
    """Incidents and history, with the conditions that the table's writes have."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.rows: dict[str, Row] = {}
        self.marks: dict[tuple[str, str], datetime] = {}

    def signal(self, target: ServiceAccountRef, signal: Signal) -> Signalled:
        self._world.meet("incidents.signal")
        row = self._row(target)
        if row.incident:
            return self._count(row, row.incident)
        row.free, met = duty.signalled(row.free, signal)
        return met

    def finish(self, target: ServiceAccountRef, duty_of: Free, began_at: datetime, nodes: NodesSeen | None = None) -> Free | None:
        self._world.meet("incidents.finish")
        row = self._row(target)
        row.free, again = duty.finished(row.free, duty_of, began_at, nodes)
        return again

    def let_go(self, target: ServiceAccountRef, duty_of: Free, forget: datetime | None = None) -> None:
        self._world.meet("incidents.let_go")
        row = self._row(target)
        row.free = duty.let_go(row.free, duty_of, forget)

    def claim(self, incident: Incident) -> Incident:
        self._world.meet("incidents.claim")
        self._mark(incident)
        row = self._row(incident.target)
        opened = self._join(row, incident) if row.incident else self._open(row, incident)
        self._world.meet("incidents.claim", after=True)
        return opened

    def take_over(self, ended: Incident, successor: Incident) -> Incident:
        self._world.meet("incidents.take_over")
        self._mark(successor)
        row = self._row(successor.target)
        if row.incident is None:
            return self._open(row, successor)
        if row.incident.id == ended.id and row.incident.acting is ended.acting:
            return self._open(row, replace(successor, signals=row.incident.signals + successor.signals))
        return self._join(row, successor)

    def mark_started(self, incident: Incident, execution_arn: str) -> None:
        self._world.meet("incidents.mark_started")
        row = self._row(incident.target)
        if row.incident and row.incident.id == incident.id:
            row.incident = replace(row.incident, started=True, execution_arn=execution_arn)

    def beat(self, incident: Incident, at: datetime) -> bool:
        self._world.meet("incidents.beat")
        row = self._row(incident.target)
        if row.incident is None or row.incident.id != incident.id:
            return False
        row.incident = replace(row.incident, beat_at=at)
        return True

    def mark_acting(self, incident: Incident, acting: bool) -> bool:
        self._world.meet("incidents.mark_acting")
        row = self._row(incident.target)
        if row.incident is None or row.incident.id != incident.id:
            return False
        row.incident = replace(row.incident, acting=acting)
        return True

    def mark_asked(self, incident: Incident, callback_id: str | None) -> None:
        self._world.meet("incidents.mark_asked")
        row = self._row(incident.target)
        if row.incident is None or row.incident.id != incident.id:
            raise Conflict(f"incident {incident.id} is no longer open")
        row.incident = replace(row.incident, callback_id=callback_id)

    def get(self, target: ServiceAccountRef) -> Incident | None:
        self._world.meet("incidents.get")
        return self._row(target).incident

    def mark_told(self, incident: Incident, state: str) -> bool:
        self._world.meet("incidents.mark_told")
        row = self._row(incident.target)
        if row.incident is None or row.incident.id != incident.id:
            return False
        row.told |= {state}
        return True

    def told(self, incident: Incident) -> frozenset[str]:
        self._world.meet("incidents.told")
        row = self._row(incident.target)
        return row.told if row.incident and row.incident.id == incident.id else frozenset()

    def close(self, past: PastIncident, seen_signals: int, sound_since: datetime | None) -> bool:
        self._world.meet("incidents.close")
        row = self._row(past.target)
        if row.incident is None or row.incident.id != past.id:
            if any(it.id == past.id for it in row.past):
                return True
            raise Conflict(f"incident {past.id} is no longer open")
        if row.incident.signals > seen_signals:
            return False
        row.incident, row.told = None, frozenset()
        row.free = row.free.closed(past, sound_since)
        row.past.append(past)
        self._world.meet("incidents.close", after=True)
        return True

    def history(self, target: ServiceAccountRef, since: datetime) -> tuple[PastIncident, ...]:
        self._world.meet("incidents.history")
        found = [it for it in self._row(target).past if it.closed_at >= since]
        return tuple(sorted(found, key=lambda it: (it.closed_at, it.id), reverse=True))

    def turned_wrong(self, binding_path: str, since: datetime) -> tuple[str, ...]:
        self._world.meet("incidents.turned_wrong")
        return tuple(sorted(cluster for (path, cluster), at in self.marks.items() if path == binding_path and at >= since))

    def _row(self, target: ServiceAccountRef) -> Row:
        return self.rows.setdefault(target.key, Row())

    def _open(self, row: Row, incident: Incident) -> Incident:
        row.incident, row.told = replace(incident, signals=incident.signals + row.free.signals), frozenset()
        row.free = duty.relieved(row.free)
        return row.incident

    def _count(self, row: Row, incident: Incident, signals: int = 1) -> Incident:
        row.incident = replace(incident, signals=incident.signals + signals)
        return row.incident

    def _join(self, row: Row, newcomer: Incident) -> Incident:
        if row.incident is None:
            return self._open(row, newcomer)
        return row.incident if row.incident.id == newcomer.id else self._count(row, row.incident, newcomer.signals)

    def _mark(self, incident: Incident) -> None:
        if incident.binding_path:
            key = (incident.binding_path, incident.target.cluster)
            self.marks[key] = max(incident.opened_at, self.marks.get(key, incident.opened_at))


class FakeRemediator:
    """The durable function. `executions` are its states by ARN: RUNNING until a test says otherwise. `digests` are days asked for."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.executions: dict[str, str] = {}
        self.digests: dict[datetime, list[str]] = {}

    def start(self, incident: Incident) -> str:
        self._world.meet("remediator.start")
        arn = f"arn:aws:lambda:eu-west-1:111122223333:function:remediator:live/durable-execution/{incident.id}/1"
        self.executions.setdefault(arn, "RUNNING")
        self._world.meet("remediator.start", after=True)
        return arn

    def sum_up(self, until: datetime, clusters: Sequence[str]) -> None:
        self._world.meet("remediator.sum_up")
        self.digests.setdefault(until, list(clusters))

    def running(self, execution_arn: str) -> bool:
        self._world.meet("remediator.running")
        return self.executions.get(execution_arn) == "RUNNING"


class FakeEvents:
    """The event bus. `sent` are `(detail-type, detail)` in order."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.sent: list[tuple[str, Mapping[str, Any]]] = []

    def put(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self._world.meet("events.put")
        self.sent.extend(events)


class FakeNotifier:
    """Topics for chat and people. `sent` are the messages in order."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self._world.meet("notifier.send")
        self.sent.append(message)


class FakeCalendar:
    """Change calendars: `closed_until` by name; every other is open."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.closed_until: dict[str, datetime] = {}

    def opens_at(self, name: str, at: datetime) -> datetime | None:
        self._world.meet("calendar.opens_at")
        until = self.closed_until.get(name)
        return until if until and at < until else None


class FakeMetrics:
    """Metrics. `counted` are `(name, value, dimensions)` in order."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, float, dict[str, str]]] = []

    def __call__(self, metric: Metric, value: float = 1, **dimensions: str) -> None:
        assert set(dimensions) == set(metric.dimensions), f"{metric.name} has the dimensions {metric.dimensions}"
        self.counted.append((metric.name, value, dimensions))


class FakeLog:
    """The log. `lines` are `(title, message, fields)` in order."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __call__(self, title: str, message: str, **fields: Any) -> None:
        self.lines.append((str(title), message, fields))
