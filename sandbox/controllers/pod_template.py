"""Pods from templates: names, labels, owner, and the template hash."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.cluster.write_preparation import SAFE_LETTERS
from sandbox.controllers.cluster_snapshot import owner_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.cluster.resources import Resource
    from sandbox.controllers.client import View


def template_hash(template: Mapping[str, Any]) -> str:
    """Ten letters that differ if the template differs."""
    digest = hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).digest()
    return "".join(SAFE_LETTERS[each % len(SAFE_LETTERS)] for each in digest[:10])


def pod_from(owner: View, resource: Resource, labels: Mapping[str, str], name: str = "") -> dict[str, Any]:
    """A pod of this workload; without a name, one is generated from the owner's."""
    template = owner["spec"]["template"]
    described = template.get("metadata") or {}
    metadata: dict[str, Any] = {
        "namespace": owner["metadata"]["namespace"],
        "labels": {**(described.get("labels") or {}), **labels},
        "ownerReferences": [owner_reference(owner, resource)],
    }
    metadata |= {"name": name} if name else {"generateName": f"{owner['metadata']['name']}-"}
    if described.get("annotations"):
        metadata["annotations"] = described["annotations"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": dict(template["spec"])}
