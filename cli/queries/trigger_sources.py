"""Trigger sources that an account or cluster may switch off: CloudTrail, audit log, alarm on nodes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.audit import log_group
from lambdas.contract.events import SWEEP_RATE_MINUTES
from lambdas.contract.names import ALARM_PREFIX
from lambdas.domain.errors import RemediatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.clients.ports import TriggerSources

MAX_SUBSCRIPTIONS: Final = 2
"""Of one log group. Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""


NO_DATA: Final = "INSUFFICIENT_DATA"
"""The state of an alarm whose metric has no data, or which was just created.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""


class TriggerSourceState(StrEnum):
    """Whether a source sends events."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class TriggerSource:
    """One source. `detail` says which events it sends, how to switch it on, or why its state is unknown."""

    name: str
    state: TriggerSourceState
    detail: str

    @property
    def document(self) -> dict[str, Any]:
        """The source as JSON."""
        return {"name": self.name, "state": self.state, "detail": self.detail}


def trigger_sources(cluster: str, port: TriggerSources) -> tuple[TriggerSource, ...]:
    """Return the state of each source. None of them is required: the sweep finds what they do not report."""
    return (
        _read("CloudTrail", lambda: _trail(port)),
        _read("audit log", lambda: _audit_log(cluster, port)),
        _read("alarm on nodes", lambda: _alarm(cluster, port)),
        TriggerSource(
            name="sweep", state=TriggerSourceState.ON, detail=f"every {SWEEP_RATE_MINUTES} minutes: finds what no other source reported"
        ),
    )


def _read(name: str, read: Callable[[], tuple[bool, str]]) -> TriggerSource:
    try:
        is_on, detail = read()
    except RemediatorError as error:
        return TriggerSource(name=name, state=TriggerSourceState.UNKNOWN, detail=str(error))
    return TriggerSource(name=name, state=TriggerSourceState.ON if is_on else TriggerSourceState.OFF, detail=detail)


def _trail(port: TriggerSources) -> tuple[bool, str]:
    if trail := port.trail():
        return True, f"trail {trail}: changes of the add-on or an association, within minutes"
    return False, "no trail here logs management events, so calls of the EKS API trigger nothing (docs/deploy.md)"


def _audit_log(cluster: str, port: TriggerSources) -> tuple[bool, str]:
    log = port.audit_log(cluster)
    if log.is_watched and log.is_written:
        return True, "changes of the ServiceAccount, and nodes that are not Ready, within seconds"
    if not log.is_written:
        then = "" if log.is_watched else ", then set `audit_log: true` in deploy.yaml"
        return False, f"the cluster does not write it: switch it on in EKS{then}"
    if log.other_subscriptions >= MAX_SUBSCRIPTIONS:
        return False, f"{log_group(cluster)} already has {MAX_SUBSCRIPTIONS} other subscriptions, the maximum of a log group"
    return False, "the node watcher does not subscribe to it: set `audit_log: true` in deploy.yaml"


def _alarm(cluster: str, port: TriggerSources) -> tuple[bool, str]:
    name = f"{ALARM_PREFIX}{cluster}"
    state = port.alarm_state(name)
    if state is None:
        return False, f"no alarm {name}: set `container_insights: enhanced` in deploy.yaml, or create an alarm of that name (docs/events)"
    if state == NO_DATA:
        return False, f"{name} has no data: its metric comes from the enhanced Container Insights only (docs/events has another alarm)"
    return True, f"{name}: nodes that are not Ready, within minutes"
