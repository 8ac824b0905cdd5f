"""Days to sum up: what the table can hold at seven in the morning."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.daily_digest import Day, StillOpen
from lambdas.domain.incidents.incident import Incident, Outcome, PastIncident

UNTIL: Final = datetime(2026, 11, 3, 7, tzinfo=UTC)
BLUE: Final = ServiceAccountRef("prod-blue", "kube-system", "aws-node")
GREEN: Final = ServiceAccountRef("prod-green", "kube-system", "ebs-csi-controller-sa")
OTHER_ISSUER: Final = "The trust policy of prod-green-ebs names the issuer of another cluster"


def _ended(number: int, outcome: Outcome, **more: Any) -> PastIncident:
    opened = UNTIL - timedelta(hours=2 + number, minutes=7)
    told: dict[str, Any] = {
        "id": f"7f3a9c2{number}5b0e",
        "target": BLUE,
        "opened_at": opened,
        "closed_at": opened + timedelta(seconds=91),
        "outcome": outcome,
        "verdict": "annotation-missing",
        "trigger": "api-call",
        "changes": ("annotate-service-account",),
        "signals": 3,
        "details": {"sentence": "The ServiceAccount has no role annotation"},
    }
    return PastIncident(**(told | more))


def _open(number: int, **more: Any) -> Incident:
    told: dict[str, Any] = {"id": f"c0ffee{number}23456", "target": GREEN, "signals": 41, "request": {}, "started": True}
    return Incident(**(told | {"opened_at": UNTIL - timedelta(hours=9, minutes=12 + number)} | more))


def _day(*closed: PastIncident, still_open: tuple[StillOpen, ...] = (), clusters: int = 12) -> Day:
    return Day(until=UNTIL, clusters=clusters, closed=closed, still_open=still_open)


_REPAIRED: Final = _ended(1, Outcome.VERIFIED)
_WITHHELD: Final = _ended(2, Outcome.BLOCKED, changes=(), details=None)
_NEEDED: Final = _ended(3, Outcome.NEEDS_ACTION, target=GREEN, verdict="trust-other-issuer", details={"sentence": OTHER_ISSUER})
_UNAIDED: Final = _ended(4, Outcome.RECOVERED, changes=())
_BROKEN: Final = StillOpen(incident=_open(1), sentence=OTHER_ISSUER)
_WAITING: Final = StillOpen(
    incident=_open(2, target=BLUE, callback_id="Ab3d", signals=1), sentence="The ServiceAccount has no role annotation"
)
_HELD: Final = StillOpen(incident=_open(3, target=BLUE, holder="arn:aws:iam::111122223333:user/jane"))

DAYS: Final[Mapping[str, Day]] = {
    "repaired": _day(_REPAIRED, clusters=1),
    "of-every-kind": _day(_REPAIRED, _WITHHELD, _NEEDED, _UNAIDED, still_open=(_BROKEN, _WAITING, _HELD)),
    "left-as-found": _day(_WITHHELD),
    "still-open": _day(still_open=(_BROKEN,)),
    "very-many": _day(
        *(replace(_REPAIRED, id=f"{i:08x}", target=replace(BLUE, cluster=f"shop-{i}")) for i in range(300)),
        still_open=tuple(
            replace(_BROKEN, incident=replace(_BROKEN.incident, target=replace(GREEN, cluster=f"cart-{i}"))) for i in range(40)
        ),
        clusters=400,
    ),
}
