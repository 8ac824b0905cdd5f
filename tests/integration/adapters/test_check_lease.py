"""The check lease, over the DynamoDB table and in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.domain.incidents.check_lease import LEASE_DURATION, without_lease
from lambdas.domain.incidents.incident import AlreadyAnswered, CheckRequirement, Deferred, IdleState, NodesState
from tests.integration.adapters.incident_builders import FAR, NOW, SECOND, incident, past, signal, take_lease
from tests.integration.adapters.local_session import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambdas.adapters.incidents import Incidents
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.ports import IncidentsPort
    from sandbox.aws.local_aws import LocalAws


def test_one_check_holds_the_lease_and_the_others_defer_their_signals(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    state = take_lease(incidents, target, "a")
    assert (state.lease_holder, state.signals) == ("a", 1)
    assert incidents.signal(target, signal(FAR, "b")) == incidents.signal(target, signal(FAR, "c")) == Deferred("a")


def test_a_check_finishes_only_if_no_signal_arrived_since_it_began(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    state = take_lease(incidents, target, "a")
    incidents.signal(target, signal(FAR, "b"))
    again = incidents.finish_check(target, state, NOW)
    assert again is not None
    assert (again.lease_holder, again.signals, again.known_good_at) == ("a", 2, None)
    assert incidents.finish_check(target, again, NOW + SECOND) is None
    assert take_lease(incidents, target, "c") == IdleState(known_good_at=NOW + SECOND, lease_holder="c", lease_since=NOW, signals=1)


def test_deferred_signals_pass_on_their_requirements_and_actor(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    state = take_lease(incidents, target, "a")
    incidents.signal(target, signal(FAR, "b", requirements=frozenset({CheckRequirement.NODES, CheckRequirement.UNCACHED})))
    incidents.signal(target, signal(FAR, "c", request={"actor": {"who": "jane"}}))
    incidents.signal(target, signal(FAR, "d"))
    again = incidents.finish_check(target, state, NOW)
    assert again is not None
    assert (again.requirements, again.request, again.signals) == (
        {CheckRequirement.NODES, CheckRequirement.UNCACHED},
        {"actor": {"who": "jane"}},
        4,
    )
    assert incidents.finish_check(target, again, NOW + SECOND, NodesState.SETTLED) is None
    assert without_lease(take_lease(incidents, target)) == IdleState(known_good_at=NOW + SECOND, nodes_seen_at=NOW + SECOND)


@pytest.mark.parametrize(
    ("after", "gone"), [(LEASE_DURATION, False), (LEASE_DURATION + timedelta(microseconds=1), True)], ids=["just in time", "just over"]
)
def test_an_expired_lease_is_taken(incidents: IncidentsPort, target: ServiceAccountRef, after: timedelta, gone: bool) -> None:
    state = take_lease(incidents, target, "a")
    result = incidents.signal(target, signal(FAR, "b", at=NOW + after))
    assert result == (IdleState(lease_holder="b", lease_since=NOW + after, signals=2) if gone else Deferred("a"))
    ended = incidents.finish_check(target, state, NOW)
    assert ended == (None if gone else IdleState(lease_holder="a", lease_since=NOW, signals=2))


def test_a_check_that_lost_its_lease_does_not_release_the_lease_of_another(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    former = take_lease(incidents, target, "a")
    state = take_lease(incidents, target, "b", at=NOW + 2 * LEASE_DURATION)
    assert incidents.finish_check(target, former, NOW) is None
    incidents.release_check(target, former)
    assert incidents.signal(target, signal(FAR, "c", at=NOW + 2 * LEASE_DURATION)) == Deferred("b")
    assert incidents.finish_check(target, state, NOW) is not None, "the third signal is unseen"


def test_signals_of_a_released_lease_go_to_the_next_check(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    state = take_lease(incidents, target, "a", request={"actor": {"who": "jane"}})
    incidents.signal(target, signal(FAR, "b"))
    incidents.release_check(target, state)
    following = take_lease(incidents, target, "c")
    assert (following.lease_holder, following.signals, following.request) == ("c", 3, {"actor": {"who": "jane"}})


def test_a_quiet_signal_runs_a_check_without_a_lease_if_no_check_holds_one(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    assert incidents.signal(target, signal(FAR, quiet=True)) == IdleState()
    state = take_lease(incidents, target, "a")
    assert incidents.signal(target, signal(FAR, "b", quiet=True)) == Deferred("a")
    assert incidents.finish_check(target, replace(state, signals=2), NOW) is None
    assert incidents.signal(target, signal(NOW - 2 * SECOND, "c", quiet=True)) == AlreadyAnswered(NOW)


def test_a_quiet_signal_takes_the_lease_if_signals_are_unanswered(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    gone = take_lease(incidents, target, "a")
    result = incidents.signal(target, signal(FAR, "b", at=NOW + 2 * LEASE_DURATION, quiet=True))
    assert result == IdleState(lease_holder="b", lease_since=NOW + 2 * LEASE_DURATION, signals=2)
    incidents.release_check(target, replace(gone, lease_holder="b"))
    assert incidents.signal(target, signal(FAR, "c", quiet=True)) == IdleState(lease_holder="c", lease_since=NOW, signals=3)


def test_a_quiet_check_writes_only_if_the_row_is_unchanged(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    quiet = incidents.signal(target, signal(FAR, quiet=True))
    assert isinstance(quiet, IdleState)
    state = take_lease(incidents, target)
    assert incidents.finish_check(target, quiet, NOW + 5 * SECOND) is None
    assert incidents.finish_check(target, state, NOW) is None
    assert incidents.finish_check(target, quiet, NOW - SECOND) is None
    later = incidents.signal(target, signal(FAR, quiet=True))
    assert later == IdleState(known_good_at=NOW)
    assert incidents.finish_check(target, later, NOW + SECOND) is None
    assert incidents.signal(target, signal(FAR, quiet=True)) == IdleState(known_good_at=NOW + SECOND)


def test_an_incident_counts_the_deferred_signals_and_ends_the_lease(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    state = take_lease(incidents, target, "a")
    incidents.signal(target, signal(FAR, "b"))
    opened = incidents.claim(incident(target, signals=0))
    assert opened.signals == 2
    assert incidents.finish_check(target, state, NOW) is None
    assert incidents.close(past(opened), 2, None)
    assert take_lease(incidents, target, "c") == IdleState(lease_holder="c", lease_since=NOW, signals=1)


def test_a_second_claim_of_a_check_counts_its_signal_once(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    take_lease(incidents, target, "a")
    take_lease(incidents, target, "b", at=NOW + 2 * LEASE_DURATION)
    first = incidents.claim(incident(target, signals=0))
    assert incidents.claim(incident(target, "b", signals=0)) == first
    assert first.signals == 2


COMES: dict[str, Callable[[Incidents, ServiceAccountRef], object]] = {
    "a signal": lambda table, target: table.signal(target, signal(FAR)),
    "a person's claim, or a sweep's": lambda table, target: table.claim(incident(target)),
    "a sweep that finds no fault": lambda table, target: table.finish_check(target, IdleState(), NOW),
}


@pytest.mark.parametrize("comes", COMES.values(), ids=COMES)
def test_the_row_of_a_missing_cluster_expires_unless_another_write_follows(
    table: Incidents, target: ServiceAccountRef, local_aws: LocalAws, comes: Callable[[Incidents, ServiceAccountRef], object]
) -> None:
    def row() -> dict[str, Any]:
        found = local_aws.client("dynamodb").scan(TableName=TABLE)["Items"]
        return next(item for item in found if item["pk"]["S"] == f"sa#{target.key}")

    table.release_check(target, take_lease(table, target), forget=NOW)
    assert set(row()) == {"pk", "sk", "expires_at"}
    comes(table, target)
    assert set(row()) > {"pk", "sk"}
    assert "expires_at" not in row()


def test_of_two_checks_that_take_an_expired_lease_the_slower_one_defers_its_signal(
    table: Incidents, target: ServiceAccountRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_lease(table, target, "a")
    later, relieving = NOW + 2 * LEASE_DURATION, table._take_expired_lease

    def after_another(*arguments: Any) -> Any:
        monkeypatch.undo()
        assert isinstance(table.signal(target, signal(FAR, "quick", at=later)), IdleState)
        return relieving(*arguments)

    monkeypatch.setattr(table, "_take_expired_lease", after_another)
    assert table.signal(target, signal(FAR, "slow", at=later)) == Deferred("quick")


def test_a_check_takes_a_lease_that_was_released_while_it_tried_to_take_it_over(
    table: Incidents, target: ServiceAccountRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, relieving = take_lease(table, target, "a"), table._take_expired_lease

    def after_its_end(*arguments: Any) -> Any:
        monkeypatch.undo()
        table.release_check(target, state)
        return relieving(*arguments)

    monkeypatch.setattr(table, "_take_expired_lease", after_its_end)
    assert isinstance(table.signal(target, signal(FAR, "b", at=NOW + 2 * LEASE_DURATION)), IdleState)
