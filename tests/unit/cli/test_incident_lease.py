"""An interactive run holds the lease of its incident, and closes the incident however the run ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cli.commands.fix import _remediation_steps
from cli.errors import CommandError, ExitCode
from cli.interactive.incident_lease import IncidentLease, LeaseLost, claim
from cli.interactive.progress_display import ProgressDisplay
from cli.interactive.steps import InteractiveSteps
from lambdas.application.check.dependencies import CheckDependencies
from lambdas.application.check.pipeline import check_target
from lambdas.application.check.results import IncidentOpened, IncidentTakenOver, SignalCounted
from lambdas.application.remediation.results import AssessmentResult
from lambdas.application.remediation.workflow import remediate
from lambdas.application.workflow_steps import PollSchedule, StepId, StepPurpose
from lambdas.domain.errors import TransientError
from lambdas.domain.incidents.incident import HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, REMEDIATOR, FormerRepair, Incident, Outcome, Signal
from lambdas.domain.requests.request import CheckRequest, Trigger
from tests.fakes import FakeChecks, FakeLog, FakeMetrics, FakeRemediator
from tests.unit.cli.fake_dependencies import CALLER, Fakes, fake_dependencies
from tests.unit.cli.sessions import BROKEN, TARGET, opened
from tests.world import NOON, described

SECOND = timedelta(seconds=1)


@pytest.fixture
def fakes() -> Fakes:
    return fake_dependencies(described(BROKEN))


def checker_dependencies(fakes: Fakes) -> CheckDependencies:
    """Return the dependencies of the checker over the same world."""
    return CheckDependencies(
        readers=fakes.dependencies.readers,
        uncached_readers=fakes.dependencies.readers,
        incidents=fakes.incidents,
        remediator=FakeRemediator(fakes.world),
        events=fakes.events,
        checks=FakeChecks(fakes.world, bus=fakes.events),
        metrics=FakeMetrics(),
        log=FakeLog(),
        environment=fakes.dependencies.environment,
        now=fakes.world.clock,
    )


def sweep(fakes: Fakes) -> CheckRequest:
    return CheckRequest(trigger=Trigger.SWEEP, occurred_at=fakes.world.now, event_id="sweep", cluster="demo")


def test_a_claim_names_the_caller_and_starts_no_execution(fakes: Fakes) -> None:
    incident = claim(TARGET, "/binding", fakes.dependencies)
    assert (incident.holder, incident.started, incident.heartbeat_at) == (CALLER, True, NOON)
    assert incident.request["trigger"] == "person"
    checker = checker_dependencies(fakes)
    assert check_target(TARGET, sweep(fakes), checker, deadline=fakes.world.now) == SignalCounted(incident_id=incident.id, signals=2)
    assert isinstance(checker.remediator, FakeRemediator)
    assert checker.remediator.executions == {}


@pytest.mark.parametrize(
    ("silence", "is_taken_over"), [(HEARTBEAT_TIMEOUT, False), (HEARTBEAT_TIMEOUT + SECOND, True)], ids=["just there", "gone"]
)
def test_a_sweep_takes_over_an_incident_whose_heartbeat_expired(fakes: Fakes, silence: timedelta, is_taken_over: bool) -> None:
    claim(TARGET, None, fakes.dependencies)
    fakes.world.now += silence
    result = check_target(TARGET, sweep(fakes), checker_dependencies(fakes), deadline=fakes.world.now)
    assert isinstance(result, IncidentTakenOver) is is_taken_over
    now = fakes.incidents.get(TARGET)
    assert now is not None
    assert (now.holder == REMEDIATOR) is is_taken_over


EXISTING: dict[str, tuple[Incident, str, bool]] = {
    "the remediator repairs": (opened(), "1 repairing", False),
    "the remediator has just started": (opened(), "", False),
    "the remediator watches": (opened(), "2 needs-action", True),
    "the remediator reminds": (opened(), "2 reminder 1", True),
    "the remediator sent a notification that this version does not know": (opened(), "2 escalated", False),
    "it waits for approval": (opened(callback_id="c"), "1 blocked", False),
    "another person works on it": (opened(holder="arn:joe", heartbeat_at=NOON), "", False),
    "heartbeat of another person expired": (opened(holder="arn:joe", heartbeat_at=NOON - timedelta(hours=1)), "", True),
}


@pytest.mark.parametrize(("existing", "notified", "may_take_over"), EXISTING.values(), ids=EXISTING)
def test_a_caller_takes_over_only_an_abandoned_incident(fakes: Fakes, existing: Incident, notified: str, may_take_over: bool) -> None:
    fakes.incidents.claim(existing)
    if notified:
        fakes.incidents.mark_notified(existing, notified)
    if may_take_over:
        assert claim(TARGET, None, fakes.dependencies).holder == CALLER
    else:
        with pytest.raises(CommandError, match=existing.id):
            claim(TARGET, None, fakes.dependencies)
        assert fakes.incidents.get(TARGET) == existing


def test_a_migration_takes_over_what_its_caller_left(fakes: Fakes) -> None:
    """The process that was killed, or that still runs elsewhere, may write nothing more."""
    former = claim(TARGET, None, fakes.dependencies)
    with pytest.raises(CommandError):
        claim(TARGET, None, fakes.dependencies)
    assert claim(TARGET, None, fakes.dependencies, takes_own=True).id != former.id
    with pytest.raises(LeaseLost):
        IncidentLease(former, fakes.incidents, fakes.world.clock).renew()


def test_the_next_heartbeat_makes_up_for_a_failed_one(fakes: Fakes) -> None:
    incident = claim(TARGET, None, fakes.dependencies)
    lease = IncidentLease(incident, fakes.incidents, fakes.world.clock)
    fakes.world.fail("incidents.renew_heartbeat", TransientError("throttled"))
    fakes.world.now += SECOND
    lease.heartbeat()
    lease.renew()
    lease.heartbeat()
    assert fakes.incidents.get(TARGET) == replace(incident, heartbeat_at=NOON + SECOND)


def test_a_run_stops_when_its_incident_was_taken_over(fakes: Fakes) -> None:
    incident = claim(TARGET, None, fakes.dependencies)
    lease = IncidentLease(incident, fakes.incidents, fakes.world.clock)
    fakes.incidents.take_over(incident, opened(id="successor"))
    lease.heartbeat()
    steps = InteractiveSteps(sleep=fakes.world.sleep, answer=lambda _: {"approved": True, "by": CALLER}, lease=lease)
    with pytest.raises(LeaseLost, match="took over"):
        remediate(incident, steps, _remediation_steps(incident, fakes.dependencies, ProgressDisplay()))
    assert fakes.world.writes == []


def test_a_run_checks_its_lease_before_each_step(fakes: Fakes) -> None:
    """A laptop that wakes up runs the next step before the next heartbeat."""
    incident = claim(TARGET, None, fakes.dependencies)
    lease = IncidentLease(incident, fakes.incidents, fakes.world.clock)
    fakes.incidents.take_over(incident, opened(id="successor"))
    with pytest.raises(LeaseLost, match="took over"):
        lease.renew()


@pytest.mark.parametrize(
    ("silence", "continues"),
    [(HEARTBEAT_TIMEOUT - HEARTBEAT_INTERVAL, True), (HEARTBEAT_TIMEOUT - HEARTBEAT_INTERVAL + SECOND, False)],
    ids=["just in time", "over"],
)
def test_a_run_without_acknowledged_heartbeats_stops_before_the_lease_expires(fakes: Fakes, silence: timedelta, continues: bool) -> None:
    incident = claim(TARGET, None, fakes.dependencies)
    lease = IncidentLease(incident, fakes.incidents, fakes.world.clock)
    fakes.world.fail("incidents.renew_heartbeat", TransientError("no network"), times=None)
    fakes.world.now += silence
    if continues:
        lease.renew()
    else:
        with pytest.raises(LeaseLost, match="may have taken over"):
            lease.renew()


def test_an_interrupted_run_assesses_a_new_signal_before_it_closes(fakes: Fakes) -> None:
    incident = claim(TARGET, None, fakes.dependencies)
    remediation_steps = _remediation_steps(incident, fakes.dependencies, ProgressDisplay())
    remediation_steps.assess(1, AssessmentResult())
    fakes.incidents.signal(TARGET, Signal(occurred_at=NOON, check="another", at=NOON))
    reads = fakes.world.reads.count("cluster.service_account")
    remediation_steps.close_interrupted(Outcome.INTERRUPTED)
    assert fakes.world.reads.count("cluster.service_account") == reads + 1
    (past,) = fakes.incidents.history(TARGET, NOON - SECOND)
    assert past.signals == 2


ENDINGS: dict[str, tuple[type[BaseException], Outcome]] = {
    "interrupted": (KeyboardInterrupt, Outcome.INTERRUPTED),
    "a defect": (ZeroDivisionError, Outcome.NEEDS_ACTION),
}


@pytest.mark.parametrize(("ending", "outcome"), ENDINGS.values(), ids=ENDINGS)
def test_an_interrupted_run_closes_its_incident_with_the_applied_changes(
    fakes: Fakes, ending: type[BaseException], outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.main import app
    from tests.cli_runner import CliRunner

    def interrupt(*_: object) -> None:
        raise ending

    monkeypatch.setattr("cli.clients.connection.connect", lambda _: fakes.dependencies)
    monkeypatch.setattr("cli.interactive.steps.InteractiveRemediationSteps.verify", interrupt)
    result = CliRunner().invoke(app, ["fix", "--yes"])
    if ending is KeyboardInterrupt:
        assert result.exit_code == ExitCode.INTERRUPTED
        for text in ("is closed with the outcome interrupted", "Done: annotation set", "Continues without this command", "check --cluster"):
            assert text in result.output
    assert fakes.incidents.get(TARGET) is None
    (past,) = fakes.incidents.history(TARGET, NOON - SECOND)
    assert past.outcome is outcome
    assert past.changes == ("annotate-service-account", "replace-canary-pod", "restart-workload", "update-addon-role")


def test_the_run_ends_where_the_workflow_would_watch_for_days(fakes: Fakes) -> None:
    steps = InteractiveSteps(sleep=fakes.world.sleep)
    initial, later = AssessmentResult(), AssessmentResult(signals=1)
    step = StepId(StepPurpose.WATCH, iteration=3, part="1")
    assert steps.until(step, initial, lambda _: later, lambda _: False, PollSchedule(timeout_s=3600)) is initial
    assert steps.until(StepId(StepPurpose.ASSESS), initial, lambda _: later, lambda _: True, PollSchedule(timeout_s=3600)) is later


def test_notifications_are_sent_and_reminders_are_not(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.main import app
    from tests.cli_runner import CliRunner

    monkeypatch.setattr("cli.clients.connection.connect", lambda _: fakes.dependencies)
    assert CliRunner().invoke(app, ["fix", "--yes"]).exit_code == 0
    assert [message.attributes["outcome"] for message in fakes.notifier.sent] == ["repairing", "verified"]
    assert [kind for kind, _ in fakes.events.sent] == ["Remediation Started", "Remediation Verified"]


def test_a_run_with_a_fast_clock_answers_no_signal_of_the_minutes_to_come(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.main import app
    from tests.cli_runner import CliRunner

    monkeypatch.setattr("cli.clients.connection.connect", lambda _: fakes.dependencies)
    assert CliRunner().invoke(app, ["fix", "--yes"]).exit_code == 0
    fakes.world.now -= timedelta(minutes=3)  # the time of everyone else
    fakes.world.set_annotation(fakes.world.clusters[TARGET.cluster], (TARGET.namespace, TARGET.name), None, "kubectl")
    result = check_target(TARGET, sweep(fakes), checker_dependencies(fakes), deadline=fakes.world.now)
    assert isinstance(result, IncidentOpened)


def test_a_person_who_takes_over_a_repair_that_has_failed_may_repair(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.main import app
    from tests.cli_runner import CliRunner

    former = fakes.incidents.claim(opened())
    for key in ("1 repairing", "1 needs-action"):
        fakes.incidents.mark_notified(former, key)
    claimed = claim(TARGET, None, fakes.dependencies)
    assert (claimed.holder, claimed.former_repair) == (CALLER, FormerRepair.FAILED)
    monkeypatch.setattr("cli.clients.connection.connect", lambda _: fakes.dependencies)
    monkeypatch.setattr("cli.interactive.incident_lease.claim", lambda *_, **__: claimed)
    assert CliRunner().invoke(app, ["fix", "--yes"]).exit_code == 0
    assert [message.attributes["outcome"] for message in fakes.notifier.sent] == ["repairing", "verified"]
