"""The digest's execution: one message where there is something to tell, none else, and patience where a door is closed for a moment."""

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
from tests.world import Trouble

if TYPE_CHECKING:
    from lambdas.domain.incidents.incident import PastIncident

TARGET = ServiceAccountRef(CLUSTER, "kube-system", "aws-node")


def played(*, past: list[PastIncident] | None = None, opened: bool = False, **world: Any) -> ScenarioRun:
    """A cluster with these incidents of the last day."""
    run = ScenarioRun(world_of(Told(**{"nodes": 3, **world})))
    incident = Incident(id="c0ffee123456", target=TARGET, opened_at=run.world.now - timedelta(hours=3), signals=2, request={})
    run.incidents.rows[TARGET.key] = Row(incident=incident if opened else None, past=past or [])
    return run


def told(run: ScenarioRun) -> DigestResult:
    """Sum up the day that ends now."""
    desk = DigestDependencies(
        readers=run.ports.readers,
        incidents=run.incidents,
        notifier=run.notifier,
        log=run.ports.log,
        environment=ENVIRONMENT,
        now=lambda: run.world.now,
    )
    return send_digest(DigestRequest(until=run.world.now, clusters=(CLUSTER,)), InProcessSteps(sleep=run.world.sleep), desk)


def repaired(run: ScenarioRun) -> PastIncident:
    at = run.world.now - timedelta(hours=1)
    return replace(DAYS["repaired"].closed[0], target=TARGET, opened_at=at, closed_at=at)


def test_a_day_without_incidents_is_not_told() -> None:
    run = played()
    outcome = told(run)
    assert (outcome.is_sent, outcome.closed, outcome.still_open) == (False, 0, 0)
    assert run.notifier.sent == []


def test_a_day_with_a_repair_is_one_message() -> None:
    run = played()
    run.incidents.rows[TARGET.key].past.append(repaired(run))
    assert told(run).is_sent is True
    (message,) = run.notifier.sent
    assert "1 repaired" in message.subject
    assert message.attributes["outcome"] == "digest"


def test_what_is_still_open_is_told_as_a_fresh_look_finds_it_and_nothing_is_written() -> None:
    run = played(opened=True, annotation=None)
    assert told(run).still_open == 1
    (message,) = run.notifier.sent
    assert "The ServiceAccount has no role annotation · open for 3 h" in message.text
    assert run.world.writes == []


def test_an_open_incident_of_a_cluster_that_cannot_be_read_is_told_without_what_is_broken() -> None:
    run = played(opened=True, annotation=None)
    run.world.troubles.append(Trouble("eks.cluster", TransientError("throttled"), times=None))
    assert told(run).is_sent is True
    assert f"{CLUSTER} kube-system/aws-node: open for 3 h" in run.notifier.sent[0].text


@pytest.mark.parametrize("door", ["parameters.load", "incidents.get", "incidents.history", "notifier.send"])
def test_a_door_that_is_closed_for_a_moment_is_waited_for(door: str) -> None:
    run = played(opened=True)
    run.world.troubles.append(Trouble(door, TransientError("throttled"), times=3))
    assert told(run).is_sent is True
    assert len(run.notifier.sent) == 1


def test_a_door_that_stays_closed_is_no_endless_wait() -> None:
    run = played(opened=True)
    run.world.troubles.append(Trouble("notifier.send", TransientError("throttled"), times=None))
    began = run.world.now
    assert told(run).is_sent is None
    assert timedelta(hours=5) < run.world.now - began < timedelta(hours=7)


def test_a_missing_grant_ends_it_with_its_reason() -> None:
    run = played(opened=True)
    run.world.troubles.append(Trouble("notifier.send", AccessDenied("tell the chat: AccessDenied", denial=Denial.FORBIDDEN)))
    outcome = told(run)
    assert (outcome.is_sent, outcome.error) == (False, "tell the chat: AccessDenied")
