"""Signals that come while an incident is open, and an incident that another has taken over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lambdas.domain.incidents.incident import Incident, Signal
from tests.unit.workflow.staged import REPAIR, TARGET, annotates, hangs, signalled, staged

if TYPE_CHECKING:
    from tests.over_fakes.performance import Performance


def test_a_signal_that_no_look_has_seen_lets_it_look_again_before_it_closes() -> None:
    def again(play: Performance) -> None:
        play.incidents.signal(TARGET, Signal(occurred_at=play.world.now, check="another", at=play.world.now))
        annotates(None)(play)

    done = staged(before={"2 close": again})
    assert done.outcome == "verified"
    assert done.writes.count("annotate") == 2
    assert "3 assess" in map(str, done.steps.done)
    assert done.play.incidents.closed[-1].signals == 2


def test_what_was_proven_before_says_nothing_of_a_repair_since() -> None:
    def again(play: Performance) -> None:
        play.incidents.signal(TARGET, Signal(occurred_at=play.world.now, check="another", at=play.world.now))
        annotates(None)(play)

    done = staged(before={"2 close": again, "3 verify": hangs("ImagePullBackOff")})
    assert done.told == ["repairing", "verified", "repairing", "needs-action"]
    assert done.outcome == "needs-action"


def test_a_signal_of_nothing_new_costs_a_look_and_closes() -> None:
    done = staged(before={"2 close": signalled})
    assert (done.outcome, done.writes) == ("verified", REPAIR)
    assert "3 assess" not in map(str, done.steps.done)
    assert done.play.incidents.closed[-1].signals == 2


def test_an_incident_that_another_execution_has_taken_over_is_its_to_close() -> None:
    def taken(play: Performance) -> None:
        ours = play.incidents.get(TARGET)
        assert ours
        play.incidents.take_over(ours, replace(ours, id="successor"))

    done = staged(before={"2 close": taken})
    found = done.play.incidents.get(TARGET)
    assert isinstance(found, Incident)
    assert found.id == "successor"
    assert done.play.incidents.closed == []
