"""Silence the remediator: disable the key or the topics, or write times of the future into its table.

The attacker controls the key or the topics of the notifications, or one row of the incidents table.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from lambdas.application.check.results import NoFaultFound
from lambdas.contract import metrics
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.incidents.incident import IdleState, is_heartbeat_expired
from tests.attacks.threat import Threat
from tests.fakes import Row
from tests.unit.checker.simulated_checker import TARGET, check, result_of, simulate, verdict_of
from tests.unit.workflow.test_daily_digest import digest_of, run_with
from tests.unit.workflow.workflow_run import run_workflow

THREAT = Threat(
    name="silence",
    actor="administrator of a key or topic, or writer of the table",
    controls="the key, the topics, or times in the table",
    attempt="let incidents go unnoticed: disable the key or the topics, or write a time in the future",
    prevention="events, metrics and messages fail independently; a failure is a metric with an alarm on another path; times in "
    "the future count as never",
    proof=(
        "test_a_channel_that_fails_stops_no_other_and_is_counted",
        "test_a_digest_that_cannot_be_sent_is_counted",
        "test_a_time_in_the_future_silences_no_check",
    ),
    residual="whoever may delete the alarms",
)
DISABLED = AccessDenied("publish to the chat topic: KMSDisabledException the key is disabled", denial=Denial.FORBIDDEN)


@pytest.mark.parametrize(("broken", "channel"), [("notifier.send", "topics"), ("events.put", "bus")])
def test_a_channel_that_fails_stops_no_other_and_is_counted(broken: str, channel: str) -> None:
    done = run_workflow(first=lambda run: run.world.fail(broken, DISABLED, times=None))
    failed = {dimensions["channel"] for name, _, dimensions in done.run.metrics.counted if name == metrics.NOTIFICATION_FAILURES.name}
    events = [kind for kind, _ in done.run.bus.sent if kind.startswith("Remediation")]
    assert failed == {channel}
    assert bool(done.run.notifier.sent) is (channel == "bus")
    assert events == ([] if channel == "bus" else ["Remediation Started", "Remediation Verified"])
    assert metrics.REPAIRS.name in {name for name, _, _ in done.run.metrics.counted}


def test_a_digest_that_cannot_be_sent_is_counted() -> None:
    run = run_with(opened=True)
    run.world.fail("notifier.send", DISABLED, times=None)
    assert digest_of(run).is_sent is False
    assert [(name, dimensions) for name, _, dimensions in run.metrics.counted] == [
        (metrics.NOTIFICATION_FAILURES.name, {"channel": "topics"})
    ]


FUTURE = timedelta(days=365)
ROWS = {
    "a healthy check": lambda at: IdleState(known_good_at=at, nodes_seen_at=at),
    "a lease": lambda at: IdleState(lease_holder="attacker", lease_since=at, signals=1),
    "a report of a missing cluster": lambda at: IdleState(gone_notified_at=at),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_time_in_the_future_silences_no_check(row: Callable[[datetime], IdleState]) -> None:
    simulation = simulate(annotation=None)
    simulation.incidents.rows[TARGET.key] = Row(idle=row(simulation.world.now + FUTURE))
    assert verdict_of(check(simulation)) in (Verdict.ANNOTATION_MISSING, Verdict.ANNOTATION_WIPED)


def test_a_healthy_check_overwrites_a_time_in_the_future() -> None:
    simulation = simulate()
    at = simulation.world.now + FUTURE
    simulation.incidents.rows[TARGET.key] = Row(idle=IdleState(known_good_at=at, nodes_seen_at=at))
    assert result_of(check(simulation)) == NoFaultFound(Verdict.NO_FAULT_FOUND)
    known_good_at = simulation.incidents.rows[TARGET.key].idle.known_good_at
    assert known_good_at is not None
    assert known_good_at <= simulation.world.now


def test_a_heartbeat_in_the_future_does_not_keep_an_incident() -> None:
    simulation = simulate(annotation=None)
    check(simulation)
    incident = simulation.incidents.get(TARGET)
    assert incident
    assert is_heartbeat_expired(replace(incident, heartbeat_at=simulation.world.now + FUTURE), simulation.world.now)
