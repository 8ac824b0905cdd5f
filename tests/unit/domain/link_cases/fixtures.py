"""Values that the cases share: states, unread facts, and a ServiceAccount with pod identity."""

from typing import Any

from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import Denial
from lambdas.domain.snapshot.snapshot import (
    Association,
    RoleFacts,
    Snapshot,
    Unknown,
)
from tests.unit.domain.snapshot_fixtures import snapshot_with
from tests.unit.notifications.snapshots import POD_IDENTITY_TRUST, ROLE, agent, pods

Case = tuple[Snapshot, Link, State, Verdict | None]

OK, BROKEN, UNKNOWN, NOT_APPLICABLE = State.OK, State.BROKEN, State.UNKNOWN, State.NOT_APPLICABLE
CLOSED = Unknown("403", Denial.FORBIDDEN)
UNREAD = Unknown("no answer")


def associated(**changes: Any) -> Snapshot:
    facts: dict[str, Any] = {
        "associations": (Association(id="a-1", role_arn=ROLE),),
        "agent": agent(),
        "pods": pods(15, None, container_credentials=True),
        "role": RoleFacts(arn=ROLE, trust=POD_IDENTITY_TRUST),
    }
    return snapshot_with(**{**facts, **changes})
