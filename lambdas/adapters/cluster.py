"""The Kubernetes API of one cluster, as far as we use it."""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final

from lambdas.adapters import facts
from lambdas.adapters.kubernetes_api import TABLE, KubernetesApi, segment
from lambdas.contract.names import RESTARTED_AT_ANNOTATION, ROLE_ANNOTATION
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import Conflict, NotFound, PermanentError
from lambdas.domain.observation import Missing

if TYPE_CHECKING:
    from lambdas.adapters.token import Tokens
    from lambdas.domain.observation import ClusterFacts, NodeFacts, PluginError, PodFacts, ServiceAccountFacts, WorkloadFacts

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
            return facts.service_account(self._api.get(f"read ServiceAccount {namespace}/{name}", _service_account(namespace, name)))
        except NotFound:
            return Missing(f"ServiceAccount {namespace}/{name}")

    def workload(self, namespace: str, kind: WorkloadKind, name: str) -> WorkloadFacts | Missing:
        try:
            return facts.workload(kind, self._api.get(f"read {kind} {namespace}/{name}", _workload(namespace, kind, name)))
        except NotFound:
            return Missing(f"{kind} {namespace}/{name}")

    def owner(self, namespace: str, kind: str, name: str) -> tuple[WorkloadKind, str] | None:
        if kind == "ReplicaSet":
            path = f"/apis/apps/v1/namespaces/{segment(namespace)}/replicasets/{segment(name)}"
            try:
                above = facts.controller(self._api.get(f"read ReplicaSet {namespace}/{name}", path))
            except NotFound:
                return None
            kind, name = above or ("", "")
        return (WorkloadKind(kind), name) if kind in tuple(WorkloadKind) else None

    def pods(self, namespace: str, service_account: str) -> tuple[PodFacts, ...]:
        """Page by page: the JSON of one page is the most that is in memory at once."""
        found: dict[str, PodFacts] = {}  # by UID: a list that began anew gives pods a second time
        for page in self._api.pages(
            f"list pods of ServiceAccount {namespace}/{service_account}",
            f"/api/v1/namespaces/{segment(namespace)}/pods",
            fieldSelector=f"spec.serviceAccountName={service_account}",
        ):
            found.update((pod.uid, pod) for pod in facts.pods(page["items"]))
        return tuple(found.values())

    def nodes(self) -> tuple[NodeFacts, ...]:
        """All nodes; of those that are Ready only name, readiness and operating system are read, so 5,000 of them are 1 MB, not 48."""
        found: dict[str, NodeFacts] = {}
        for page in self._api.pages("list nodes", "/api/v1/nodes", accept=TABLE, includeObject="None"):
            found.update((node.name, node) for node in facts.nodes_in_table(page))
        unwell = [node.name for node in found.values() if not node.ready]
        for node in self._whole_nodes(unwell):
            found[node.name] = node
        return tuple(found.values())

    def _whole_nodes(self, names: list[str]) -> list[NodeFacts]:
        # RBAC grants `list` alone, so one node is a list of one.
        each: list[dict[str, str]] = [{"fieldSelector": f"metadata.name={name}"} for name in names]
        if len(names) > _LOOKED_AT_ONE_BY_ONE:
            each = [{}]
        wanted = frozenset(names)
        return [
            facts.node(item)
            for query in each
            for page in self._api.pages("read nodes that are not Ready", "/api/v1/nodes", **query)
            for item in page["items"]
            if item["metadata"]["name"] in wanted
        ]

    def plugin_errors(self, namespace: str) -> tuple[PluginError, ...]:
        pages = self._api.pages(
            f"list permission errors in namespace {namespace}",
            f"/apis/events.k8s.io/v1/namespaces/{segment(namespace)}/events",
            fieldSelector="reason=MissingIAMPermissions",
        )
        found = {item["metadata"]["uid"]: facts.plugin_error(item) for page in pages for item in page["items"]}
        return tuple(sorted(found.values(), key=lambda error: error.at, reverse=True))

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
    """Implements `ClustersPort`: one client, and so one set of connections, per cluster and process."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._apis: OrderedDict[tuple[str, str, str], KubernetesApi] = OrderedDict()
        self._lock = Lock()

    def login(self, facts: ClusterFacts) -> Cluster:
        """A client for the cluster; no request is made yet.

        Raises:
            PermanentError: EKS gave no usable endpoint or certificate authority, as of a cluster that is being created.
        """
        key = (facts.name, facts.endpoint, facts.certificate_authority)
        with self._lock:
            api = self._apis.pop(key, None) or KubernetesApi(facts.name, facts.endpoint, _pem(facts), self._tokens)
            self._apis[key] = api
            if len(self._apis) > _KEPT_CLUSTERS:
                self._apis.popitem(last=False)[1].close()
        return Cluster(api)


def _pem(facts: ClusterFacts) -> str:
    try:
        return base64.b64decode(facts.certificate_authority, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise PermanentError(f"log in to cluster {facts.name}: its certificate authority is not base64") from error


def _service_account(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{segment(namespace)}/serviceaccounts/{segment(name)}"


def _workload(namespace: str, kind: WorkloadKind, name: str) -> str:
    return f"/apis/apps/v1/namespaces/{segment(namespace)}/{kind.resource}/{segment(name)}"
