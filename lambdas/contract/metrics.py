"""Metrics that the functions emit in the embedded metric format and that the dashboard shows."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    """The CloudWatch units in use."""

    COUNT = "Count"
    SECONDS = "Seconds"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric with its set of dimensions and its description."""

    name: str
    unit: Unit
    dimensions: tuple[str, ...]
    what: str


CHECKS: Final = Metric(name="Checks", unit=Unit.COUNT, dimensions=("trigger",), what="checks by trigger, except those of sweeps")
DRIFT: Final = Metric(name="DriftFound", unit=Unit.COUNT, dimensions=("trigger",), what="checks that found a fault, by trigger")
VERDICTS: Final = Metric(name="Verdicts", unit=Unit.COUNT, dimensions=("cluster", "verdict"), what="verdict of each finished incident")
REPAIRS: Final = Metric(name="Repairs", unit=Unit.COUNT, dimensions=("outcome",), what="incidents closed, by outcome")
TIME_TO_RECOVER: Final = Metric(name="TimeToRecover", unit=Unit.SECONDS, dimensions=(), what="time from the event to the verification")
LOGIN_FAILURES: Final = Metric(name="LoginFailures", unit=Unit.COUNT, dimensions=("cluster",), what="clusters that refused our login")
SWEEPS: Final = Metric(name="Sweeps", unit=Unit.COUNT, dimensions=(), what="completed sweeps")
UNBOUND: Final = Metric(
    name="ClustersWithoutBinding", unit=Unit.COUNT, dimensions=(), what="clusters without a binding that a sweep found; zero is not emitted"
)

MALFORMED_EVENTS: Final = Metric(
    name="MalformedEvents", unit=Unit.COUNT, dimensions=(), what="events without a valid body, which start no check; zero is not emitted"
)
NOTIFICATION_FAILURES: Final = Metric(
    name="NotificationFailures",
    unit=Unit.COUNT,
    dimensions=("channel",),
    what="notifications and events that were not sent, by channel: topics or bus; zero is not emitted",
)

ALL: Final = (
    CHECKS,
    DRIFT,
    VERDICTS,
    REPAIRS,
    TIME_TO_RECOVER,
    LOGIN_FAILURES,
    SWEEPS,
    UNBOUND,
    MALFORMED_EVENTS,
    NOTIFICATION_FAILURES,
)
