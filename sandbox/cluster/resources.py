"""The resource kinds that the embedded API server stores, and their paths."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]
"""A Kubernetes object as JSON: `apiVersion`, `kind`, `metadata` and the fields of the kind."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Resource:
    """One kind of object. Each exists once, in this module, so identity is equality.

    Attributes:
        field_labels: selectable fields besides `metadata.name` and `metadata.namespace`, name -> dotted path.
        has_status: has a `/status` subresource, and writes to the object do not change the status.
        has_generation: `metadata.generation` counts changes of the desired state.
        stored_as: the resource under which the objects are stored, if two API groups show the same objects.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    has_status: bool = False
    has_generation: bool = False
    short_names: tuple[str, ...] = ()
    field_labels: Mapping[str, str] = field(default_factory=dict)
    stored_as: Resource | None = None

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """The name in error messages: `pods`, `daemonsets.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def path(self) -> str:
        """The path of the objects of all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{root}/{self.plural}"

    @property
    def storage(self) -> Resource:
        return self.stored_as or self


def _same(*paths: str) -> Mapping[str, str]:
    return MappingProxyType({path: path for path in paths})


# Selectable fields: https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/conversion.go
_POD_FIELDS = _same(
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_CORE_EVENT_FIELDS = MappingProxyType(
    {f"involvedObject.{part}": f"involvedObject.{part}" for part in _INVOLVED}
    | {"reason": "reason", "reportingComponent": "reportingComponent", "source": "source.component", "type": "type"}
)
_EVENT_FIELDS = MappingProxyType(
    {f"regarding.{part}": f"involvedObject.{part}" for part in _INVOLVED}
    | {"reason": "reason", "reportingController": "reportingComponent", "type": "type"}
)

NAMESPACES = Resource(group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False, has_status=True, short_names=("ns",))
SERVICE_ACCOUNTS = Resource(group="", version="v1", plural="serviceaccounts", kind="ServiceAccount", short_names=("sa",))
CONFIG_MAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap", short_names=("cm",))
SECRETS = Resource(group="", version="v1", plural="secrets", kind="Secret", field_labels=_same("type"))
PODS = Resource(
    group="",
    version="v1",
    plural="pods",
    kind="Pod",
    has_status=True,
    has_generation=True,
    short_names=("po",),
    field_labels=_POD_FIELDS,
)
NODES = Resource(
    group="",
    version="v1",
    plural="nodes",
    kind="Node",
    namespaced=False,
    has_status=True,
    short_names=("no",),
    field_labels=_same("spec.unschedulable"),
)
CORE_EVENTS = Resource(group="", version="v1", plural="events", kind="Event", short_names=("ev",), field_labels=_CORE_EVENT_FIELDS)
EVENTS = Resource(
    group="events.k8s.io",
    version="v1",
    plural="events",
    kind="Event",
    short_names=("ev",),
    field_labels=_EVENT_FIELDS,
    stored_as=CORE_EVENTS,
)
DAEMON_SETS = Resource(
    group="apps", version="v1", plural="daemonsets", kind="DaemonSet", has_status=True, has_generation=True, short_names=("ds",)
)
DEPLOYMENTS = Resource(
    group="apps", version="v1", plural="deployments", kind="Deployment", has_status=True, has_generation=True, short_names=("deploy",)
)
STATEFUL_SETS = Resource(
    group="apps", version="v1", plural="statefulsets", kind="StatefulSet", has_status=True, has_generation=True, short_names=("sts",)
)
REPLICA_SETS = Resource(
    group="apps",
    version="v1",
    plural="replicasets",
    kind="ReplicaSet",
    has_status=True,
    has_generation=True,
    short_names=("rs",),
    field_labels=_same("status.replicas"),
)
CONTROLLER_REVISIONS = Resource(group="apps", version="v1", plural="controllerrevisions", kind="ControllerRevision")
MUTATING_WEBHOOKS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="mutatingwebhookconfigurations",
    kind="MutatingWebhookConfiguration",
    namespaced=False,
    has_generation=True,
)
_RBAC = "rbac.authorization.k8s.io"
ROLES = Resource(group=_RBAC, version="v1", plural="roles", kind="Role")
CLUSTER_ROLES = Resource(group=_RBAC, version="v1", plural="clusterroles", kind="ClusterRole", namespaced=False)
ROLE_BINDINGS = Resource(group=_RBAC, version="v1", plural="rolebindings", kind="RoleBinding")
CLUSTER_ROLE_BINDINGS = Resource(group=_RBAC, version="v1", plural="clusterrolebindings", kind="ClusterRoleBinding", namespaced=False)

RESOURCES: tuple[Resource, ...] = (
    NAMESPACES,
    SERVICE_ACCOUNTS,
    CONFIG_MAPS,
    SECRETS,
    PODS,
    NODES,
    CORE_EVENTS,
    EVENTS,
    DAEMON_SETS,
    DEPLOYMENTS,
    STATEFUL_SETS,
    REPLICA_SETS,
    CONTROLLER_REVISIONS,
    MUTATING_WEBHOOKS,
    ROLES,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    CLUSTER_ROLE_BINDINGS,
)

BY_PATH: Mapping[tuple[str, str, str], Resource] = MappingProxyType({(r.group, r.version, r.plural): r for r in RESOURCES})
BY_KIND: Mapping[tuple[str, str], Resource] = MappingProxyType({(r.api_version, r.kind): r for r in RESOURCES})


def resource_of(manifest: Mapping[str, Any]) -> Resource:
    """The resource that a manifest belongs to.

    Raises:
        LookupError: the table has no such `apiVersion` and `kind`.
    """
    key = (str(manifest.get("apiVersion")), str(manifest.get("kind")))
    if key not in BY_KIND:
        raise LookupError(f"the embedded cluster stores no {key[1]} of {key[0]}")
    return BY_KIND[key]
