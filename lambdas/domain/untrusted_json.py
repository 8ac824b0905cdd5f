"""Careful reading of JSON that others wrote: nothing in it is trusted to have the type, the size or the depth that it should."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from lambdas.contract.parameters import KUBERNETES_NAME, valid_cluster
from lambdas.domain.errors import MalformedEvent

LONGEST_TEXT: Final = 200
"""Characters kept of any text that ends in a log line or a message; the longest role ARN has 2,048, yet names what matters within these."""

_EVENT_ID: Final = re.compile(r"[0-9A-Za-z._:-]{1,128}\Z")
_MOST_NODES_OF_A_BODY: Final = 10_000
_LONGEST_SCANNED_TEXT: Final = 4_096


def inside(value: object, *path: str) -> Any:
    """The value at a path of keys, or None where any step is missing or no object."""
    for key in path:
        if not isinstance(value, (dict, Mapping)):  # parsed JSON is a dict, which is quicker to tell than any Mapping
            return None
        value = value.get(key)
    return value


def text(value: object, *path: str) -> str:
    """The string at a path of keys, or nothing where it is absent or of another type."""
    found = inside(value, *path)
    return found if isinstance(found, str) else ""


def member(value: object, key: str) -> str:
    """The string under one key of parsed JSON, or nothing: `text` for where every microsecond is spent ten thousand times."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def label(value: object) -> str:
    """A foreign string made fit for one line: control characters replaced, cut to `LONGEST_TEXT`. Anything else becomes nothing."""
    if not isinstance(value, str):
        return ""
    cut = value if len(value) <= LONGEST_TEXT else value[: LONGEST_TEXT - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(item if item.isprintable() else "\N{REPLACEMENT CHARACTER}" for item in cut)


def kind_of(value: object) -> str:
    """How to name a value of the wrong type, without its content."""
    return "missing" if value is None else f"of type {type(value).__name__}"


def event_id(value: object) -> str:
    """An id that is safe to log, or nothing."""
    return value if isinstance(value, str) and _EVENT_ID.match(value) else ""


def moment(value: object) -> datetime | None:
    """An ISO 8601 time as aware UTC, or None where it is none; a time without zone is taken as UTC, which is what AWS means by it."""
    if not isinstance(value, str) or len(value) > 40:  # noqa: PLR2004 - nanoseconds and an offset fit
        return None
    try:
        read = datetime.fromisoformat(value)
        if read.tzinfo is UTC:
            return read
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def cluster_name(value: object, looked_for: str) -> str:
    """A cluster's name, checked before it is used in a path, a call or a message.

    Raises:
        MalformedEvent: it is missing, or no name that EKS would accept.
    """
    if not isinstance(value, str):
        raise MalformedEvent(f"{looked_for} should name a cluster, and is {kind_of(value)}")
    if not valid_cluster(value):
        raise MalformedEvent(f"{looked_for} is {label(value)!r}, which is no name that EKS gives to a cluster")
    return value


def service_account(namespace: object, name: object) -> tuple[str, str] | None:
    """`(namespace, name)`, or None where the event names none.

    Raises:
        MalformedEvent: only half of it is there, or it is no name that Kubernetes would accept.
    """
    if namespace is None and name is None:
        return None
    if not (isinstance(namespace, str) and isinstance(name, str) and KUBERNETES_NAME.match(namespace) and KUBERNETES_NAME.match(name)):
        raise MalformedEvent("namespace and service account should both be Kubernetes names")
    return namespace, name


def node_name(value: object) -> str | None:
    """A node's name, or None where it is none that Kubernetes would accept: a hint without a node is still a hint."""
    return value if isinstance(value, str) and KUBERNETES_NAME.match(value) else None


def texts_within(*values: object) -> Iterator[str]:
    """Every string anywhere in the values, each cut to a few thousand characters.

    Walks without recursion and gives up after ten thousand nodes, since a body may be as deep and wide as its sender likes.
    """
    waiting = list(values)
    for _ in range(_MOST_NODES_OF_A_BODY):
        if not waiting:
            return
        value = waiting.pop()
        if isinstance(value, str):
            yield value[:_LONGEST_SCANNED_TEXT]
        elif isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
