"""Events as the bus delivers them, with the current time, so that no earlier check answers them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from lambdas.contract.events import OwnEvent
from lambdas.contract.names import EVENT_SOURCE

ACCOUNT: Final = "111122223333"
REGION: Final = "eu-west-1"


def check_requested(cluster: str = "demo", trigger: str = "sweep", **more: Any) -> dict[str, Any]:
    """Return the event that requests a check of one cluster."""
    now = datetime.now(UTC).isoformat()
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Check Requested",
        "source": EVENT_SOURCE,
        "account": ACCOUNT,
        "time": now,
        "region": REGION,
        "resources": [],
        "detail": {"schemaVersion": "1", "cluster": cluster, "trigger": trigger, "occurredAt": now, "eventId": "bench"} | more,
    }


def payload(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event).encode()


def not_ready(cluster: str = "demo") -> dict[str, Any]:
    """Return the node watcher's event, after which a check reads nodes and permission errors too."""
    event = check_requested(cluster)
    now = event["time"]
    detail = {"schemaVersion": "1", "cluster": cluster, "cause": "network-plugin-not-ready", "count": 1, "nodes": ["n"]}
    return event | {"detail-type": str(OwnEvent.NODE_NOT_READY), "detail": detail | {"since": now, "occurredAt": now}}
