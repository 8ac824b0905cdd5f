"""Start the remediator for a target or an incident that no check has opened, or beside the one that holds the incident."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.domain.incidents.incident import Incident
from lambdas.remediator import handler
from tests.attacks.threat import Threat
from tests.unit.workflow.workflow_run import TARGET, run_workflow

if TYPE_CHECKING:
    from tests.over_fakes.scenario_run import ScenarioRun

THREAT = Threat(
    name="forged incident",
    actor="invoker of the remediator",
    controls="`lambda:InvokeFunction` on the remediator",
    attempt="have a target repaired that no check has found broken, repeat a closed incident, or run two repairs at once",
    prevention="the payload names a row; id, target and execution must match an open one, which is read again right before each write",
    proof=("test_a_payload_that_matches_no_open_row_starts_nothing", "test_a_run_whose_incident_was_taken_over_writes_nothing"),
    residual="a writer of the table can open, close and delay incidents and lift or trip the limits of history: protect the table as "
    "you protect the parameters. Each run assesses the cluster again, so a forged row alone causes no write to a healthy workload",
)
OPEN: dict[str, Any] = {"incident_id": "real", "target": TARGET.key}
PAYLOADS: dict[str, dict[str, Any]] = {
    "another id": OPEN | {"incident_id": "forged"},
    "no id": OPEN | {"incident_id": None},
    "a list of ids": OPEN | {"incident_id": ["real"]},
    "another target": OPEN | {"target": "demo/kube-system/coredns"},
    "a later execution": OPEN | {"execution": 2},
    "an earlier execution": OPEN | {"execution": 0},
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_payload_that_matches_no_open_row_starts_nothing(payload: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[ScenarioRun] = []
    done = run_workflow(first=opened.append)
    at = done.run.world.now
    incident = Incident(id="real", target=TARGET, opened_at=at, signals=1, request={}, started=True)
    done.run.incidents.rows[TARGET.key].incident = incident
    monkeypatch.setattr(handler, "incidents", lambda: done.run.incidents)
    real = handler.open_incident(OPEN).incident
    assert real
    assert real.id == "real"
    assert handler.open_incident(payload).incident is None


@pytest.mark.parametrize("step", ["1 assess", "1 claim"])
def test_a_run_whose_incident_was_taken_over_writes_nothing(step: str) -> None:
    taken: list[str] = []

    def take_over(run: ScenarioRun) -> None:
        ours = run.incidents.get(TARGET)
        assert ours
        run.incidents.take_over(ours, replace(ours, id="successor"))
        taken.append(step)

    done = run_workflow(before={step: take_over})
    assert taken == [step]
    assert done.run.world.writes == []
    assert done.run.incidents.closed == []
