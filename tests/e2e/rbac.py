"""Applies the generated Roles and bindings to a cluster, whole or without one verb."""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.control_plane.api_client import ApiClient

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


@dataclass(frozen=True)
class Poorer:
    """A role that lacks one verb."""

    title: str
    verb: str
    role: dict[str, Any]


def with_one_verb_less(manifests: Iterable[dict[str, Any]]) -> Iterator[Poorer]:
    """Each role once for each of its verbs, without it."""
    for manifest in manifests:
        for number, rule in enumerate(manifest.get("rules", ())):
            for verb in rule["verbs"]:
                role = copy.deepcopy(manifest)
                role["rules"][number]["verbs"].remove(verb)
                role["rules"] = [item for item in role["rules"] if item["verbs"]]
                where = manifest["metadata"].get("namespace", "everywhere")
                yield Poorer(f"{manifest['metadata']['name']} {where}: {verb} {'/'.join(rule['resources'])}", verb, role)
