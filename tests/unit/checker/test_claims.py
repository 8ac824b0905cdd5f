"""Claims and executions: started once, made good where a checker died, taken over where nobody works any more."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lambdas.application.check.pipeline import run
from lambdas.domain.errors import TransientError
from tests.over_fakes import events
from tests.unit.checker.staged import TARGET, asked, stage


def test_a_checker_that_dies_between_claim_and_start_is_made_good_by_the_next_signal() -> None:
    play = stage(annotation=None)
    play.world.fail("remediator.start", TransientError("throttled"), times=1)
    with pytest.raises(TransientError):
        asked(play)
    claimed = play.incidents.get(TARGET)
    assert claimed
    assert not claimed.started
    asked(play)
    assert [arn.split("/")[-2] for arn in play.remediator.executions] == [claimed.id]


def test_a_start_whose_answer_is_lost_starts_one_execution() -> None:
    play = stage(annotation=None)
    play.world.fail("remediator.start", TransientError("reset"), times=1, after=True)
    with pytest.raises(TransientError):
        asked(play)
    asked(play)
    assert len(play.remediator.executions) == 1


@pytest.mark.parametrize(("event", "taken"), [("sweep", True), ("check-requested", True), ("addon-event", False)])
def test_an_incident_whose_execution_has_ended_is_taken_over_by_the_sweep_or_a_person(event: str, taken: bool) -> None:
    play = stage(annotation=None)
    asked(play)
    first = play.incidents.get(TARGET)
    assert first
    play.remediator.executions = dict.fromkeys(play.remediator.executions, "FAILED")
    announced = events.announcement(event, play.world.now)
    assert announced
    if event == "sweep":
        run(announced, play.ports)
        announced = events.own(play.bus.sent[-1][0], play.bus.sent[-1][1], play.world.now)
    run(announced, play.ports)
    now = play.incidents.get(TARGET)
    assert now
    assert (now.id != first.id) is taken
    assert len(play.remediator.executions) == (2 if taken else 1)
    assert now.signals >= 2


def test_an_execution_that_still_runs_is_left_alone() -> None:
    play = stage(annotation=None)
    asked(play)
    first = play.incidents.get(TARGET)
    asked(play)
    now = play.incidents.get(TARGET)
    assert first
    assert now
    assert (now.id, now.signals) == (first.id, 2)


@pytest.mark.parametrize(
    ("silent_for", "taken"), [(timedelta(minutes=6), False), (timedelta(minutes=6, seconds=1), True)], ids=["beats", "silent"]
)
def test_a_persons_incident_is_theirs_while_they_give_a_sign_of_life(silent_for: timedelta, taken: bool) -> None:
    play = stage(annotation=None)
    asked(play)
    row = play.incidents.rows[TARGET.key]
    assert row.incident
    row.incident = replace(
        row.incident, holder="arn:aws:iam::111122223333:user/dana", started=False, heartbeat_at=play.world.now - silent_for
    )
    first = row.incident.id
    asked(play)
    now = play.incidents.get(TARGET)
    assert now
    assert (now.id != first) is taken
