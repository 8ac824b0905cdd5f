"""Incidents of all ServiceAccounts from the table, and substitutes where no stack is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.adapters import incident_items
from lambdas.adapters.aws_errors import translated
from lambdas.contract.incidents import PARTITION_KEY, SORT_KEY
from lambdas.contract.parameters import ServiceAccountRef

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.domain.incidents.incident import Incident, PastIncident


class IncidentTable:
    """Implements `IncidentList` by a scan: the table holds ninety days of rare events, and only the command line reads all of them."""

    def __init__(self, session: AwsSession, table: str) -> None:
        self._session = session
        self._table = table

    def open(self) -> tuple[Incident, ...]:
        """Return the open incidents, oldest first."""
        rows = self._rows(f"{SORT_KEY} = :now AND attribute_exists(incident_id)", {":now": {"S": "now"}})
        return tuple(sorted((incident_items.incident(target, row) for target, row in rows), key=lambda incident: incident.opened_at))

    def past(self, since: datetime) -> tuple[PastIncident, ...]:
        """Return the incidents closed since then, newest first."""
        values = {":since": incident_items.history_start(since), ":end": incident_items.HISTORY_END}
        rows = self._rows(f"{SORT_KEY} BETWEEN :since AND :end", values)
        incidents = (incident_items.past(target, row) for target, row in rows)
        return tuple(sorted(incidents, key=lambda incident: incident.closed_at, reverse=True))

    def _rows(self, condition: str, values: Mapping[str, Any]) -> Iterator[tuple[ServiceAccountRef, dict[str, Any]]]:
        request: dict[str, Any] = {"TableName": self._table, "FilterExpression": condition, "ExpressionAttributeValues": values}
        while True:
            with translated(f"read the incidents in table {self._table}"):
                page = self._session.client("dynamodb").scan(**request, ConsistentRead=True)
            for row in page["Items"]:
                yield ServiceAccountRef.from_key(row[PARTITION_KEY]["S"].removeprefix("sa#")), row
            if not page.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


class EmptyIncidentList:
    """Implements `IncidentList` where no table exists."""

    def open(self) -> tuple[Incident, ...]:
        """Return no incidents."""
        return ()

    def past(self, since: datetime) -> tuple[PastIncident, ...]:  # the parameter is the port's
        """Return no incidents."""
        return ()


class NullEventBus:
    """Implements `EventsPort` where no event bus exists."""

    def put(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Discard the events."""
