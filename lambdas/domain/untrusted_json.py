"""Readers for JSON from untrusted sources, which may have any type, size and depth."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from lambdas.contract.parameters import KUBERNETES_NAME, valid_cluster
from lambdas.domain.errors import MalformedEvent

LONGEST_TEXT: Final = 200
"""Maximum number of characters of a text in a log line or a message. A role ARN has at most 2,048; its name is within this length."""

_EVENT_ID: Final = re.compile(r"[0-9A-Za-z._:-]{1,128}\Z")
_MOST_NODES_OF_A_BODY: Final = 10_000
_LONGEST_SCANNED_TEXT: Final = 4_096


def inside(value: object, *path: str) -> Any:
    """The value at a path of keys; None where a step is missing or is not an object."""
    for key in path:
        if not isinstance(value, (dict, Mapping)):  # parsed JSON is a dict, and testing for it is faster than for Mapping
            return None
        value = value.get(key)
    return value


def text(value: object, *path: str) -> str:
    """The string at a path of keys; empty where it is absent or of another type."""
    found = inside(value, *path)
    return found if isinstance(found, str) else ""


def member(value: object, key: str) -> str:
    """The string under one key of parsed JSON, or an empty string. Faster than `text`, for loops over thousands of records."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def label(value: object) -> str:
    """A foreign string for one line: control characters are replaced, and it is cut to `LONGEST_TEXT`. Other types become empty."""
    if not isinstance(value, str):
        return ""
    cut = value if len(value) <= LONGEST_TEXT else value[: LONGEST_TEXT - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(item if item.isprintable() else "\N{REPLACEMENT CHARACTER}" for item in cut)


def kind_of(value: object) -> str:
    """The type of a value of the wrong type, without its content."""
    return "missing" if value is None else f"of type {type(value).__name__}"


def event_id(value: object) -> str:
    """An event ID that is safe to log; empty where it is not valid."""
    return value if isinstance(value, str) and _EVENT_ID.match(value) else ""


def moment(value: object) -> datetime | None:
    """An ISO 8601 time as aware UTC; None where the text is not a time. A time without a zone is UTC, as AWS documents."""
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
    """A validated cluster name, safe in a path, a call or a message.

    Raises:
        MalformedEvent: the name is missing or is not a valid EKS cluster name.
    """
    if not isinstance(value, str):
        raise MalformedEvent(f"{looked_for} should name a cluster, and is {kind_of(value)}")
    if not valid_cluster(value):
        raise MalformedEvent(f"{looked_for} is {label(value)!r}, which is no name that EKS gives to a cluster")
    return value


def service_account(namespace: object, name: object) -> tuple[str, str] | None:
    """`(namespace, name)`; None where the event names no ServiceAccount.

    Raises:
        MalformedEvent: only one of the two is there, or a name is not a valid Kubernetes name.
    """
    if namespace is None and name is None:
        return None
    if not (isinstance(namespace, str) and isinstance(name, str) and KUBERNETES_NAME.match(namespace) and KUBERNETES_NAME.match(name)):
        raise MalformedEvent("namespace and service account should both be Kubernetes names")
    return namespace, name


def node_name(value: object) -> str | None:
    """A node name; None where it is not a valid Kubernetes name. A request without a node is still useful."""
    return value if isinstance(value, str) and KUBERNETES_NAME.match(value) else None


def texts_within(*values: object) -> Iterator[str]:
    """Every string in the values, each cut to a few thousand characters.

    The function does not recurse and stops after ten thousand nodes, because the sender decides how deep and wide the body is.
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
