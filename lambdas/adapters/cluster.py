"""The Kubernetes API of one cluster, as far as we use it."""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters import kubernetes_objects
from lambdas.adapters.kubernetes_api import TABLE, KubernetesApi, segment
from lambdas.contract.names import RESTARTED_AT_ANNOTATION, ROLE_ANNOTATION
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import Conflict, NotFound, PermanentError
from lambdas.domain.snapshot.snapshot import Missing

if TYPE_CHECKING:
    from lambdas.adapters.eks_token import Tokens
    from lambdas.domain.snapshot.snapshot import ClusterFacts, NodeFacts, PluginError, PodFacts, ServiceAccountFacts, WorkloadFacts

_KEPT_CLUSTERS: Final = 32
"""Clusters whose connections one process keeps; a fleet's sweep comes by in turns."""
_LOOKED_AT_ONE_BY_ONE: Final = 16
"""NotReady nodes that are read by name; where there are more, reading every node whole costs fewer requests."""


class Cluster:
    """Implements `ClusterPort` over HTTPS."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api

    def service_account(self, namespace: str, name: str) -> ServiceAccountFacts | Missing:
        try:
            return kubernetes_objects.service_account(
                self._api.get(f"read ServiceAccount {namespace}/{name}", _service_account(namespace, name))
            )
        except NotFound:
            return Missing(f"ServiceAccount {namespace}/{name}")

    def workload(self, namespace: str, kind: WorkloadKind, name: str) -> WorkloadFacts | Missing:
        try:
            return kubernetes_objects.workload(kind, self._api.get(f"read {kind} {namespace}/{name}", _workload(namespace, kind, name)))
        except NotFound:
            return Missing(f"{kind} {namespace}/{name}")

    def owner(self, namespace: str, kind: str, name: str) -> tuple[WorkloadKind, str] | None:
        if kind == "ReplicaSet":
            path = f"/apis/apps/v1/namespaces/{segment(namespace)}/replicasets/{segment(name)}"
            try:
                above = kubernetes_objects.controller(self._api.get(f"read ReplicaSet {namespace}/{name}", path))
            except NotFound:
                return None
            kind, name = above or ("", "")
        return (WorkloadKind(kind), name) if kind in tuple(WorkloadKind) else None

    def pods(self, namespace: str, service_account: str, node: str = "") -> tuple[PodFacts, ...]:
        selected = f"spec.serviceAccountName={service_account}" + (f",spec.nodeName={node}" if node else "")
        found = self._api.each(
            f"list pods of ServiceAccount {namespace}/{service_account}",
            f"/api/v1/namespaces/{segment(namespace)}/pods",
            lambda page: kubernetes_objects.pods(page["items"]),
            fieldSelector=selected,
        )
        return tuple({pod.uid: pod for pod in found}.values())  # a list that began anew gives pods a second time

    def nodes(self) -> tuple[NodeFacts, ...]:
        """All nodes; of those that are Ready only name, readiness and operating system are read, so 5,000 of them are 1 MB, not 48."""
        rows = self._api.each("list nodes", "/api/v1/nodes", kubernetes_objects.nodes_in_table, accept=TABLE, includeObject="None")
        found = {node.name: node for node in rows}
        unwell = frozenset(node.name for node in found.values() if not node.ready)
        # A node that was deleted meanwhile stays as the table had it, until the next look.
        return tuple((found | {node.name: node for node in self._whole_nodes(unwell)}).values())

    def _whole_nodes(self, names: frozenset[str]) -> list[NodeFacts]:
        # RBAC grants `list` alone, so one node is a list of one.
        queries = [{"fieldSelector": f"metadata.name={name}"} for name in sorted(names)] if len(names) <= _LOOKED_AT_ONE_BY_ONE else [{}]

        def taken(page: Any) -> list[NodeFacts]:
            return [kubernetes_objects.node(item) for item in page["items"] if item["metadata"]["name"] in names]

        return [node for query in queries for node in self._api.each("read nodes that are not Ready", "/api/v1/nodes", taken, **query)]

    def plugin_errors(self, namespace: str) -> tuple[PluginError, ...]:
        found = self._api.each(
            f"list permission errors in namespace {namespace}",
            f"/apis/events.k8s.io/v1/namespaces/{segment(namespace)}/events",
            lambda page: [kubernetes_objects.plugin_error(item) for item in page["items"]],
            fieldSelector="reason=MissingIAMPermissions",
        )
        return tuple(sorted(dict.fromkeys(found), key=lambda error: error.at, reverse=True))

    def annotate(self, namespace: str, name: str, role_arn: str | None, resource_version: str) -> None:
        change = {"metadata": {"resourceVersion": resource_version, "annotations": {ROLE_ANNOTATION: role_arn}}}
        self._api.patch(f"annotate ServiceAccount {namespace}/{name}", _service_account(namespace, name), change)

    def restart(self, namespace: str, kind: WorkloadKind, name: str, restarted_at: str) -> None:
        change = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT_ANNOTATION: restarted_at}}}}}
        self._api.patch(f"restart {kind} {namespace}/{name}", _workload(namespace, kind, name), change)

    def delete_pod(self, namespace: str, name: str, uid: str) -> bool:
        path = f"/api/v1/namespaces/{segment(namespace)}/pods/{segment(name)}"
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        try:
            self._api.delete(f"delete pod {namespace}/{name}", path, options)
        except (NotFound, Conflict):  # gone, or its name belongs to its successor
            return False
        return True


class Clusters:
    """Implements `ClustersPort`: one client, and so one set of connections, per cluster and process.

    `role_arn` is whose tokens these are, for a refusal to name; empty where nobody knows.
    """

    def __init__(self, tokens: Tokens, role_arn: str = "") -> None:
        self._tokens = tokens
        self._role_arn = role_arn
        self._apis: OrderedDict[tuple[str, str, str], KubernetesApi] = OrderedDict()
        self._lock = Lock()

    def login(self, kubernetes_objects: ClusterFacts) -> Cluster:
        """A client for the cluster; no request is made yet.

        Raises:
            PermanentError: EKS gave no usable endpoint or certificate authority, as of a cluster that is being created.
        """
        key = (kubernetes_objects.name, kubernetes_objects.endpoint, kubernetes_objects.certificate_authority)
        with self._lock:
            api = self._apis.pop(key, None) or KubernetesApi(
                kubernetes_objects.name, kubernetes_objects.endpoint, _pem(kubernetes_objects), self._tokens, self._role_arn
            )
            self._apis[key] = api
            if len(self._apis) > _KEPT_CLUSTERS:
                self._apis.popitem(last=False)[1].close()
        return Cluster(api)


def _pem(kubernetes_objects: ClusterFacts) -> str:
    try:
        return base64.b64decode(kubernetes_objects.certificate_authority, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise PermanentError(f"log in to cluster {kubernetes_objects.name}: its certificate authority is not base64") from error


def _service_account(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{segment(namespace)}/serviceaccounts/{segment(name)}"


def _workload(namespace: str, kind: WorkloadKind, name: str) -> str:
    return f"/apis/apps/v1/namespaces/{segment(namespace)}/{kind.resource}/{segment(name)}"
