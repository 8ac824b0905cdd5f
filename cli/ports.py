"""What only a person's commands ask of the outside, beside the functions' ports. Errors are those of `lambdas.domain.ports`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from cli.places import AuditLog, Entrance, Openings, Placement, WayOut
    from lambdas.domain.incidents.incident import Incident, PastIncident


class ParameterWriter(Protocol):
    """Writes to Parameter Store."""

    def put(self, path: str, value: str) -> None:
        """Write a String, whether it is there or not."""
        ...

    def delete(self, path: str) -> bool:
        """Remove it. False: there was none."""
        ...


class Register(Protocol):
    """Every incident of the table, whatever it is about."""

    def open(self) -> tuple[Incident, ...]:
        """Open incidents, oldest first."""
        ...

    def past(self, since: datetime) -> tuple[PastIncident, ...]:
        """Incidents closed since then, newest first."""
        ...


class Callbacks(Protocol):
    """Answers to executions that wait."""

    def answer(self, callback_id: str, result: Mapping[str, Any]) -> None:
        """Let the execution go on.

        Raises:
            NotFound: nothing waits under this id any more: it was answered, or its time has run out.
        """
        ...


class Rights(Protocol):
    """What a cluster grants to the functions' roles."""

    def groups_of(self, cluster: str, role_arn: str) -> frozenset[str] | None:
        """Kubernetes groups of the role's access entry, or None where it has none."""
        ...

    def give_entry(self, cluster: str, role_arn: str, group: str) -> None:
        """Make the access entry, or put the group into the one that is there."""
        ...

    def rules(self, cluster: str, manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The object of the manifest's kind and name as the cluster has it, or None."""
        ...

    def apply(self, cluster: str, manifest: Mapping[str, Any]) -> None:
        """Create or change it to what the manifest says."""
        ...

    def aws_auth(self, cluster: str) -> str | None:
        """`mapRoles` of `kube-system/aws-auth`, or None where there is no such ConfigMap."""
        ...


class Surroundings(Protocol):
    """The network around the functions and a cluster's endpoint."""

    def placement(self) -> Placement | None:
        """Where the functions run; None outside any VPC of yours.

        Raises:
            NotFound: there are none.
        """
        ...

    def entrance(self, cluster: str) -> Entrance:
        """The cluster's endpoint."""
        ...

    def openings(self, security_groups: Sequence[str]) -> Openings:
        """Who the rules of these security groups let in on TCP 443."""
        ...

    def way_out(self, placement: Placement) -> WayOut:
        """Default routes and endpoints of the functions' subnets."""
        ...


class Announcers(Protocol):
    """What tells the remediator of a cluster, where somebody switched it on."""

    def trail(self) -> str | None:
        """Name of a trail that logs this region's writing management events, or None."""
        ...

    def audit_log(self, cluster: str) -> AuditLog:
        """The cluster's audit log and who reads it."""
        ...

    def has_alarm(self, name: str) -> bool:
        """Whether there is a metric or a composite alarm of this name."""
        ...


class Patterns(Protocol):
    """EventBridge's own judgement."""

    def matching(self, event: Mapping[str, Any], patterns: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        """Names of the patterns that this event matches."""
        ...
