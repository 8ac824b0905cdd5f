"""Empties a running cluster, so that one control plane serves many tests."""

import time
from typing import Final

from sandbox.control_plane.api_client import ApiClient

SYSTEM: Final = "/api/v1/namespaces/kube-system"
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
# The built-in RBAC objects have this label.
# Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
NOT_BUILT_IN: Final = {"labelSelector": "kubernetes.io/bootstrapping!=rbac-defaults"}
OWNERS: Final = (
    "/apis/apps/v1/namespaces/kube-system/daemonsets",
    "/apis/apps/v1/namespaces/kube-system/deployments",
    "/apis/apps/v1/namespaces/kube-system/replicasets",
)
LEFT_BY_OWNERS: Final = (
    "/apis/apps/v1/namespaces/kube-system/controllerrevisions",
    "/api/v1/nodes",
    "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
    "/api/v1/namespaces/default/events",
    f"{SYSTEM}/events",
)
ACCESS: Final = tuple(f"{RBAC}/{kind}" for kind in ("clusterrolebindings", "clusterroles"))
TIMEOUT_S: Final = 30.0


def clear(client: ApiClient) -> None:
    """Delete nodes, workloads, pods, ServiceAccounts, events, webhooks and every role that is not built in; wait until they are gone.

    Raises:
        TimeoutError: pods are created again and again.
    """
    client.delete("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations")
    for path in OWNERS:
        client.delete(path)
    _delete_pods(client)
    for path in LEFT_BY_OWNERS:
        client.delete(path)
    client.delete(f"{SYSTEM}/serviceaccounts", fieldSelector="metadata.name!=default")
    for path in (*ACCESS, f"{RBAC}/namespaces/kube-system/rolebindings", f"{RBAC}/namespaces/kube-system/roles"):
        client.delete(path, **NOT_BUILT_IN)


def _delete_pods(client: ApiClient) -> None:
    """Repeat until no pod is left, because a controller may have been about to create one."""
    until = time.monotonic() + TIMEOUT_S
    while client.get(f"{SYSTEM}/pods")["items"] or any(client.get(path)["items"] for path in OWNERS):
        if time.monotonic() > until:
            raise TimeoutError("pods are created again and again, although their owners are deleted")
        client.do("DELETE", f"{SYSTEM}/pods", {"gracePeriodSeconds": 0})
        time.sleep(0.05)
