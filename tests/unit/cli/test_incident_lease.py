"""A person's run holds its incident while it lives, and gives it back however it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cli.fixing import _desk

from cli.errors import CommandError
from cli.interactive.incident_lease import IncidentLease, LeaseLost, claim
from cli.interactive.progress_display import ProgressDisplay
from cli.interactive.steps import InteractiveSteps
from lambdas.application.check.dependencies import CheckDependencies
from lambdas.application.check.pipeline import check_target
from lambdas.application.check.results import IncidentTakenOver, SignalCounted
from lambdas.application.remediation.workflow import remediate
from lambdas.application.workflow_steps import PollSchedule
from lambdas.domain.errors import TransientError
from lambdas.domain.incidents.incident import HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, REMEDIATOR, Incident, Outcome, Signal
from lambdas.domain.requests.request import CheckRequest, Trigger
from tests.fakes import FakeLog, FakeMetrics, FakeRemediator
from tests.unit.cli.fake_dependencies import CALLER, Fakes, fake_dependencies
from tests.unit.cli.sessions import BROKEN, TARGET, opened
from tests.world import NOON, described

SECOND = timedelta(seconds=1)


@pytest.fixture
def fakes() -> Fakes:
    return fake_dependencies(described(BROKEN))


def ports(fakes: Fakes) -> CheckDependencies:
    """The checker's, over the same world."""
    return CheckDependencies(
        readers=fakes.dependencies.readers,
        uncached_readers=fakes.dependencies.readers,
        incidents=fakes.incidents,
        remediator=FakeRemediator(fakes.world),
        events=fakes.events,
        metrics=FakeMetrics(),
        log=FakeLog(),
        environment=fakes.dependencies.environment,
        now=fakes.world.clock,
    )


def sweep(fakes: Fakes) -> CheckRequest:
    return CheckRequest(trigger=Trigger.SWEEP, occurred_at=fakes.world.now, event_id="sweep", cluster="demo")


def test_a_claim_is_the_persons_and_starts_no_execution(fakes: Fakes) -> None:
    held = claim(TARGET, "/binding", fakes.dependencies)
    assert (held.holder, held.started, held.heartbeat_at) == (CALLER, True, NOON)
    assert held.request["trigger"] == "person"
    checker = ports(fakes)
    assert check_target(TARGET, sweep(fakes), checker, deadline=fakes.world.now) == SignalCounted(incident_id=held.id, signals=2)
    assert isinstance(checker.remediator, FakeRemediator)
    assert checker.remediator.executions == {}


@pytest.mark.parametrize(("silence", "taken"), [(HEARTBEAT_TIMEOUT, False), (HEARTBEAT_TIMEOUT + SECOND, True)], ids=["just there", "gone"])
def test_a_sweep_takes_over_from_who_is_silent_for_too_long(fakes: Fakes, silence: timedelta, taken: bool) -> None:
    held = claim(TARGET, None, fakes.dependencies)
    fakes.world.now += silence
    result = check_target(TARGET, sweep(fakes), ports(fakes), deadline=fakes.world.now)
    assert isinstance(result, IncidentTakenOver) is taken
    now = fakes.incidents.get(TARGET)
    assert now is not None
    assert (now.holder == REMEDIATOR) is taken


FREE: dict[str, tuple[Incident, str, bool]] = {
    "the remediator repairs": (opened(), "1 acting", False),
    "the remediator has only begun": (opened(), "", False),
    "the remediator watches": (opened(), "2 needs-action", True),
    "the remediator reminds": (opened(), "2 reminder 1", True),
    "it waits for an answer": (opened(callback_id="c"), "1 withheld", False),
    "another person holds it": (opened(holder="arn:joe", heartbeat_at=NOON), "", False),
    "another person has gone": (opened(holder="arn:joe", heartbeat_at=NOON - timedelta(hours=1)), "", True),
}


@pytest.mark.parametrize(("there", "told", "free"), FREE.values(), ids=FREE)
def test_a_person_takes_over_only_where_nobody_works(fakes: Fakes, there: Incident, told: str, free: bool) -> None:
    fakes.incidents.claim(there)
    if told:
        fakes.incidents.mark_notified(there, told)
    if free:
        assert claim(TARGET, None, fakes.dependencies).holder == CALLER
    else:
        with pytest.raises(CommandError, match=there.id):
            claim(TARGET, None, fakes.dependencies)
        assert fakes.incidents.get(TARGET) == there


def test_a_beat_that_does_not_arrive_is_made_good_by_the_next(fakes: Fakes) -> None:
    held = claim(TARGET, None, fakes.dependencies)
    holding = IncidentLease(held, fakes.incidents, fakes.world.clock)
    fakes.world.fail("incidents.beat", TransientError("throttled"))
    fakes.world.now += SECOND
    holding.renew_heartbeat()
    holding.renew()
    holding.renew_heartbeat()
    assert fakes.incidents.get(TARGET) == replace(held, heartbeat_at=NOON + SECOND)


