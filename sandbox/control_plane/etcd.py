"""Changes etcd without the API server: compaction, and bulk writes.

Source: https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/
"""

import base64
import json
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

# The key in which API servers share the compacted revision; each then drops older snapshots from its memory.
# Source: https://github.com/kubernetes/kubernetes/blob/v1.36.3/staging/src/k8s.io/apiserver/pkg/storage/etcd3/compact.go
COMPACTED: Final = "compact_rev_key"
OBJECTS_AT_ONCE: Final = 32
"""A request may have 1.5 MiB (etcd's --max-request-bytes); an aws-node pod has 17 KB, a third more in base64."""

T = TypeVar("T")


def compact(etcd_url: str) -> int:
    """Compact up to the current revision, so that earlier lists cannot be continued. Returns the revision.

    The API server reads that revision every fifteen seconds.
    """
    revision = int(_ask(f"{etcd_url}/v3/maintenance/status", {})["header"]["revision"])
    _ask(f"{etcd_url}/v3/kv/put", {"key": _bytes(COMPACTED), "value": _bytes(str(revision))})
    _ask(f"{etcd_url}/v3/kv/compaction", {"revision": str(revision), "physical": True})
    return revision


def write(etcd_url: str, objects: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Put objects under their keys as JSON, which the API server reads like its own protobuf."""
    for some in _in_batches(objects, OBJECTS_AT_ONCE):
        puts = [{"request_put": {"key": _bytes(key), "value": _bytes(json.dumps(each))}} for key, each in some]
        _ask(f"{etcd_url}/v3/kv/txn", {"success": puts})


def _in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def _bytes(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _ask(url: str, body: object) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)
