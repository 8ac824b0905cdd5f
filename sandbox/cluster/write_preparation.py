"""Preparation of an object for storage: metadata, generation, status and immutable fields.

Source: https://github.com/kubernetes/apiserver/tree/master/pkg/registry/rest (create.go, update.go)
"""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING, Any

from sandbox.cluster import errors
from sandbox.cluster.defaults import with_defaults
from sandbox.cluster.resources import DAEMON_SETS, NAMESPACES, NODES, PODS
from sandbox.cluster.validation import check_metadata, check_name, check_unchanged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.cluster.resources import Object, Resource

# Letters that cannot form words; https://github.com/kubernetes/apimachinery/blob/master/pkg/util/rand/rand.go
SAFE_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_KEPT_BY_SERVER = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


def prepared_for_create(obj: Mapping[str, Any], resource: Resource, namespace: str, now: str) -> Object:
    """The object as it is first stored, without a resource version.

    Raises:
        ApiError: 400 or 422, the object has no name or another namespace.
    """
    metadata = dict(obj.get("metadata") or {})
    metadata["name"] = _name(metadata, resource)
    check_name(metadata["name"], resource)
    check_metadata(metadata)
    if resource.namespaced:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    for field in ("resourceVersion", "managedFields", "generation", "selfLink", "deletionTimestamp"):
        metadata.pop(field, None)
    metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now}
    if resource.has_generation:
        metadata["generation"] = 1
    prepared = {"apiVersion": resource.api_version, "kind": resource.kind} | dict(obj) | {"metadata": metadata}
    return _fresh_status(with_defaults(prepared, resource), resource)


def drop_empty(metadata: Object) -> None:
    """Remove the metadata fields that the API server omits when they are empty."""
    for field in ("annotations", "labels", "managedFields", "ownerReferences", "finalizers"):
        if field in metadata and not metadata[field]:
            del metadata[field]


def _name(metadata: Mapping[str, Any], resource: Resource) -> str:
    if metadata.get("name"):
        return str(metadata["name"])
    if metadata.get("generateName"):
        return f"{metadata['generateName']}{random_suffix()}"
    raise errors.invalid(resource, "", [("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")])


def random_suffix(length: int = 5) -> str:
    return "".join(random.choices(SAFE_LETTERS, k=length))


def _fresh_status(obj: Object, resource: Resource) -> Object:
    if resource is PODS:
        obj["status"] = {"phase": "Pending", "qosClass": _quality(obj["spec"])}
    elif resource is DAEMON_SETS:
        annotations = {TEMPLATE_GENERATION: "1"} | dict(obj["metadata"].get("annotations") or {})
        obj["metadata"]["annotations"] = annotations
        counts = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
        obj["status"] = dict.fromkeys(counts, 0)
    elif resource.has_status and resource not in (NODES, NAMESPACES):
        obj["status"] = {}
    return obj


def _quality(spec: Mapping[str, Any]) -> str:
    """The QoS class; no pod of the sandbox has equal requests and limits, so `Guaranteed` does not occur."""
    given = [each.get("resources") for each in (*spec.get("containers", ()), *spec.get("initContainers", ()))]
    return "Burstable" if any(given) else "BestEffort"


def prepared_for_update(old: Mapping[str, Any], new: Mapping[str, Any], resource: Resource, subresource: str) -> Object:
    """The object that replaces the old one, with the old resource version.

    Raises:
        ApiError: 409 if the new object has another resource version, 422 if it changes an immutable field.
    """
    metadata = dict(new.get("metadata") or {})
    old_metadata = dict(old["metadata"])
    if metadata.get("resourceVersion", old_metadata["resourceVersion"]) not in ("", old_metadata["resourceVersion"]):
        raise errors.conflict(resource, old_metadata["name"])
    check_metadata(metadata)
    new_metadata = dict(metadata)
    metadata |= {field: old_metadata[field] for field in _KEPT_BY_SERVER if field in old_metadata}
    drop_empty(metadata)
    check_unchanged(old, dict(new) | {"metadata": new_metadata}, resource)
    prepared = dict(new) | {"apiVersion": old["apiVersion"], "kind": old["kind"]}
    prepared["metadata"] = metadata | {"resourceVersion": old_metadata["resourceVersion"]}
    return _status_update(old, prepared) if subresource == "status" else _main_update(old, prepared, resource)


def _status_update(old: Mapping[str, Any], made: Object) -> Object:
    """A write to `/status` changes the status, and only labels and annotations of the metadata."""
    metadata = dict(old["metadata"])
    for field in ("labels", "annotations"):
        metadata.pop(field, None)
        if made["metadata"].get(field):
            metadata[field] = made["metadata"][field]
    rest = {key: value for key, value in old.items() if key not in {"status", "metadata"}}
    return rest | {"metadata": metadata, "status": made.get("status") or {}}


def _main_update(old: Mapping[str, Any], prepared: Object, resource: Resource) -> Object:
    if resource.has_status and resource is not NAMESPACES:
        prepared.pop("status", None)
        prepared |= {"status": old["status"]} if "status" in old else {}
    prepared = with_defaults(prepared, resource) if "spec" in prepared or not resource.has_status else prepared
    if resource.has_generation and prepared.get("spec") != old.get("spec"):
        prepared["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    if resource is DAEMON_SETS:
        _count_template(old, prepared)
    return prepared


def _count_template(old: Mapping[str, Any], made: Object) -> None:
    count = int(old["metadata"].get("annotations", {}).get(TEMPLATE_GENERATION, "1"))
    changed = made["spec"]["template"] != old["spec"]["template"]
    annotations = dict(made["metadata"].get("annotations") or {}) | {TEMPLATE_GENERATION: str(count + changed)}
    made["metadata"]["annotations"] = annotations
