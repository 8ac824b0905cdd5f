"""Incidents across clusters as the table holds them, and what stands in where none is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.adapters import incident_items as items
from lambdas.adapters.aws_errors import translated
from lambdas.contract.incidents import PARTITION_KEY, SORT_KEY
from lambdas.contract.parameters import ServiceAccountRef

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.domain.incidents.incident import Incident, PastIncident
    from lambdas.domain.ports import IncidentsPort


class TableRegister:
    """Implements `Register` by scanning: the table holds ninety days of rare events, and only a person asks for all of them."""

    def __init__(self, session: AwsSession, table: str) -> None:
        self._session = session
        self._table = table

    def open(self) -> tuple[Incident, ...]:
        """Open incidents, oldest first."""
        rows = self._rows(f"{SORT_KEY} = :now AND attribute_exists(incident_id)", {":now": {"S": "now"}})
        return tuple(sorted((items.incident(target, row) for target, row in rows), key=lambda item: item.opened_at))

    def past(self, since: datetime) -> tuple[PastIncident, ...]:
        """Incidents closed since then, newest first."""
        values = {":since": items.past_from(since), ":end": items.AFTER_EVERY_PAST}
        rows = self._rows(f"{SORT_KEY} BETWEEN :since AND :end", values)
        return tuple(sorted((items.past(target, row) for target, row in rows), key=lambda item: item.closed_at, reverse=True))

    def _rows(self, condition: str, values: Mapping[str, Any]) -> Iterator[tuple[ServiceAccountRef, dict[str, Any]]]:
        asked: dict[str, Any] = {"TableName": self._table, "FilterExpression": condition, "ExpressionAttributeValues": values}
        while True:
            with translated(f"read the incidents in table {self._table}"):
                page = self._session.client("dynamodb").scan(**asked, ConsistentRead=True)
            for row in page["Items"]:
                yield ServiceAccountRef.from_key(row[PARTITION_KEY]["S"].removeprefix("sa#")), row
            if not page.get("LastEvaluatedKey"):
                return
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]


class NoRegister:
    """No table, no incidents."""

    def open(self) -> tuple[Incident, ...]:
        """None."""
        return ()

    def past(self, since: datetime) -> tuple[PastIncident, ...]:  # as the port has it
        """None."""
        return ()


class NoBus:
    """Nobody listens where nothing is deployed."""

    def put(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Nothing is sent."""


def in_memory() -> IncidentsPort:
    """Incidents for the length of one command."""
    from cli.memory import MemoryIncidents

    return MemoryIncidents()
