"""The daily digest: one message for a day with incidents, no message otherwise, and retries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.application.daily_digest import DigestDependencies, DigestRequest, DigestResult, send_digest
from lambdas.application.workflow_steps import InProcessSteps
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import AccessDenied, Denial, TransientError
from lambdas.domain.incidents.incident import Incident
from sandbox.simulation.scenario import World as Told
from tests.fakes import ENVIRONMENT, Row
from tests.over_fakes.scenario_run import ScenarioRun
from tests.over_fakes.scenario_world import CLUSTER, world_of
from tests.unit.notifications.digest_days import DAYS
from tests.world import CallFault

if TYPE_CHECKING:
    from lambdas.domain.incidents.incident import PastIncident

TARGET = ServiceAccountRef(CLUSTER, "kube-system", "aws-node")


def run_with(*, past: list[PastIncident] | None = None, opened: bool = False, **world: Any) -> ScenarioRun:
    """A cluster with these incidents of the last day."""
    run = ScenarioRun(world_of(Told(**{"nodes": 3, **world})))
    incident = Incident(id="c0ffee123456", target=TARGET, opened_at=run.world.now - timedelta(hours=3), signals=2, request={})
    run.incidents.rows[TARGET.key] = Row(incident=incident if opened else None, past=past or [])
    return run


def digest_of(run: ScenarioRun) -> DigestResult:
    """Send the digest of the day that ends now."""
    desk = DigestDependencies(
        readers=run.ports.readers,
        incidents=run.incidents,
        notifier=run.notifier,
        log=run.ports.log,
        metrics=run.metrics,
        environment=ENVIRONMENT,
        now=lambda: run.world.now,
    )
    return send_digest(DigestRequest(until=run.world.now, clusters=(CLUSTER,)), InProcessSteps(sleep=run.world.sleep), desk)


def repaired(run: ScenarioRun) -> PastIncident:
    at = run.world.now - timedelta(hours=1)
    return replace(DAYS["repaired"].closed[0], target=TARGET, opened_at=at, closed_at=at)


def test_a_day_without_incidents_sends_no_message() -> None:
    run = run_with()
    outcome = digest_of(run)
    assert (outcome.is_sent, outcome.closed, outcome.still_open) == (False, 0, 0)
    assert run.notifier.sent == []


def test_a_day_with_a_repair_sends_one_message() -> None:
    run = run_with()
    run.incidents.rows[TARGET.key].past.append(repaired(run))
    assert digest_of(run).is_sent is True
    (message,) = run.notifier.sent
    assert "1 repaired" in message.subject
    assert message.attributes["outcome"] == "digest"


def test_an_open_incident_is_reported_with_its_current_fault() -> None:
    run = run_with(opened=True, annotation=None)
    assert digest_of(run).still_open == 1
    (message,) = run.notifier.sent
    assert "The ServiceAccount has no role annotation · open for 3 h" in message.text
    assert run.world.writes == []


def test_an_open_incident_of_an_unreadable_cluster_is_reported_without_its_fault() -> None:
    run = run_with(opened=True, annotation=None)
    run.world.call_faults.append(CallFault("eks.cluster", TransientError("throttled"), times=None))
    assert digest_of(run).is_sent is True
    assert f"{CLUSTER} kube-system/aws-node: open for 3 h" in run.notifier.sent[0].text


@pytest.mark.parametrize("door", ["parameters.load", "incidents.get", "incidents.history", "notifier.send"])
def test_a_transient_error_is_retried(door: str) -> None:
    run = run_with(opened=True)
    run.world.call_faults.append(CallFault(door, TransientError("throttled"), times=3))
    assert digest_of(run).is_sent is True
    assert len(run.notifier.sent) == 1


def test_a_permanent_outage_ends_the_retries() -> None:
    run = run_with(opened=True)
    run.world.call_faults.append(CallFault("notifier.send", TransientError("throttled"), times=None))
    began = run.world.now
    assert digest_of(run).is_sent is None
    assert timedelta(hours=5) < run.world.now - began < timedelta(hours=7)


def test_a_missing_grant_ends_the_digest_with_its_reason() -> None:
    run = run_with(opened=True)
    run.world.call_faults.append(CallFault("notifier.send", AccessDenied("tell the chat: AccessDenied", denial=Denial.FORBIDDEN)))
    outcome = digest_of(run)
    assert (outcome.is_sent, outcome.error) == (False, "tell the chat: AccessDenied")
