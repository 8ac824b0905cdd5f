"""Everything a command works with, behind ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cli.clients.ports import (
        ApprovalCallbacks,
        ClusterAccess,
        EventPatternTester,
        IdentityInventory,
        IncidentList,
        MigrationWriter,
        ParameterWriter,
        RolePolicies,
        TriggerSources,
    )
    from cli.clients.stack_ports import StackClients
    from lambdas.application.readers import Readers
    from lambdas.contract.environment import Environment
    from lambdas.domain.ports import CalendarPort, EventsPort, IncidentsPort, NotifierPort


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """`caller` is the ARN of the caller. Where no stack is deployed, `is_deployed` is False and incidents live in memory."""

    caller: str
    environment: Environment
    is_deployed: bool
    readers: Readers
    incidents: IncidentsPort
    calendar: CalendarPort
    notifier: NotifierPort
    events: EventsPort
    parameters: ParameterWriter
    incident_list: IncidentList
    callbacks: ApprovalCallbacks
    cluster_access: ClusterAccess
    identities: IdentityInventory
    migration: MigrationWriter
    role_policies: RolePolicies
    trigger_sources: TriggerSources
    pattern_tester: EventPatternTester
    stack: StackClients
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
