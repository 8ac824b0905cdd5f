"""Deletion of objects: preconditions, grace period, finalizers.

Source: https://github.com/kubernetes/apiserver/blob/master/pkg/registry/rest/delete.go
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.cluster.clock import stamp
from sandbox.cluster.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.cluster.resources import Object, Resource


@dataclass(frozen=True, kw_only=True)
class Preconditions:
    """Preconditions of a deletion; empty values match any object."""

    uid: str = ""
    resource_version: str = ""


def check_preconditions(obj: Mapping[str, Any], wanted: Preconditions, resource: Resource) -> None:
    """Refuse a deletion whose preconditions do not match the object.

    Raises:
        ApiError: 409; this error names the kind, not the plural.
    """
    metadata = obj["metadata"]
    cause = ""
    if wanted.uid not in ("", metadata["uid"]):
        cause = _mismatch("UID", wanted.uid, metadata["uid"]) + "The object might have been deleted and then recreated"
    elif wanted.resource_version not in ("", metadata["resourceVersion"]):
        cause = _mismatch("ResourceVersion", wanted.resource_version, metadata["resourceVersion"]) + "The object might have been modified"
    if cause:
        kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
        details = {"name": metadata["name"], "group": resource.group, "kind": resource.kind}
        message = f'Operation cannot be fulfilled on {kind} "{metadata["name"]}": {cause}'
        raise ApiError(409, "Conflict", message, {key: value for key, value in details.items() if value})


def _mismatch(what: str, given: str, found: str) -> str:
    return f"the {what} in the precondition ({given}) does not match the {what} in record ({found}). "


def grace_s(pod: Mapping[str, Any], requested_s: int | None) -> int:
    """The grace period of a pod in seconds; 0 for a pod that is unbound or has ended."""
    if not pod["spec"].get("nodeName") or pod["status"].get("phase") in {"Failed", "Succeeded"}:
        return 0
    wanted = int(pod["spec"].get("terminationGracePeriodSeconds", 0)) if requested_s is None else requested_s
    return max(wanted, 0) if wanted >= 0 else 1


def marked_deleted(obj: Object, grace: int, now: datetime) -> Object:
    """The object with its deletion timestamp; a second deletion can shorten the grace period, not extend it."""
    metadata = dict(obj["metadata"])
    earlier = metadata.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" in metadata and grace and earlier is not None and grace >= earlier:
        return obj
    if "generation" in metadata and "deletionTimestamp" not in metadata:
        metadata["generation"] += 1
    metadata |= {"deletionTimestamp": stamp(now + timedelta(seconds=grace)), "deletionGracePeriodSeconds": grace}
    return obj | {"metadata": metadata}


def is_removable(metadata: Mapping[str, Any]) -> bool:
    """Whether a marked object can be removed: no grace period and no finalizers are left."""
    return "deletionTimestamp" in metadata and not metadata.get("deletionGracePeriodSeconds") and not metadata.get("finalizers")
