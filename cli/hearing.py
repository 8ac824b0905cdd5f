"""How the remediator hears of a cluster: which of the sources that somebody has to switch on are on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.audit import log_group
from lambdas.contract.events import SWEEP_RATE_MINUTES
from lambdas.contract.names import ALARM_PREFIX
from lambdas.domain.errors import RemediatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.ports import Announcers

MOST_SUBSCRIPTIONS: Final = 2
"""Of one log group. Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One source: `state` is `on`, `off` or `unknown`, with what it brings, how it is switched on, or why it is not known."""

    what: str
    state: str
    detail: str

    @property
    def document(self) -> dict[str, Any]:
        """For programs."""
        return {"what": self.what, "state": self.state, "detail": self.detail}


def sources(cluster: str, announcers: Announcers) -> Iterator[Source]:
    """None of them is needed: whatever is off is found by the sweep."""
    yield _asked("CloudTrail", lambda: _trail(announcers))
    yield _asked("audit log", lambda: _audit_log(cluster, announcers))
    yield _asked("alarm on nodes", lambda: _alarm(cluster, announcers))
    yield Source(what="sweep", state="on", detail=f"every {SWEEP_RATE_MINUTES} minutes: finds what none of the others announced")


def _asked(what: str, ask: Callable[[], tuple[bool, str]]) -> Source:
    try:
        on, detail = ask()
    except RemediatorError as error:
        return Source(what=what, state="unknown", detail=str(error))
    return Source(what=what, state="on" if on else "off", detail=detail)


def _trail(announcers: Announcers) -> tuple[bool, str]:
    trail = announcers.trail()
    if trail:
        return True, f"trail {trail}: who changes the add-on or an association, within minutes"
    return False, "no trail here logs management events, so no call of the EKS API is heard of (docs/deploy.md)"


def _audit_log(cluster: str, announcers: Announcers) -> tuple[bool, str]:
    log = announcers.audit_log(cluster)
    if log.watched and log.written:
        return True, "who changes the ServiceAccount, and nodes that are not Ready, within seconds"
    if not log.written:
        return False, f"the cluster writes none: switch it on in EKS{'' if log.watched else ', then `audit_log: true` in deploy.yaml'}"
    if log.others >= MOST_SUBSCRIPTIONS:
        return (
            False,
            f"{log_group(cluster)} has its {MOST_SUBSCRIPTIONS} subscriptions, both of others: there is no room for the node watcher",
        )
    return False, "written, and not read: `audit_log: true` in deploy.yaml"


def _alarm(cluster: str, announcers: Announcers) -> tuple[bool, str]:
    name = f"{ALARM_PREFIX}{cluster}"
    if announcers.has_alarm(name):
        return True, f"{name}: nodes that are not well, within minutes"
    return False, f"no alarm {name}: `container_insights: true` in deploy.yaml, or an alarm of yours by that name (docs/events)"
