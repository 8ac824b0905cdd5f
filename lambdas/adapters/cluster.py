"""The Kubernetes API of one cluster: the calls that checker and remediator need."""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters import kubernetes_objects
from lambdas.adapters.kubernetes_api import PAGE, PAGE_OF_UNKNOWN_SIZE, TABLE, KubernetesApi, segment
from lambdas.contract.names import (
    ADMISSION_API,
    AGENT_LABEL,
    AGENT_NAMES,
    AGENT_NAMESPACE,
    IDENTITY_WEBHOOK,
    RESTARTED_AT_ANNOTATION,
    ROLE_ANNOTATION,
)
from lambdas.contract.policy_kinds import PolicyKind, policy_name
from lambdas.contract.workloads import WorkloadKind, known
from lambdas.domain.errors import Conflict, NotFound, PermanentError
from lambdas.domain.snapshot.guard import installed_policy
from lambdas.domain.snapshot.snapshot import ComputeType, Missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.adapters.eks_token import Tokens
    from lambdas.domain.snapshot.snapshot import (
        ClusterFacts,
        ControllerError,
        InstalledPolicy,
        NodeFacts,
        PluginError,
        PodFacts,
        ServiceAccountFacts,
        WorkloadFacts,
    )

_MAX_CACHED_CLUSTERS: Final = 32
"""Clusters whose connections one process keeps. The sweep of a larger fleet replaces the least recently used."""
_SELECTORS: Final[Mapping[ComputeType, str]] = {
    ComputeType.WINDOWS: "kubernetes.io/os=windows",
    **{item: f"eks.amazonaws.com/compute-type={item}" for item in ComputeType if item is not ComputeType.WINDOWS},
}
"""Label selectors of nodes.

Sources: https://docs.aws.amazon.com/eks/latest/userguide/associate-workload.html (auto)
https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-add-ons.html (hybrid)
https://docs.aws.amazon.com/eks/latest/userguide/fargate-getting-started.html (fargate)
https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-os
"""
_MAX_READ_BY_NAME: Final = 16
"""Most NotReady nodes that are read by name. For more nodes, one list of all nodes costs fewer requests."""


