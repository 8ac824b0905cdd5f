"""Putting the generated Roles and bindings into a cluster, whole or with a verb less."""

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from sandbox.control_plane.http_client import ApiClient

RBAC = "/apis/rbac.authorization.k8s.io/v1"
PLURAL = {"Role": "roles", "ClusterRole": "clusterroles", "RoleBinding": "rolebindings", "ClusterRoleBinding": "clusterrolebindings"}


def path_of(manifest: dict[str, Any]) -> str:
    metadata = manifest["metadata"]
    scope = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{RBAC}{scope}/{PLURAL[manifest['kind']]}/{metadata['name']}"


def put(client: ApiClient, manifests: Iterable[dict[str, Any]]) -> None:
    for manifest in manifests:
        client.apply(path_of(manifest), manifest, manager="administrator")


def remove(client: ApiClient, manifests: Iterable[dict[str, Any]]) -> None:
    for manifest in manifests:
        client.delete(path_of(manifest))


def with_one_verb_less(manifests: Iterable[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each role once for each of its verbs, without it: `(what is missing, role)`."""
    for manifest in manifests:
        for number, rule in enumerate(manifest.get("rules", ())):
            for verb in rule["verbs"]:
                poorer = copy.deepcopy(manifest)
                poorer["rules"][number]["verbs"].remove(verb)
                if not poorer["rules"][number]["verbs"]:
                    del poorer["rules"][number]
                yield f"{manifest['metadata']['name']}, {manifest['kind']}: {verb} {'/'.join(rule['resources'])}", poorer
