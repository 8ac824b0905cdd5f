"""One check is on duty, and the others leave their signal to it: over table, fake and memory, as `test_incidents.py`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.domain.incidents.check_lease import LASTS, relieved
from lambdas.domain.incidents.incident import Answered, Asks, Free, Left, NodesSeen
from tests.integration.adapters.aws import TABLE
from tests.integration.adapters.incidents import FAR, NOW, SECOND, incident, on_duty, past, signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambdas.adapters.incidents import Incidents
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.ports import IncidentsPort
    from sandbox.aws.local import LocalAws


def test_one_check_is_on_duty_and_the_others_leave_their_signal_to_it(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    duty = on_duty(incidents, target, "a")
    assert (duty.on_duty, duty.signals) == ("a", 1)
    assert incidents.signal(target, signal(FAR, "b")) == incidents.signal(target, signal(FAR, "c")) == Left("a")


def test_a_check_ends_only_when_no_signal_came_since_it_began_to_look(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    duty = on_duty(incidents, target, "a")
    incidents.signal(target, signal(FAR, "b"))
    again = incidents.finish(target, duty, NOW)
    assert again is not None
    assert (again.on_duty, again.signals, again.known_good_at) == ("a", 2, None)
    assert incidents.finish(target, again, NOW + SECOND) is None
    assert on_duty(incidents, target, "c") == Free(known_good_at=NOW + SECOND, on_duty="c", on_duty_since=NOW, signals=1)


def test_what_is_left_tells_whoever_looks_of_nodes_and_of_who_did_it(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    duty = on_duty(incidents, target, "a")
    incidents.signal(target, signal(FAR, "b", asks=frozenset({Asks.NODES, Asks.ANEW})))
    incidents.signal(target, signal(FAR, "c", told={"actor": {"who": "jane"}}))
    incidents.signal(target, signal(FAR, "d"))
    again = incidents.finish(target, duty, NOW)
    assert again is not None
    assert (again.asks, again.told, again.signals) == ({Asks.NODES, Asks.ANEW}, {"actor": {"who": "jane"}}, 4)
    assert incidents.finish(target, again, NOW + SECOND, NodesSeen.SETTLED) is None
    assert relieved(on_duty(incidents, target)) == Free(known_good_at=NOW + SECOND, nodes_seen_at=NOW + SECOND)


@pytest.mark.parametrize(("after", "gone"), [(LASTS, False), (LASTS + timedelta(microseconds=1), True)], ids=["just in time", "just over"])
def test_a_check_that_is_gone_is_relieved(incidents: IncidentsPort, target: ServiceAccountRef, after: timedelta, gone: bool) -> None:
    duty = on_duty(incidents, target, "a")
    met = incidents.signal(target, signal(FAR, "b", at=NOW + after))
    assert met == (Free(on_duty="b", on_duty_since=NOW + after, signals=2) if gone else Left("a"))
    ended = incidents.finish(target, duty, NOW)
    assert ended == (None if gone else Free(on_duty="a", on_duty_since=NOW, signals=2))


def test_a_check_that_was_relieved_ends_nobody_elses_duty(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    former = on_duty(incidents, target, "a")
    duty = on_duty(incidents, target, "b", at=NOW + 2 * LASTS)
    assert incidents.finish(target, former, NOW) is None
    incidents.let_go(target, former)
    assert incidents.signal(target, signal(FAR, "c", at=NOW + 2 * LASTS)) == Left("b")
    assert incidents.finish(target, duty, NOW) is not None, "the third signal is unseen"


def test_what_a_check_leaves_behind_is_the_next_ones(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    duty = on_duty(incidents, target, "a", told={"actor": {"who": "jane"}})
    incidents.signal(target, signal(FAR, "b"))
    incidents.let_go(target, duty)
    following = on_duty(incidents, target, "c")
    assert (following.on_duty, following.signals, following.told) == ("c", 3, {"actor": {"who": "jane"}})


def test_a_quiet_signal_looks_where_nobody_else_does(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    assert incidents.signal(target, signal(FAR, quiet=True)) == Free()
    duty = on_duty(incidents, target, "a")
    assert incidents.signal(target, signal(FAR, "b", quiet=True)) == Left("a")
    assert incidents.finish(target, replace(duty, signals=2), NOW) is None
    assert incidents.signal(target, signal(NOW - SECOND, "c", quiet=True)) == Answered(NOW)


def test_a_quiet_signal_takes_up_what_was_left_behind(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    gone = on_duty(incidents, target, "a")
    met = incidents.signal(target, signal(FAR, "b", at=NOW + 2 * LASTS, quiet=True))
    assert met == Free(on_duty="b", on_duty_since=NOW + 2 * LASTS, signals=2)
    incidents.let_go(target, replace(gone, on_duty="b"))
    assert incidents.signal(target, signal(FAR, "c", quiet=True)) == Free(on_duty="c", on_duty_since=NOW, signals=3)


def test_a_quiet_check_writes_only_what_is_still_so(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    quiet = incidents.signal(target, signal(FAR, quiet=True))
    assert isinstance(quiet, Free)
    duty = on_duty(incidents, target)
    assert incidents.finish(target, quiet, NOW + 5 * SECOND) is None
    assert incidents.finish(target, duty, NOW) is None
    assert incidents.finish(target, quiet, NOW - SECOND) is None
    later = incidents.signal(target, signal(FAR, quiet=True))
    assert later == Free(known_good_at=NOW)
    assert incidents.finish(target, later, NOW + SECOND) is None
    assert incidents.signal(target, signal(FAR, quiet=True)) == Free(known_good_at=NOW + SECOND)


def test_an_incident_counts_what_was_left_and_ends_the_duty(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    duty = on_duty(incidents, target, "a")
    incidents.signal(target, signal(FAR, "b"))
    opened = incidents.claim(incident(target, signals=0))
    assert opened.signals == 2
    assert incidents.finish(target, duty, NOW) is None
    assert incidents.close(past(opened), 2, None)
    assert on_duty(incidents, target, "c") == Free(on_duty="c", on_duty_since=NOW, signals=1)


def test_a_second_claim_of_a_check_counts_its_signal_once(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    on_duty(incidents, target, "a")
    on_duty(incidents, target, "b", at=NOW + 2 * LASTS)
    first = incidents.claim(incident(target, signals=0))
    assert incidents.claim(incident(target, "b", signals=0)) == first
    assert first.signals == 2


COMES: dict[str, Callable[[Incidents, ServiceAccountRef], object]] = {
    "a signal": lambda table, target: table.signal(target, signal(FAR)),
    "a person's claim, or a sweep's": lambda table, target: table.claim(incident(target)),
    "a sweep that finds the cluster well": lambda table, target: table.finish(target, Free(), NOW),
}


@pytest.mark.parametrize("comes", COMES.values(), ids=COMES)
def test_the_row_of_a_cluster_that_is_none_expires_unless_something_comes(
    table: Incidents, target: ServiceAccountRef, local_aws: LocalAws, comes: Callable[[Incidents, ServiceAccountRef], object]
) -> None:
    def row() -> dict[str, Any]:
        found = local_aws.client("dynamodb").scan(TableName=TABLE)["Items"]
        return next(it for it in found if it["pk"]["S"] == f"sa#{target.key}")

    table.let_go(target, on_duty(table, target), forget=NOW)
    assert set(row()) == {"pk", "sk", "expires_at"}
    comes(table, target)
    assert set(row()) > {"pk", "sk"}
    assert "expires_at" not in row()


def test_whoever_is_quicker_to_relieve_is_on_duty_and_the_other_leaves_its_signal(
    table: Incidents, target: ServiceAccountRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_duty(table, target, "a")
    later, relieving = NOW + 2 * LASTS, table._relieve

    def after_another(*arguments: Any) -> Any:
        monkeypatch.undo()
        assert isinstance(table.signal(target, signal(FAR, "quick", at=later)), Free)
        return relieving(*arguments)

    monkeypatch.setattr(table, "_relieve", after_another)
    assert table.signal(target, signal(FAR, "slow", at=later)) == Left("quick")


def test_whoever_comes_to_relieve_a_check_that_ended_just_then_is_on_duty(
    table: Incidents, target: ServiceAccountRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    duty, relieving = on_duty(table, target, "a"), table._relieve

    def after_its_end(*arguments: Any) -> Any:
        monkeypatch.undo()
        table.let_go(target, duty)
        return relieving(*arguments)

    monkeypatch.setattr(table, "_relieve", after_its_end)
    assert isinstance(table.signal(target, signal(FAR, "b", at=NOW + 2 * LASTS)), Free)
