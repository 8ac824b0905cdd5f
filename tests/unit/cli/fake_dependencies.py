"""Dependencies of the command line in memory: the fakes of the functions' ports, and one for each port that only the CLI uses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cli.clients.dependencies import Dependencies
from cli.clients.ports import AuditLog, GroupBinding
from lambdas.contract.admission import is_managed, with_defaults
from lambdas.contract.names import ADMISSION_API, ROLE_ANNOTATION
from lambdas.contract.policy_kinds import PolicyKind, policy_name
from lambdas.contract.settings import UNKNOWN_FLOOR, parse_floor
from lambdas.domain.errors import Conflict, NotFound, RemediatorError, TransientError
from lambdas.domain.snapshot.bindings import Parameter
from tests import fakes
from tests.fakes import FakeCalendar, FakeEks, FakeEvents, FakeIncidents, FakeNotifier, readers_over
from tests.unit.cli.fake_stack import FakeStack
from tests.world import ACCOUNT, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from lambdas.domain.incidents.incident import Incident, PastIncident
    from lambdas.domain.snapshot.snapshot import ClusterFacts

CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/oncall/jane"
ROLES = f"arn:aws:iam::{ACCOUNT}:role/checker,arn:aws:iam::{ACCOUNT}:role/remediator,arn:aws:iam::{ACCOUNT}:role/watcher"
ENVIRONMENT = replace(fakes.ENVIRONMENT, our_role_arns=ROLES, runbook_root="https://example.com/runbooks")


class FakeParameterWriter:
    def __init__(self, world: World) -> None:
        self._world = world

    def put(self, path: str, value: str) -> None:
        self._world.raise_fault("parameters.put")
        former = self._world.parameters.get(path)
        self._world.parameters[path] = Parameter(value=value, version=former.version + 1 if former else 1, changed_at=self._world.now)
        self._world.raise_fault("parameters.put", after=True)

    def delete(self, path: str) -> bool:
        self._world.raise_fault("parameters.delete")
        return self._world.parameters.pop(path, None) is not None


class FakeIncidentList:
    def __init__(self, incidents: FakeIncidents) -> None:
        self._incidents = incidents

    def open(self) -> tuple[Incident, ...]:
        return tuple(row.incident for row in self._incidents.rows.values() if row.incident)

    def past(self, since: datetime) -> tuple[PastIncident, ...]:
        incidents = [incident for row in self._incidents.rows.values() for incident in row.past if incident.closed_at >= since]
        return tuple(sorted(incidents, key=lambda incident: incident.closed_at, reverse=True))


class FakeApprovalCallbacks:
    """`waiting` are the callback ids of waiting executions; `answers` are the results by callback id."""

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        self.answers: dict[str, Mapping[str, Any]] = {}

    def answer(self, callback_id: str, result: Mapping[str, Any]) -> None:
        if callback_id not in self.waiting:
            raise NotFound("answer the waiting execution: CallbackTimeoutException the callback has ended")
        self.waiting.discard(callback_id)
        self.answers[callback_id] = result


@dataclass
class FakeClusterAccess:
    """`entries` are groups and `policies` are access policies by role, `objects` are objects by kind, namespace and name.

    `map_roles` is the content of aws-auth. `has_policies`: the API server serves admission policies.
    `failing_apply` is a kind that cannot be applied, `read_error` is raised by every read, `write_error` by every write.
    """

    entries: dict[str, frozenset[str]] = field(default_factory=dict)
    policies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    objects: dict[tuple[str, str, str], Mapping[str, Any]] = field(default_factory=dict)
    map_roles: str | None = None
    has_policies: bool = True
    has_mutating_policies: bool = True
    ignores_guards: bool = False
    failing_apply: str = ""
    read_error: RemediatorError | None = None
    write_error: RemediatorError | None = None

    def groups_of(self, cluster: str, role_arn: str) -> frozenset[str] | None:
        return self.entries.get(role_arn)

    def policies_of(self, cluster: str, role_arn: str) -> tuple[str, ...]:
        return self.policies.get(role_arn, ())

    def put_entry(self, cluster: str, role_arn: str, group: str) -> None:
        self.entries[role_arn] = (self.entries.get(role_arn) or frozenset()) | {group}

    def read(self, cluster: str, manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if self.read_error:
            raise self.read_error
        return self.objects.get(_key(manifest))

    def apply(self, cluster: str, manifest: Mapping[str, Any]) -> None:
        if self.write_error:
            raise self.write_error
        if self.failing_apply == manifest["kind"]:
            raise TransientError(f"apply {manifest['kind']}: no answer")
        spec = {"spec": with_defaults(manifest["spec"])} if manifest["apiVersion"] == ADMISSION_API else {}
        self.objects[_key(manifest)] = {**manifest, **spec}

    def create(self, cluster: str, manifest: Mapping[str, Any], manager: str) -> None:
        if _key(manifest) in self.objects:
            raise Conflict(f"create {manifest['kind']}: 409 already exists")
        self.objects[_key(manifest)] = manifest

    def remove_annotation(self, cluster: str, manifest: Mapping[str, Any], key: str, manager: str) -> None:
        metadata = self.objects[_key(manifest)]["metadata"]
        metadata["annotations"] = {name: value for name, value in metadata["annotations"].items() if name != key}

    def preview_removal(self, cluster: str, manifest: Mapping[str, Any], key: str, manager: str) -> Mapping[str, Any]:
        """The API server applies an installed guard, unless `ignores_guards` is set."""
        found = self.read(cluster, manifest)
        if found is None:
            raise NotFound(f"{manifest['kind']} {manifest['metadata']['name']}")
        annotations = dict(found["metadata"].get("annotations") or {})
        name = policy_name(PolicyKind.GUARD, manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        guard = self.objects.get(("MutatingAdmissionPolicy", "", name))
        if guard is None or self.ignores_guards:
            annotations.pop(key, None)
        return {**found, "metadata": {**found["metadata"], "annotations": annotations}}

    def managed_policies(self, cluster: str, kind: str) -> list[Mapping[str, Any]]:
        if self.read_error:
            raise self.read_error
        return [found for (of, _, _), found in self.objects.items() if of == kind and is_managed(found)]

    def delete(self, cluster: str, manifest: Mapping[str, Any]) -> None:
        if self.write_error:
            raise self.write_error
        self.objects.pop(_key(manifest), None)

    def serves(self, cluster: str, api_version: str, resource: str) -> bool:
        return self.has_policies and (self.has_mutating_policies or not resource.startswith("mutating"))

    def bindings_of(self, cluster: str, groups: frozenset[str]) -> list[GroupBinding]:
        return [
            GroupBinding(
                namespace=namespace, name=name, role=f"{found['roleRef']['kind']} {found['roleRef']['name']}", group=subject["name"]
            )
            for (kind, namespace, name), found in self.objects.items()
            if kind in ("RoleBinding", "ClusterRoleBinding")
            for subject in found["subjects"]
            if subject["name"] in groups
        ]

    def aws_auth(self, cluster: str) -> str | None:
        return self.map_roles


def _key(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


@dataclass
class FakeIdentityInventory:
    """`associable_accounts` are the ServiceAccounts by add-on for which it takes associations; `sessions` CloudTrail's records."""

    world: World
    associable_accounts: dict[str, frozenset[str]] = field(default_factory=lambda: {"vpc-cni": frozenset({"aws-node"})})
    sessions: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)

    def associated(self, cluster: str) -> frozenset[tuple[str, str]]:
        self.world.raise_fault("identities.associated")
        return frozenset(account for account, found in self.world.clusters[cluster].associations.items() if found)

    def annotated(self, facts: ClusterFacts) -> Mapping[tuple[str, str], str]:
        self.world.raise_fault("identities.annotated")
        found = {account: item.role_annotations.get(ROLE_ANNOTATION) for account, item in self.world.clusters[facts.name].accounts.items()}
        return {account: role for account, role in found.items() if role is not None}

    def addons(self, cluster: str) -> list[str]:
        return list(self.world.clusters[cluster].addons)

    def associable(self, addon: str, version: str) -> frozenset[str]:
        self.world.raise_fault("identities.associable")
        return self.associable_accounts.get(addon, frozenset())

    def role_sessions(self, role_arn: str, since: datetime) -> list[dict[str, Any]]:
        self.world.raise_fault("identities.role_sessions")
        return [record for at, record in self.sessions if record["requestParameters"]["roleArn"] == role_arn and at >= since]


