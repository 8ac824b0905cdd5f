"""Silence the remediator: disable the key or the topics, or write times of the future into its table.

The attacker controls the key or the topics of the notifications, or one row of the incidents table.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.notifier import Notifier
from lambdas.application.check.results import NoFaultFound
from lambdas.contract import metrics
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import AccessDenied, Denial, NotFound, RemediatorError, TransientError
from lambdas.domain.incidents.incident import IdleState, Incident, Outcome, PastIncident, is_heartbeat_expired
from lambdas.domain.ports import Message
from tests.attacks.threat import Threat
from tests.fakes import Row
from tests.unit.checker.simulated_checker import TARGET, check, result_of, simulate, verdict_of
from tests.unit.workflow.test_daily_digest import digest_of, run_with
from tests.unit.workflow.workflow_run import run_workflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.over_fakes.scenario_run import ScenarioRun

THREAT = Threat(
    name="silence",
    actor="administrator of a key or topic, or writer of the table",
    controls="the key, the topics, or times in the table",
    attempt="let incidents go unnoticed: disable the key or the topics, or write a time in the future, which could also delay a repair",
    prevention="events, metrics and messages fail independently; a failure is a metric with an alarm on another path; times in "
    "the future count as never",
    proof=(
        "test_a_channel_that_fails_stops_no_other_and_is_counted",
        "test_a_digest_that_cannot_be_sent_is_counted",
        "test_a_topic_that_fails_does_not_stop_the_other_topic",
        "test_a_time_in_the_future_silences_no_check",
        "test_a_repair_in_the_future_blocks_no_repair",
    ),
    residual="whoever may delete the alarms",
)
DISABLED = AccessDenied("publish to the chat topic: KMSDisabledException the key is disabled", denial=Denial.FORBIDDEN)


ERRORS: dict[str, Exception] = {
    "the key is disabled": DISABLED,
    "the key is throttled": TransientError("publish to the chat topic: KMSThrottlingException"),
    "the topic is gone": NotFound("publish to the chat topic: NotFoundException"),
    "the event bus denies it": AccessDenied("put events: AccessDeniedException", denial=Denial.FORBIDDEN),
}
CHANNELS = {"notifier.send": "topics", "events.put": "bus"}
BROKEN = [("notifier.send",), ("events.put",), ("notifier.send", "events.put")]


@pytest.mark.parametrize("broken", BROKEN, ids=" and ".join)
@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_channel_that_fails_stops_no_other_and_is_counted(broken: tuple[str, ...], error: Exception) -> None:
    def fail(run: ScenarioRun) -> None:
        for call in broken:
            run.world.fail(call, error, times=None)

    done = run_workflow(first=fail)
    failed = {dimensions["channel"] for name, _, dimensions in done.run.metrics.counted if name == metrics.NOTIFICATION_FAILURES.name}
    events = [kind for kind, _ in done.run.bus.sent if kind.startswith("Remediation")]
    assert failed == {CHANNELS[call] for call in broken}
    assert bool(done.run.notifier.sent) is ("notifier.send" not in broken)
    assert events == ([] if "events.put" in broken else ["Remediation Started", "Remediation Verified"])
    assert metrics.REPAIRS.name in {name for name, _, _ in done.run.metrics.counted}
    assert any(f"not sent: {error}" in line for _, line, _ in done.run.log.lines)
    assert [past.outcome for past in done.run.incidents.closed] == [Outcome.VERIFIED]


def test_a_message_whose_record_cannot_be_written_is_sent() -> None:
    done = run_workflow(first=lambda run: run.world.fail("incidents.mark_notified", DISABLED, times=None))
    subjects = {message.subject for message in run_workflow().run.notifier.sent}
    assert subjects
    assert {message.subject for message in done.run.notifier.sent} == subjects


class BrokenTopics:
    """A session whose topics with these names answer with this error code."""

    def __init__(self, names: tuple[str, ...], code: str) -> None:
        self.names, self.code = names, code
        self.published: list[str] = []

    def client(self, _: str) -> BrokenTopics:
        return self

    def publish(self, *, TopicArn: str, **_: object) -> None:  # noqa: N803  # a member of the API
        if TopicArn in self.names:
            answer: Any = {"Error": {"Code": self.code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise ClientError(answer, "Publish")
        self.published.append(TopicArn)


MESSAGE = Message(thread="t", subject="s", chat="{}", text="t", attributes={})
# Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors
CODES = ["KMSDisabled", "KMSAccessDenied", "KMSInvalidState", "KMSNotFound", "KMSThrottling", "NotFound", "InternalError"]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("names", [("chat",), ("people",), ("chat", "people")], ids=" and ".join)
def test_a_topic_that_fails_does_not_stop_the_other_topic(names: tuple[str, ...], code: str) -> None:
    session: Any = BrokenTopics(names, code)
    with pytest.raises(RemediatorError, match=r"publish to the (chat|mail) topic"):
        Notifier(session, chat_topic_arn="chat", people_topic_arn="people").send(MESSAGE)
    assert session.published == [name for name in ("chat", "people") if name not in names]


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


@pytest.mark.parametrize("closed_at", [timedelta(minutes=11), FUTURE, datetime.max.replace(tzinfo=UTC)], ids=str)
def test_a_repair_in_the_future_blocks_no_repair(closed_at: timedelta | datetime) -> None:
    """Three of them would be a cool-down without an end, too many repairs and a tug of war."""

    def forge(run: ScenarioRun) -> None:
        now = run.world.now
        at = now + closed_at if isinstance(closed_at, timedelta) else closed_at
        incident = Incident(id="forged", target=TARGET, opened_at=now, signals=1, request={})
        past = PastIncident(
            id="forged",
            target=incident.target,
            opened_at=now,
            closed_at=at,
            outcome=Outcome.VERIFIED,
            verdict=Verdict.ANNOTATION_MISSING,
            trigger="sweep",
            changes=("annotate-service-account",),
            signals=1,
        )
        run.incidents.rows[TARGET.key] = Row(past=[past] * 3)

    done = run_workflow(first=forge)
    assert done.run.outcome().outcome == "verified"
    assert "annotate" in done.writes
