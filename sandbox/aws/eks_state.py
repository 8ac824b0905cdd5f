"""The state of the EKS double: clusters with add-ons, updates, associations, access entries and node groups."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sandbox.aws.eks_errors import access_denied, invalid_parameter, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox.aws.cloudtrail import Caller


class OmittedRole(StrEnum):
    """What UpdateAddon does with the role if the request omits it."""

    DROP = "drop"  # the incident: EKS removes the role from the record and the annotation
    KEEP = "keep"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How an update fails; `code` is an issue code of the service model."""

    code: str
    message: str
    resource_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EksBehavior:
    """Behavior of the double where EKS may behave in several ways. Times in seconds."""

    create_s: float = 1.0
    update_s: float = 1.0
    delete_s: float = 1.0
    cluster_update_s: float = 2.0
    omitted_role: OmittedRole = OmittedRole.DROP


@dataclass
class Cluster:
    """One cluster. Records have the shape of the API's responses."""

    record: dict[str, Any]
    addons: dict[str, dict[str, Any]] = field(default_factory=dict)
    updates: dict[str, Update] = field(default_factory=dict)
    associations: dict[str, dict[str, Any]] = field(default_factory=dict)
    access_entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    access_policies: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    nodegroups: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.record["name"])

    @property
    def auth_mode(self) -> str:
        return str(self.record["accessConfig"]["authenticationMode"])


@dataclass
class Update:
    """One update; `addon` is empty for an update of the cluster."""

    record: dict[str, Any]
    addon: str = ""


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Callbacks to the rest of the sandbox.

    `on_addon_applied(cluster, add-on record, request)` runs when a create or update takes effect and may return a
    `Failure`; `on_addon_deleted(cluster, add-on record, preserve)`; `on_cluster_updated(cluster, version)`.
    `on_associations_changed(cluster)` runs after a call that created, changed or deleted a pod identity association.
    `may_pass(principal, role ARN, service)` decides iam:PassRole.
    `on_event` receives the CloudTrail event of each mutating call.
    """

    on_addon_applied: Callable[[str, dict[str, Any], dict[str, Any]], Failure | None] = lambda *_: None
    on_addon_deleted: Callable[[str, dict[str, Any], bool], None] = lambda *_: None
    on_cluster_updated: Callable[[str, str], None] = lambda *_: None
    on_associations_changed: Callable[[str], None] = lambda _: None
    may_pass: Callable[[str, str, str], bool] = lambda *_: True
    on_event: Callable[[dict[str, Any]], None] = lambda *_: None


class EksState:
    """All clusters of one account and region, one lock, and the pending changes."""

    def __init__(self, account: str, region: str, partition: str = "aws") -> None:
        self.account = account
        self.region = region
        self.partition = partition
        self.lock = threading.RLock()
        self.behavior = EksBehavior()
        self.hooks = Hooks()
        self.clusters: dict[str, Cluster] = {}
        self.next_failures: dict[tuple[str, str], Failure] = {}
        self._later: list[tuple[threading.Thread, threading.Event]] = []
        self._closed = False

    def cluster(self, name: str) -> Cluster:
        """A cluster by name.

        Raises:
            EksError: the cluster does not exist.
        """
        if name not in self.clusters:
            raise not_found(f"No cluster found for name: {name}.", clusterName=name)
        return self.clusters[name]

    def arn(self, resource: str) -> str:
        return f"arn:{self.partition}:eks:{self.region}:{self.account}:{resource}"

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Run `act` later, unless the double is closed by then."""
        now = threading.Event()

        def later() -> None:
            now.wait(seconds)
            if not self._closed:
                act()

        thread = threading.Thread(target=later, daemon=True, name="eks-later")
        with self.lock:
            if self._closed:
                return
            self._later = [item for item in self._later if item[0].is_alive()] + [(thread, now)]
            thread.start()

    def finish_pending(self) -> None:
        """Run the pending changes now, and return when they have finished."""
        with self.lock:
            later, self._later = self._later, []
        for thread, now in later:
            now.set()
            thread.join()

    def close(self) -> None:
        """Cancel the pending changes, and wait for the running ones."""
        with self.lock:
            self._closed = True
        self.finish_pending()


def check_pass_role(state: EksState, caller: Caller, role_arn: str, service: str) -> None:
    """Check that the caller may pass this role of the account to the service.

    Raises:
        EksError: it is no role, or a role of another account, or IAM does not allow it.
    """
    parts = role_arn.split(":")
    if len(parts) < 6 or not parts[5].startswith("role/"):
        raise invalid_parameter(f"{role_arn} is not the ARN of an IAM role")
    if parts[4] != state.account:
        raise access_denied("Cross-account pass role is not allowed.")
    if not state.hooks.may_pass(caller.name, role_arn, service):
        raise access_denied(f"User: {caller.arn} is not authorized to perform: iam:PassRole on resource: {role_arn}")


def now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return str(uuid.uuid4())


def without_absent(record: dict[str, Any]) -> dict[str, Any]:
    """The record without members that are `None`."""
    return {name: value for name, value in record.items() if value is not None}


def page(items: Sequence[Any], params: dict[str, Any], member: str) -> dict[str, Any]:
    """One page of a list operation: at most `maxResults` (100) items, and `nextToken` if more remain."""
    size = int(params.get("maxResults") or 100)
    start = _position(params.get("nextToken"))
    following = {"nextToken": base64.urlsafe_b64encode(json.dumps({"at": start + size}).encode()).decode()}
    return {member: list(items[start : start + size]), **(following if start + size < len(items) else {})}


def _position(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(token))["at"])
    except (ValueError, KeyError, TypeError) as bad:
        raise invalid_parameter("The nextToken is not one that a list operation gave.") from bad
