"""Days for the daily digest."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.daily_digest import Day, StillOpen
from lambdas.domain.incidents.details import NO_DETAILS, IncidentDetails
from lambdas.domain.incidents.incident import Incident, Outcome, PastIncident

UNTIL: Final = datetime(2026, 11, 3, 7, tzinfo=UTC)
BLUE: Final = ServiceAccountRef("prod-blue", "kube-system", "aws-node")
GREEN: Final = ServiceAccountRef("prod-green", "kube-system", "ebs-csi-controller-sa")
OTHER_ISSUER: Final = "The trust policy of prod-green-ebs names the issuer of another cluster"


def _closed(number: int, outcome: Outcome, **changes: Any) -> PastIncident:
    opened = UNTIL - timedelta(hours=2 + number, minutes=7)
    fields: dict[str, Any] = {
        "id": f"7f3a9c2{number}5b0e",
        "target": BLUE,
        "opened_at": opened,
        "closed_at": opened + timedelta(seconds=91),
        "outcome": outcome,
        "verdict": "annotation-missing",
        "trigger": "api-call",
        "changes": ("annotate-service-account",),
        "signals": 3,
        "details": IncidentDetails(sentence="The ServiceAccount has no role annotation"),
    }
    return PastIncident(**(fields | changes))


def _open(number: int, **changes: Any) -> Incident:
    fields: dict[str, Any] = {"id": f"c0ffee{number}23456", "target": GREEN, "signals": 41, "request": {}, "started": True}
    return Incident(**(fields | {"opened_at": UNTIL - timedelta(hours=9, minutes=12 + number)} | changes))


def _day(*closed: PastIncident, still_open: tuple[StillOpen, ...] = (), clusters: int = 12) -> Day:
    return Day(until=UNTIL, clusters=clusters, closed=closed, still_open=still_open)


_REPAIRED: Final = _closed(1, Outcome.VERIFIED)
_BLOCKED: Final = _closed(2, Outcome.BLOCKED, changes=(), details=NO_DETAILS)
_NEEDS_ACTION: Final = _closed(
    3, Outcome.NEEDS_ACTION, target=GREEN, verdict="trust-other-issuer", details=IncidentDetails(sentence=OTHER_ISSUER)
)
_RECOVERED: Final = _closed(4, Outcome.RECOVERED, changes=())
_OPEN: Final = StillOpen(incident=_open(1), sentence=OTHER_ISSUER)
_WAITING: Final = StillOpen(
    incident=_open(2, target=BLUE, callback_id="Ab3d", signals=1), sentence="The ServiceAccount has no role annotation"
)
_HELD: Final = StillOpen(incident=_open(3, target=BLUE, holder="arn:aws:iam::111122223333:user/jane"))

DAYS: Final[Mapping[str, Day]] = {
    "repaired": _day(_REPAIRED, clusters=1),
    "of-every-kind": _day(_REPAIRED, _BLOCKED, _NEEDS_ACTION, _RECOVERED, still_open=(_OPEN, _WAITING, _HELD)),
    "not-repaired": _day(_BLOCKED),
    "still-open": _day(still_open=(_OPEN,)),
    "very-many": _day(
        *(replace(_REPAIRED, id=f"{i:08x}", target=replace(BLUE, cluster=f"shop-{i}")) for i in range(300)),
        still_open=tuple(replace(_OPEN, incident=replace(_OPEN.incident, target=replace(GREEN, cluster=f"cart-{i}"))) for i in range(40)),
        clusters=400,
    ),
}
