"""The objects of a new cluster: namespaces, default ServiceAccounts and discovery roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.cluster.http_messages import AUTHENTICATED
from sandbox.cluster.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, NAMESPACES, SERVICE_ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.cluster.object_store import ObjectStore
    from sandbox.cluster.resources import Object

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_PUBLIC = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_DISCOVERY = (*_PUBLIC, "/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*")
_RBAC = {"apiVersion": "rbac.authorization.k8s.io/v1"}


def bootstrap(store: ObjectStore) -> None:
    """Fill an empty store.

    Source: https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go
    """
    for name in _NAMESPACES:
        store.create(NAMESPACES, {"metadata": {"name": name}}, by="kube-apiserver")
        store.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, name, by="kube-controller-manager")
    _open(store, "system:public-info-viewer", _PUBLIC, (AUTHENTICATED, "system:unauthenticated"))
    _open(store, "system:discovery", _DISCOVERY, (AUTHENTICATED,))


def _open(store: ObjectStore, name: str, paths: Sequence[str], groups: Sequence[str]) -> None:
    role: Object = _RBAC | {
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [{"nonResourceURLs": list(paths), "verbs": ["get"]}],
    }
    subjects = [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": group} for group in groups]
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    binding: Object = _RBAC | {"kind": "ClusterRoleBinding", "metadata": {"name": name}, "subjects": subjects, "roleRef": ref}
    store.create(CLUSTER_ROLES, role, by="kube-apiserver")
    store.create(CLUSTER_ROLE_BINDINGS, binding, by="kube-apiserver")