@dataclass
class FakeMigrationWriter:
    """`keeps_role`: EKS keeps the role of an add-on record that an update omits."""

    world: World
    keeps_role: bool = False

    def set_trust(self, role_arn: str, policy: Mapping[str, object]) -> None:
        self.world.raise_fault("migration.set_trust")
        self.world.roles[role_arn] = replace(self.world.roles[role_arn], trust=policy)
        self.world.writes.append(f"set trust {role_arn}")
        self.world.raise_fault("migration.set_trust", after=True)

    def delete_association(self, cluster: str, association_id: str) -> None:
        self.world.raise_fault("migration.delete_association")
        there = self.world.clusters[cluster].associations
        key = next((key for key, items in there.items() if any(item.id == association_id for item in items)), None)
        if key is None:
            raise NotFound(f"pod identity association {association_id}")
        there[key] = ()
        self.world.writes.append(f"delete association {association_id}")
        self.world.raise_fault("migration.delete_association", after=True)

    def remove_addon_role(self, cluster: str, addon: str) -> str:
        self.world.raise_fault("migration.remove_addon_role")
        there = self.world.clusters[cluster]
        record = there.addons[addon]
        there.addons[addon] = record if self.keeps_role else replace(record, role_arn=None)
        self.world.writes.append(f"remove role of add-on {addon}")
        self.world.raise_fault("migration.remove_addon_role", after=True)
        return "update-1"


