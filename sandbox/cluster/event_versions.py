"""Events exist in the API groups `v1` and `events.k8s.io/v1`; both show one stored object.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/events/v1/conversion.go
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.cluster.resources import CORE_EVENTS, EVENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.cluster.resources import Object, Resource

# events.k8s.io/v1 name -> v1 name
_RENAMED = {
    "note": "message",
    "regarding": "involvedObject",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_RENAMED_BACK = {core: new for new, core in _RENAMED.items()}


def to_stored(obj: Mapping[str, object], resource: Resource) -> Object:
    """The object as it is stored: events of the newer group become core events."""
    if resource is not EVENTS:
        return dict(obj)
    return {_RENAMED.get(key, key): value for key, value in obj.items()} | {"apiVersion": CORE_EVENTS.api_version}


def from_stored(obj: Mapping[str, object], resource: Resource) -> Object:
    """The stored object in the form of this resource."""
    if resource is not EVENTS:
        return dict(obj)
    return {_RENAMED_BACK.get(key, key): value for key, value in obj.items()} | {"apiVersion": EVENTS.api_version}