class Cluster:
    """Implements `ClusterPort` over HTTPS."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api

    def service_account(self, namespace: str, name: str) -> ServiceAccountFacts | Missing:
        try:
            path = _service_account(namespace, name)
            return self._api.get(f"read ServiceAccount {namespace}/{name}", path, kubernetes_objects.service_account)
        except NotFound:
            return Missing(f"ServiceAccount {namespace}/{name}")

    def workload(self, namespace: str, kind: WorkloadKind, name: str) -> WorkloadFacts | Missing:
        try:
            path = _workload(namespace, kind, name)
            return self._api.get(f"read {kind} {namespace}/{name}", path, partial(kubernetes_objects.workload, kind))
        except NotFound:
            return Missing(f"{kind} {namespace}/{name}")

    def owner(self, namespace: str, kind: str, name: str) -> tuple[WorkloadKind, str] | None:
        if kind == "ReplicaSet":
            path = f"/apis/apps/v1/namespaces/{segment(namespace)}/replicasets/{segment(name)}"
            try:
                deployment = self._api.get(f"read ReplicaSet {namespace}/{name}", path, kubernetes_objects.controller)
            except NotFound:
                return None
            kind, name = deployment or ("", "")
        return (WorkloadKind(kind), name) if kind in tuple(WorkloadKind) else None

    def pods(self, namespace: str, service_account: str, node: str = "") -> tuple[PodFacts, ...]:
        selector = f"spec.serviceAccountName={service_account}" + (f",spec.nodeName={node}" if node else "")
        page = PAGE if known(namespace, service_account) else PAGE_OF_UNKNOWN_SIZE
        return self._list_pods(f"list pods of ServiceAccount {namespace}/{service_account}", namespace, {"fieldSelector": selector}, page)

    def agent_pods(self) -> tuple[PodFacts, ...]:
        selector = f"{AGENT_LABEL} in ({','.join(AGENT_NAMES)})"
        return self._list_pods("list pods of the EKS Pod Identity agent", AGENT_NAMESPACE, {"labelSelector": selector}, PAGE)

    def _list_pods(self, attempt: str, namespace: str, query: Mapping[str, str], page: int) -> tuple[PodFacts, ...]:
        path = f"/api/v1/namespaces/{segment(namespace)}/pods"
        found = self._api.list_facts(attempt, path, kubernetes_objects.pods, query, page=page)
        return tuple({pod.uid: pod for pod in found}.values())  # a restarted list returns pods twice

    def nodes(self) -> tuple[NodeFacts, ...]:
        """All nodes. A Ready node has only name, readiness and operating system: 5,000 nodes take 1 MB, not 48."""
        rows = self._api.list_facts(
            "list nodes", "/api/v1/nodes", kubernetes_objects.nodes_in_table, {"includeObject": "None"}, accept=TABLE
        )
        found = {node.name: node for node in rows}
        unready = frozenset(node.name for node in found.values() if not node.ready)
        # A node deleted since the table was read stays as in the table, until the next read.
        return tuple((found | {node.name: node for node in self._read_nodes(unready)}).values())

    def compute_types(self) -> Mapping[str, ComputeType]:
        """One list for each type, of table rows: a node is small, and most clusters have none of them."""
        return {
            node.name: compute_type
            for compute_type, selector in _SELECTORS.items()
            for node in self._api.list_facts(
                f"list nodes of type {compute_type}",
                "/api/v1/nodes",
                kubernetes_objects.nodes_in_table,
                {"includeObject": "None", "labelSelector": selector},
                accept=TABLE,
            )
        }

    def _read_nodes(self, names: frozenset[str]) -> list[NodeFacts]:
        # RBAC grants `list` alone, so one node is a list of one.
        queries = [{"fieldSelector": f"metadata.name={name}"} for name in sorted(names)] if len(names) <= _MAX_READ_BY_NAME else [{}]

        def selected(page: Any) -> list[NodeFacts]:
            return [found for item in kubernetes_objects.items(page) if (found := kubernetes_objects.node(item)).name in names]

        return [
            node for query in queries for node in self._api.list_facts("read nodes that are not Ready", "/api/v1/nodes", selected, query)
        ]

    def plugin_errors(self, namespace: str) -> tuple[PluginError, ...]:
        found = self._api.list_facts(
            f"list permission errors in namespace {namespace}",
            f"/apis/events.k8s.io/v1/namespaces/{segment(namespace)}/events",
            lambda page: [kubernetes_objects.plugin_error(item) for item in kubernetes_objects.items(page)],
            {"fieldSelector": "reason=MissingIAMPermissions"},
        )
        return tuple(sorted(dict.fromkeys(found), key=lambda error: error.at, reverse=True))

    def controller_errors(self, namespace: str, name: str) -> tuple[ControllerError, ...]:
        found = self._api.list_facts(
            f"list creation errors of {namespace}/{name}",
            f"/apis/events.k8s.io/v1/namespaces/{segment(namespace)}/events",
            lambda page: kubernetes_objects.controller_errors(kubernetes_objects.items(page), name),
            {"fieldSelector": "reason=FailedCreate"},
        )
        return tuple(sorted(dict.fromkeys(found), key=lambda error: error.at, reverse=True))

    def has_identity_webhook(self) -> bool:
        path = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{segment(IDENTITY_WEBHOOK)}"
        try:
            self._api.get(f"read MutatingWebhookConfiguration {IDENTITY_WEBHOOK}", path, kubernetes_objects.uid)
        except NotFound:
            return False
        return True

    def guards(self, namespace: str, name: str) -> tuple[InstalledPolicy, ...]:
        """Two requests where nothing is installed, and one more for each policy. An API server that serves no such policy has none."""
        found = (self._guard(kind, policy_name(kind, namespace, name)) for kind in PolicyKind)
        return tuple(policy for policy in found if policy is not None)

    def _guard(self, kind: PolicyKind, name: str) -> InstalledPolicy | None:
        policy = self._admission_object(kind.policy, kind.resource, name)
        if policy is None:
            return None
        return installed_policy(kind, policy, self._admission_object(kind.policy_binding, kind.binding_resource, name))

    def _admission_object(self, kind: str, resource: str, name: str) -> Mapping[str, Any] | None:
        path = f"/apis/{ADMISSION_API}/{resource}/{segment(name)}"
        try:
            return self._api.get(f"read {kind}", path, kubernetes_objects.admission_object)
        except NotFound:
            return None

    def apply_annotation(self, namespace: str, name: str, role_arn: str, resource_version: str) -> None:
        attempt, path = f"annotate ServiceAccount {namespace}/{name}", _service_account(namespace, name)
        uid = self._api.get(attempt, path, kubernetes_objects.uid)  # with it, the API server does not create a missing object
        metadata = {"name": name, "uid": uid, "resourceVersion": resource_version, "annotations": {ROLE_ANNOTATION: role_arn}}
        self._api.apply(attempt, path, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})

    def restore_annotation(self, namespace: str, name: str, role_arn: str | None, resource_version: str) -> None:
        change = {"metadata": {"resourceVersion": resource_version, "annotations": {ROLE_ANNOTATION: role_arn}}}
        self._api.patch(f"restore ServiceAccount {namespace}/{name}", _service_account(namespace, name), change)

    def restart(self, namespace: str, kind: WorkloadKind, name: str, restarted_at: str) -> None:
        change = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT_ANNOTATION: restarted_at}}}}}
        self._api.patch(f"restart {kind} {namespace}/{name}", _workload(namespace, kind, name), change)

    def delete_pod(self, namespace: str, name: str, uid: str) -> bool:
        path = f"/api/v1/namespaces/{segment(namespace)}/pods/{segment(name)}"
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        try:
            self._api.delete(f"delete pod {namespace}/{name}", path, options)
        except (NotFound, Conflict):  # deleted already, or another pod has the name
            return False
        return True


class Clusters:
    """Implements `ClustersPort`, with one client and one connection pool for each cluster.

    `role_arn` is the role behind the tokens, which errors name; empty if unknown.
    """

    def __init__(self, tokens: Tokens, role_arn: str = "") -> None:
        self._tokens = tokens
        self._role_arn = role_arn
        self._apis: OrderedDict[tuple[str, str, str], KubernetesApi] = OrderedDict()
        self._lock = Lock()

    def login(self, facts: ClusterFacts) -> Cluster:
        """A client for the cluster. This makes no request.

        Raises:
            PermanentError: the cluster has no usable endpoint or certificate authority, for example during its creation.
        """
        key = (facts.name, facts.endpoint, facts.certificate_authority)
        with self._lock:
            api = self._apis.pop(key, None) or KubernetesApi(facts.name, facts.endpoint, authority_pem(facts), self._tokens, self._role_arn)
            self._apis[key] = api
            if len(self._apis) > _MAX_CACHED_CLUSTERS:
                self._apis.popitem(last=False)[1].close()
        return Cluster(api)


def authority_pem(facts: ClusterFacts) -> str:
    """The certificate authority that EKS describes, as PEM.

    Raises:
        PermanentError: EKS describes none, for example during the cluster's creation.
    """
    try:
        return base64.b64decode(facts.certificate_authority, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise PermanentError(f"log in to cluster {facts.name}: its certificate authority is not base64") from error


def _service_account(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{segment(namespace)}/serviceaccounts/{segment(name)}"


def _workload(namespace: str, kind: WorkloadKind, name: str) -> str:
    return f"/apis/apps/v1/namespaces/{segment(namespace)}/{kind.resource}/{segment(name)}"
