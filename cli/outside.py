"""What commands work with: the account, the cluster and the clock, behind ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cli.ports import Announcers, Callbacks, ParameterWriter, Patterns, Register, Rights, Surroundings
    from lambdas.application.readers import Readers
    from lambdas.contract.environment import Environment
    from lambdas.domain.ports import CalendarPort, EventsPort, IncidentsPort, NotifierPort


@dataclass(frozen=True, kw_only=True)
class Outside:
    """`caller` is our ARN; `deployed` says whether a stack is there: without one incidents live in memory."""

    caller: str
    environment: Environment
    deployed: bool
    readers: Readers
    incidents: IncidentsPort
    calendar: CalendarPort
    notifier: NotifierPort
    events: EventsPort
    parameters: ParameterWriter
    register: Register
    callbacks: Callbacks
    rights: Rights
    surroundings: Surroundings
    announcers: Announcers
    patterns: Patterns
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