@dataclass
class FakeTriggerSources:
    """By default a trail logs, the audit log is written, and nothing else is on."""

    logging_trail: str | RemediatorError | None = "management"
    log: AuditLog = field(default_factory=lambda: AuditLog(is_written=True))
    alarms: Mapping[str, str] = field(default_factory=dict)
    """Name -> state."""

    def trail(self) -> str | None:
        if isinstance(self.logging_trail, RemediatorError):
            raise self.logging_trail
        return self.logging_trail

    def audit_log(self, cluster: str) -> AuditLog:
        return self.log

    def alarm_state(self, name: str) -> str | None:
        return self.alarms.get(name)


@dataclass
class FakeRolePolicies:
    """`policies` are the documents by role and name of the policy. A role that is not listed has none."""

    policies: dict[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    error: RemediatorError | None = None

    def documents(self, role_arn: str) -> Mapping[str, Mapping[str, Any]]:
        if self.error:
            raise self.error
        return self.policies.get(role_arn, {})


@dataclass
class FakePatternTester:
    """`matched` are the names of the patterns that every event matches."""

    matched: tuple[str, ...] = ()

    def matching(self, event: Mapping[str, Any], patterns: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        assert event["detail-type"]
        return (name for name in patterns if name in self.matched)


@dataclass
class Fakes:
    """The fakes behind `dependencies`, for tests to read."""

    world: World
    incidents: FakeIncidents
    notifier: FakeNotifier
    events: FakeEvents
    callbacks: FakeApprovalCallbacks
    cluster_access: FakeClusterAccess
    identities: FakeIdentityInventory
    migration: FakeMigrationWriter
    role_policies: FakeRolePolicies
    trigger_sources: FakeTriggerSources
    pattern_tester: FakePatternTester
    stack: FakeStack
    dependencies: Dependencies

    def set_floor(self, text: str) -> None:
        environment = replace(self.dependencies.environment, settings_floor=text)
        readers = replace(self.dependencies.readers, floor=parse_floor(text))
        self.dependencies = replace(self.dependencies, environment=environment, readers=readers)

    def remove_stack(self) -> None:
        names = ("incidents_table", "remediator_arn", "chat_topic_arn", "people_topic_arn", "event_bus", "our_role_arns")
        environment = replace(self.dependencies.environment, settings_floor=UNKNOWN_FLOOR, **dict.fromkeys(names, ""))
        self.dependencies = replace(self.dependencies, is_deployed=False, environment=environment)


def fake_dependencies(world: World) -> Fakes:
    """Return fakes over the world, with a stack deployed."""
    incidents, notifier, events = FakeIncidents(world), FakeNotifier(world), FakeEvents(world)
    callbacks, cluster_access, trigger_sources = FakeApprovalCallbacks(), FakeClusterAccess(), FakeTriggerSources()
    role_policies, pattern_tester = FakeRolePolicies(), FakePatternTester()
    identities, stack = FakeIdentityInventory(world), FakeStack(ENVIRONMENT)
    migration = FakeMigrationWriter(world)
    dependencies = Dependencies(
        caller=CALLER,
        environment=ENVIRONMENT,
        is_deployed=True,
        readers=readers_over(world, eks=FakeEks(world), may_simulate=True),
        incidents=incidents,
        calendar=FakeCalendar(world),
        notifier=notifier,
        events=events,
        parameters=FakeParameterWriter(world),
        incident_list=FakeIncidentList(incidents),
        callbacks=callbacks,
        cluster_access=cluster_access,
        identities=identities,
        migration=migration,
        role_policies=role_policies,
        trigger_sources=trigger_sources,
        pattern_tester=pattern_tester,
        stack=stack.clients,
        now=world.clock,
        sleep=world.sleep,
    )
    return Fakes(
        world,
        incidents,
        notifier,
        events,
        callbacks,
        cluster_access,
        identities,
        migration,
        role_policies,
        trigger_sources,
        pattern_tester,
        stack,
        dependencies,
    )
