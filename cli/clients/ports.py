"""Ports that only the command line needs. Errors are those of `lambdas.domain.ports`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from lambdas.domain.incidents.incident import Incident, PastIncident
    from lambdas.domain.snapshot.snapshot import ClusterFacts


@dataclass(frozen=True, kw_only=True)
class AuditLog:
    """Audit log of a cluster: is it written, does the node watcher subscribe to it, and how many other subscriptions it has."""

    is_written: bool
    is_watched: bool = False
    other_subscriptions: int = 0


class ParameterWriter(Protocol):
    """Writes to Parameter Store."""

    def put(self, path: str, value: str) -> None:
        """Create or overwrite a String."""
        ...

    def delete(self, path: str) -> bool:
        """Delete a parameter. False: it did not exist."""
        ...


class IncidentList(Protocol):
    """Incidents of all ServiceAccounts."""

    def open(self) -> tuple[Incident, ...]:
        """Return the open incidents, oldest first."""
        ...

    def past(self, since: datetime) -> tuple[PastIncident, ...]:
        """Return the incidents closed since then, newest first."""
        ...


class ApprovalCallbacks(Protocol):
    """Answers to executions that wait for approval."""

    def answer(self, callback_id: str, result: Mapping[str, Any]) -> None:
        """Resume the execution with the result.

        Raises:
            NotFound: no execution waits for this callback: it was answered, or it timed out.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class GroupBinding:
    """A RoleBinding, or a ClusterRoleBinding without namespace, that grants the role `role` (kind and name) to a group."""

    namespace: str
    name: str
    role: str
    group: str

    @property
    def kind(self) -> str:
        """The kind of the object."""
        return "RoleBinding" if self.namespace else "ClusterRoleBinding"


class ClusterAccess(Protocol):
    """Access that a cluster grants to the roles of the functions."""

    def groups_of(self, cluster: str, role_arn: str) -> frozenset[str] | None:
        """Return the Kubernetes groups of the role's access entry, or None where it has none."""
        ...

    def policies_of(self, cluster: str, role_arn: str) -> Sequence[str]:
        """Return the ARNs of the access policies that are associated with the role's access entry."""
        ...

    def put_entry(self, cluster: str, role_arn: str, group: str) -> None:
        """Create the access entry, or add the group to the existing one."""
        ...

    def read(self, cluster: str, manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the cluster's object of the manifest's kind and name, or None."""
        ...

    def apply(self, cluster: str, manifest: Mapping[str, Any]) -> None:
        """Create or update the object as the manifest says."""
        ...

    def create(self, cluster: str, manifest: Mapping[str, Any], manager: str) -> None:
        """Create the object as this field manager.

        Raises:
            Conflict: an object of this kind and name exists.
        """
        ...

    def remove_annotation(self, cluster: str, manifest: Mapping[str, Any], key: str, manager: str) -> None:
        """Remove one annotation of the manifest's object, as this field manager."""
        ...

    def preview_removal(self, cluster: str, manifest: Mapping[str, Any], key: str, manager: str) -> Mapping[str, Any]:
        """Return the object that the API server would store if this field manager removed the annotation. Nothing is stored.

        Raises:
            NotFound: the object does not exist.
        """
        ...

    def managed_policies(self, cluster: str, kind: str) -> Sequence[Mapping[str, Any]]:
        """Return the admission policies of this kind, or their bindings, that have the product's label."""
        ...

    def delete(self, cluster: str, manifest: Mapping[str, Any]) -> None:
        """Delete the object of the manifest's kind and name. An absent object is no error."""
        ...

    def serves(self, cluster: str, api_version: str, resource: str) -> bool:
        """Return whether the API server serves this resource."""
        ...

    def aws_auth(self, cluster: str) -> str | None:
        """Return `mapRoles` of `kube-system/aws-auth`, or None where the ConfigMap does not exist."""
        ...

    def bindings_of(self, cluster: str, groups: frozenset[str]) -> Sequence[GroupBinding]:
        """Return every binding in the cluster that grants a role to one of the groups, one entry for each group."""
        ...


class RolePolicies(Protocol):
    """Permission policies of IAM roles."""

    def documents(self, role_arn: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the documents of the role's inline and attached policies, by the name of the policy.

        Raises:
            NotFound: the role does not exist.
            PermanentError: a document has another shape than a policy.
        """
        ...


class TriggerSources(Protocol):
    """Sources of events that an account or cluster may switch off."""

    def trail(self) -> str | None:
        """Return the name of a trail that logs this region's management writes, or None."""
        ...

    def audit_log(self, cluster: str) -> AuditLog:
        """Return the state of the cluster's audit log and its subscriptions."""
        ...

    def alarm_state(self, name: str) -> str | None:
        """Return the state of the metric alarm or composite alarm of this name, such as `OK`, or None if there is no such alarm."""
        ...


class MigrationWriter(Protocol):
    """What only a migration writes, with the rights of the person who runs it."""

    def set_trust(self, role_arn: str, policy: Mapping[str, object]) -> None:
        """Set the trust policy of a role."""
        ...

    def delete_association(self, cluster: str, association_id: str) -> None:
        """Delete a pod identity association that no add-on owns.

        Raises:
            NotFound: it does not exist.
        """
        ...

    def remove_addon_role(self, cluster: str, addon: str) -> str:
        """Remove the role of the add-on record, and return the ID of the update.

        Raises:
            Busy: another update is running.
        """
        ...


class EventPatternTester(Protocol):
    """EventBridge's own pattern matching."""

    def matching(self, event: Mapping[str, Any], patterns: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        """Return the names of the patterns that the event matches."""
        ...


class IdentityInventory(Protocol):
    """What gives ServiceAccounts of a cluster credentials, and the add-ons."""

    def associated(self, cluster: str) -> frozenset[tuple[str, str]]:
        """Return `(namespace, name)` of each ServiceAccount with a pod identity association."""
        ...

    def annotated(self, facts: ClusterFacts) -> Mapping[tuple[str, str], str]:
        """Return the role annotation of each ServiceAccount that has one, by `(namespace, name)`."""
        ...

    def addons(self, cluster: str) -> Sequence[str]:
        """Return the names of the installed add-ons."""
        ...

    def associable(self, addon: str, version: str) -> frozenset[str]:
        """Return the names of the ServiceAccounts for which this version of the add-on takes associations."""
        ...

    def role_sessions(self, role_arn: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        """Return CloudTrail's newest records about a role since this time."""
        ...
