"""The state that the actors share: cluster, table row, executions and events, as one hashable value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters.lambda_functions import execution_name
from lambdas.domain.incidents.details import NO_DETAILS
from lambdas.domain.ports import IncidentsPort
from tests import fakes
from tests.chaos.protocol.programs import TARGET
from tests.chaos.protocol.replay import Call, Known, known
from tests.world import NOON

if TYPE_CHECKING:
    from lambdas.domain.incidents.incident import Incident

_INCIDENTS: Final = frozenset(name for name in vars(IncidentsPort) if not name.startswith("_"))


@dataclass(frozen=True)
class Shared:
    """The state that every actor may read or change, as a hashable value.

    `held`: the mode blocks repairs. `row` is that of the table. `executions` are `(incident, status)`. `unchecked` are events that no
    check has followed yet, `foreign_repairs` the incidents that were repaired without being held, `requested` the times (minutes) of events
    that a check published for itself. `hands_over`: each execution hands over before its second iteration.
    """

    broken: bool = False
    held: bool = False
    now: float = 0
    row: Known = field(default_factory=lambda: known(fakes.Row()))
    executions: tuple[tuple[str, str], ...] = ()
    unchecked: frozenset[int] = frozenset()
    foreign_repairs: tuple[str, ...] = ()
    requested: tuple[float, ...] = ()
    hands_over: bool = False

    @property
    def lease_holder(self) -> str:
        """The check that holds the lease, running or crashed."""
        return str(self.row.value.idle.lease_holder)

    @property
    def incident(self) -> Incident | None:
        found: Incident | None = self.row.value.incident
        return found


@dataclass(frozen=True)
class Rules:
    """How the outside answers: `incidents` is the table. A sown fault is another class, or a start that is not idempotent."""

    incidents: type[fakes.FakeIncidents] = fakes.FakeIncidents
    idempotent_start: bool = True

    def answer(self, call: Call, shared: Shared) -> tuple[Any, Shared]:
        """The result of a call and the shared state after it."""
        if call.what in _INCIDENTS:
            return self._table(call, shared)
        return getattr(self, f"_{call.what}")(shared, *call.arguments)

    def _table(self, call: Call, shared: Shared) -> tuple[Any, Shared]:
        table = self.incidents()
        row = shared.row.value
        table.rows[TARGET.key] = replace(row, past=list(row.past))
        try:
            result = getattr(table, call.what)(*call.arguments)
        except Exception as error:  # noqa: BLE001  # whatever the table answers is what the code gets
            result = error
        after = table.rows[TARGET.key]
        return result, replace(shared, row=known(replace(after, past=[replace(item, details=NO_DETAILS) for item in after.past])))

    def _now(self, shared: Shared) -> tuple[float, Shared]:
        return shared.now, shared

    def _observe(self, shared: Shared) -> tuple[str, Shared]:
        return "broken" if shared.broken else "whole", replace(shared, unchecked=frozenset())

    def _observe_at(self, shared: Shared, by_person: bool) -> tuple[tuple[str, float], Shared]:
        found = "whole" if not shared.broken else "held" if shared.held and not by_person else "broken"
        return (found, shared.now), replace(shared, unchecked=frozenset())

    def _act(self, shared: Shared, incident: str) -> tuple[None, Shared]:
        """Repair the cluster. An actor that does so without holding the incident is recorded."""
        holds = shared.incident is not None and shared.incident.id == incident
        return None, replace(shared, broken=False, foreign_repairs=shared.foreign_repairs if holds else (*shared.foreign_repairs, incident))

    def _put(self, shared: Shared, events: list[tuple[str, dict[str, Any]]]) -> tuple[None, Shared]:
        times = tuple((datetime.fromisoformat(detail["occurredAt"]) - NOON).total_seconds() / 60 for _, detail in events)
        return None, replace(shared, requested=(*shared.requested, *times))

    def _start(self, shared: Shared, incident: Incident) -> tuple[str, Shared]:
        name = execution_name(incident)
        same = [execution for execution in shared.executions if execution[0] == name]
        number = 0 if self.idempotent_start else len(same)
        begun = shared.executions if same and self.idempotent_start else (*shared.executions, (name, "RUNNING"))
        return f"{name}/{number}", replace(shared, executions=begun)

    def _running(self, shared: Shared, arn: str) -> tuple[bool, Shared]:
        name = arn.partition("/")[0]
        return any(execution == (name, "RUNNING") for execution in shared.executions), shared