def test_a_run_whose_incident_was_taken_over_does_nothing_more(fakes: Fakes) -> None:
    held = claim(TARGET, None, fakes.dependencies)
    holding = IncidentLease(held, fakes.incidents, fakes.world.clock)
    fakes.incidents.take_over(held, opened(id="successor"))
    holding.renew_heartbeat()
    steps = InteractiveSteps(sleep=fakes.world.sleep, answer=lambda _: {"approved": True, "by": CALLER}, holding=holding)
    with pytest.raises(LeaseLost, match="taken over"):
        remediate(held, steps, _desk(held, fakes.dependencies, ProgressDisplay()))
    assert fakes.world.writes == []


def test_a_run_learns_before_its_next_step_that_it_slept_for_too_long(fakes: Fakes) -> None:
    """Without waiting for the next beat: a laptop that wakes goes on at once."""
    held = claim(TARGET, None, fakes.dependencies)
    holding = IncidentLease(held, fakes.incidents, fakes.world.clock)
    fakes.incidents.take_over(held, opened(id="successor"))
    with pytest.raises(LeaseLost, match="was taken over"):
        holding.renew()


@pytest.mark.parametrize(
    ("silence", "goes_on"),
    [(HEARTBEAT_TIMEOUT - HEARTBEAT_INTERVAL, True), (HEARTBEAT_TIMEOUT - HEARTBEAT_INTERVAL + SECOND, False)],
    ids=["just in time", "over"],
)
def test_a_run_that_cannot_say_that_it_is_there_stops_before_it_counts_as_gone(fakes: Fakes, silence: timedelta, goes_on: bool) -> None:
    held = claim(TARGET, None, fakes.dependencies)
    holding = IncidentLease(held, fakes.incidents, fakes.world.clock)
    fakes.world.fail("incidents.beat", TransientError("no network"), times=None)
    fakes.world.now += silence
    if goes_on:
        holding.renew()
    else:
        with pytest.raises(LeaseLost, match="may have been taken over"):
            holding.renew()


def test_a_signal_that_a_broken_off_run_has_not_seen_is_looked_after_before_it_closes(fakes: Fakes) -> None:
    held = claim(TARGET, None, fakes.dependencies)
    desk = _desk(held, fakes.dependencies, ProgressDisplay())
    desk.look(1, {})
    fakes.incidents.signal(TARGET, Signal(occurred_at=NOON, check="another", at=NOON))
    looks = fakes.world.reads.count("cluster.service_account")
    desk.release()
    assert fakes.world.reads.count("cluster.service_account") == looks + 1
    (past,) = fakes.incidents.history(TARGET, NOON - SECOND)
    assert past.signals == 2


ENDINGS: dict[str, type[BaseException]] = {"interrupted": KeyboardInterrupt, "a defect": ZeroDivisionError}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_run_that_is_broken_off_leaves_a_closed_incident_that_tells_what_was_done(
    fakes: Fakes, ending: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from cli.main import app

    def broken_off(*_: object) -> None:
        raise ending

    monkeypatch.setattr("cli.clients.connection.connect", lambda _: fakes.dependencies)
    monkeypatch.setattr("cli.interactive.steps.AttendedDesk.prove", broken_off)
    CliRunner().invoke(app, ["fix", "--yes"])
    assert fakes.incidents.get(TARGET) is None
    (past,) = fakes.incidents.history(TARGET, NOON - SECOND)
    assert past.outcome is Outcome.NEEDS_ACTION
    assert past.changes == ("annotate-service-account", "replace-canary-pod", "restart-workload", "update-addon-role")


def test_where_the_workflow_would_watch_for_days_the_run_ends(fakes: Fakes) -> None:
    steps = InteractiveSteps(sleep=fakes.world.sleep)
    looked: list[int] = []
    state = steps.until("3 watch 1", lambda _: looked.append(1) or {}, lambda _: False, PollSchedule(timeout_s=3600))
    assert state == {"timed_out": True}
    assert looked == []


def test_messages_reach_colleagues_and_no_reminder_does(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from cli.main import app

    monkeypatch.setattr("cli.clients.connection.connect", lambda _: fakes.dependencies)
    assert CliRunner().invoke(app, ["fix", "--yes"]).exit_code == 0
    assert [item.attributes["outcome"] for item in fakes.notifier.sent] == ["repairing", "verified"]
    assert [kind for kind, _ in fakes.events.sent] == ["Remediation Started", "Remediation Verified"]
