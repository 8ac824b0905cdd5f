"""Admission of a new pod: the ServiceAccount is read, then mutating webhooks are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sandbox.cluster.errors import forbidden
from sandbox.cluster.resources import PODS, SERVICE_ACCOUNTS, Object
from sandbox.cluster.webhook_admission import call_webhooks
from sandbox.cluster.write_preparation import random_suffix

if TYPE_CHECKING:
    from sandbox.cluster.object_store import Admission, ObjectStore

_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a folder
_LOST = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_NODE_CRITICAL = 2_000_001_000
Mutate = Callable[[Object], Object]
"""A mutating webhook in process: the pod before -> the pod after."""


def pod_admission(store: ObjectStore, mutate: Mutate | None) -> Admission:
    """The admission chain of pods.

    Source: https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/admission/serviceaccount/admission.go
    """

    def admit(pod: Object, namespace: str) -> Object:
        pod["spec"] = _admitted(pod["spec"])
        account = pod["spec"]["serviceAccountName"]
        if store.find(SERVICE_ACCOUNTS, account, namespace) is None:
            why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
            raise forbidden(PODS, pod["metadata"]["name"], why)
        pod = with_account_token(pod)
        return call_webhooks(store, mutate(pod) if mutate else pod)

    return admit


def _admitted(given: Object) -> Object:
    """The spec with the fields that admission adds: account, priority, and tolerations for unreachable nodes."""
    spec = {"serviceAccountName": "default", "preemptionPolicy": "PreemptLowerPriority"} | given
    critical = spec.get("priorityClassName") == "system-node-critical"
    tolerations: list[Object] = list(given.get("tolerations") or ())
    missing = [key for key in _LOST if not any(_covers(each, key) for each in tolerations)]
    lasting = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    return spec | {
        "serviceAccount": spec["serviceAccountName"],
        "priority": spec.get("priority", _NODE_CRITICAL if critical else 0),
        "tolerations": tolerations + [{"key": key} | lasting for key in missing],
    }


def _covers(toleration: Object, key: str) -> bool:
    return bool(toleration.get("key", key) == key and toleration.get("effect", "NoExecute") == "NoExecute")


def with_account_token(pod: Object) -> Object:
    """The pod with the token of its ServiceAccount mounted into every container."""
    name = f"kube-api-access-{random_suffix()}"
    mount = {"name": name, "readOnly": True, "mountPath": _TOKEN_PATH}
    spec = pod["spec"]
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]
    namespace = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": namespace}]}},
    ]
    volume = {"name": name, "projected": {"sources": sources, "defaultMode": 420}}
    spec["volumes"] = [*(spec.get("volumes") or ()), volume]
    return pod
