"""One check is on duty, and the others leave their signal to it: over table, fake and memory, as `test_incidents.py`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.domain.incidents.check_lease import LASTS, without_lease
from lambdas.domain.incidents.incident import AlreadyAnswered, CheckRequirements, Deferred, IdleState, NodesSeen
from tests.integration.adapters.aws import TABLE
from tests.integration.adapters.incidents import FAR, NOW, SECOND, incident, lease_holder, past, signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambdas.adapters.incidents import Incidents
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.ports import IncidentsPort
    from sandbox.aws.local_aws import LocalAws


def test_one_check_is_on_duty_and_the_others_leave_their_signal_to_it(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    duty = lease_holder(incidents, target, "a")
    assert (duty.lease_holder, duty.signals) == ("a", 1)
    assert incidents.signal(target, signal(FAR, "b")) == incidents.signal(target, signal(FAR, "c")) == Deferred("a")


def test_a_check_ends_only_when_no_signal_came_since_it_began_to_look(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    duty = lease_holder(incidents, target, "a")
    incidents.signal(target, signal(FAR, "b"))
    again = incidents.finish_check(target, duty, NOW)
    assert again is not None
    assert (again.lease_holder, again.signals, again.known_good_at) == ("a", 2, None)
    assert incidents.finish_check(target, again, NOW + SECOND) is None
    assert lease_holder(incidents, target, "c") == IdleState(known_good_at=NOW + SECOND, lease_holder="c", lease_since=NOW, signals=1)


def test_what_is_left_tells_whoever_looks_of_nodes_and_of_who_did_it(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    duty = lease_holder(incidents, target, "a")
    incidents.signal(target, signal(FAR, "b", requirements=frozenset({CheckRequirements.NODES, CheckRequirements.ANEW})))
    incidents.signal(target, signal(FAR, "c", request={"actor": {"who": "jane"}}))
    incidents.signal(target, signal(FAR, "d"))
    again = incidents.finish_check(target, duty, NOW)
    assert again is not None
    assert (again.requirements, again.request, again.signals) == (
        {CheckRequirements.NODES, CheckRequirements.ANEW},
        {"actor": {"who": "jane"}},
        4,
    )
    assert incidents.finish_check(target, again, NOW + SECOND, NodesSeen.SETTLED) is None
    assert without_lease(lease_holder(incidents, target)) == IdleState(known_good_at=NOW + SECOND, nodes_seen_at=NOW + SECOND)


@pytest.mark.parametrize(("after", "gone"), [(LASTS, False), (LASTS + timedelta(microseconds=1), True)], ids=["just in time", "just over"])
def test_a_check_that_is_gone_is_relieved(incidents: IncidentsPort, target: ServiceAccountRef, after: timedelta, gone: bool) -> None:
    duty = lease_holder(incidents, target, "a")
    met = incidents.signal(target, signal(FAR, "b", at=NOW + after))
    assert met == (IdleState(lease_holder="b", lease_since=NOW + after, signals=2) if gone else Deferred("a"))
    ended = incidents.finish_check(target, duty, NOW)
    assert ended == (None if gone else IdleState(lease_holder="a", lease_since=NOW, signals=2))


def test_a_check_that_was_relieved_ends_nobody_elses_duty(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    former = lease_holder(incidents, target, "a")
    duty = lease_holder(incidents, target, "b", at=NOW + 2 * LASTS)
    assert incidents.finish_check(target, former, NOW) is None
    incidents.release_check(target, former)
    assert incidents.signal(target, signal(FAR, "c", at=NOW + 2 * LASTS)) == Deferred("b")
    assert incidents.finish_check(target, duty, NOW) is not None, "the third signal is unseen"


def test_what_a_check_leaves_behind_is_the_next_ones(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    duty = lease_holder(incidents, target, "a", request={"actor": {"who": "jane"}})
    incidents.signal(target, signal(FAR, "b"))
    incidents.release_check(target, duty)
    following = lease_holder(incidents, target, "c")
    assert (following.lease_holder, following.signals, following.request) == ("c", 3, {"actor": {"who": "jane"}})


def test_a_quiet_signal_looks_where_nobody_else_does(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    assert incidents.signal(target, signal(FAR, quiet=True)) == IdleState()
    duty = lease_holder(incidents, target, "a")
    assert incidents.signal(target, signal(FAR, "b", quiet=True)) == Deferred("a")
    assert incidents.finish_check(target, replace(duty, signals=2), NOW) is None
    assert incidents.signal(target, signal(NOW - SECOND, "c", quiet=True)) == AlreadyAnswered(NOW)


def test_a_quiet_signal_takes_up_what_was_left_behind(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    gone = lease_holder(incidents, target, "a")
    met = incidents.signal(target, signal(FAR, "b", at=NOW + 2 * LASTS, quiet=True))
    assert met == IdleState(lease_holder="b", lease_since=NOW + 2 * LASTS, signals=2)
    incidents.release_check(target, replace(gone, lease_holder="b"))
    assert incidents.signal(target, signal(FAR, "c", quiet=True)) == IdleState(lease_holder="c", lease_since=NOW, signals=3)


def test_a_quiet_check_writes_only_what_is_still_so(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    quiet = incidents.signal(target, signal(FAR, quiet=True))
    assert isinstance(quiet, IdleState)
    duty = lease_holder(incidents, target)
    assert incidents.finish_check(target, quiet, NOW + 5 * SECOND) is None
    assert incidents.finish_check(target, duty, NOW) is None
    assert incidents.finish_check(target, quiet, NOW - SECOND) is None
    later = incidents.signal(target, signal(FAR, quiet=True))
    assert later == IdleState(known_good_at=NOW)
    assert incidents.finish_check(target, later, NOW + SECOND) is None
    assert incidents.signal(target, signal(FAR, quiet=True)) == IdleState(known_good_at=NOW + SECOND)


def test_an_incident_counts_what_was_left_and_ends_the_duty(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    duty = lease_holder(incidents, target, "a")
    incidents.signal(target, signal(FAR, "b"))
    opened = incidents.claim(incident(target, signals=0))
    assert opened.signals == 2
    assert incidents.finish_check(target, duty, NOW) is None
    assert incidents.close(past(opened), 2, None)
    assert lease_holder(incidents, target, "c") == IdleState(lease_holder="c", lease_since=NOW, signals=1)


def test_a_second_claim_of_a_check_counts_its_signal_once(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    lease_holder(incidents, target, "a")
    lease_holder(incidents, target, "b", at=NOW + 2 * LASTS)
    first = incidents.claim(incident(target, signals=0))
    assert incidents.claim(incident(target, "b", signals=0)) == first
    assert first.signals == 2


COMES: dict[str, Callable[[Incidents, ServiceAccountRef], object]] = {
    "a signal": lambda table, target: table.signal(target, signal(FAR)),
    "a person's claim, or a sweep's": lambda table, target: table.claim(incident(target)),
    "a sweep that finds the cluster well": lambda table, target: table.finish_check(target, IdleState(), NOW),
}


@pytest.mark.parametrize("comes", COMES.values(), ids=COMES)
def test_the_row_of_a_cluster_that_is_none_expires_unless_something_comes(
    table: Incidents, target: ServiceAccountRef, local_aws: LocalAws, comes: Callable[[Incidents, ServiceAccountRef], object]
) -> None:
    def row() -> dict[str, Any]:
        found = local_aws.client("dynamodb").scan(TableName=TABLE)["Items"]
        return next(item for item in found if item["pk"]["S"] == f"sa#{target.key}")

    table.release_check(target, lease_holder(table, target), forget=NOW)
    assert set(row()) == {"pk", "sk", "expires_at"}
    comes(table, target)
    assert set(row()) > {"pk", "sk"}
    assert "expires_at" not in row()


def test_whoever_is_quicker_to_relieve_is_on_duty_and_the_other_leaves_its_signal(
    table: Incidents, target: ServiceAccountRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease_holder(table, target, "a")
    later, relieving = NOW + 2 * LASTS, table._relieve

    def after_another(*arguments: Any) -> Any:
        monkeypatch.undo()
        assert isinstance(table.signal(target, signal(FAR, "quick", at=later)), IdleState)
        return relieving(*arguments)

    monkeypatch.setattr(table, "_relieve", after_another)
    assert table.signal(target, signal(FAR, "slow", at=later)) == Deferred("quick")


def test_whoever_comes_to_relieve_a_check_that_ended_just_then_is_on_duty(
    table: Incidents, target: ServiceAccountRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    duty, relieving = lease_holder(table, target, "a"), table._relieve

    def after_its_end(*arguments: Any) -> Any:
        monkeypatch.undo()
        table.release_check(target, duty)
        return relieving(*arguments)

    monkeypatch.setattr(table, "_relieve", after_its_end)
    assert isinstance(table.signal(target, signal(FAR, "b", at=NOW + 2 * LASTS)), IdleState)
