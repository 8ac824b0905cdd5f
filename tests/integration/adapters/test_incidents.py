"""Incidents and history, over the DynamoDB table and in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.domain.errors import Conflict
from lambdas.domain.incidents.details import NO_DETAILS
from lambdas.domain.incidents.incident import AlreadyAnswered, IdleState, Incident, Outcome
from tests.integration.adapters.incident_builders import FAR, NOW, SECOND, incident, past, record_healthy_check, signalled

if TYPE_CHECKING:
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.ports import IncidentsPort


def test_the_first_claim_opens_and_the_next_joins(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    first = incident(target)
    assert incidents.claim(first) == first == incidents.get(target)
    assert incidents.claim(incident(target, "b")) == replace(first, signals=2)
    assert signalled(incidents, target, NOW) == replace(first, signals=3)


def test_a_repeated_claim_is_idempotent(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    first = incident(target)
    incidents.claim(first)
    assert incidents.claim(first) == first


def test_an_open_incident_counts_signals_even_after_a_healthy_check(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    record_healthy_check(incidents, target, NOW + timedelta(hours=1))
    incidents.claim(incident(target))
    assert isinstance(signalled(incidents, target, NOW), Incident)


def test_every_field_of_an_incident_is_kept(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    full = incident(target, holder="arn:aws:iam::1:user/x", binding_path="/b", opened_at=NOW.replace(microsecond=123))
    incidents.claim(full)
    incidents.mark_started(full, "arn:execution")
    incidents.mark_approval_requested(full, "callback")
    assert incidents.get(target) == replace(full, started=True, execution_arn="arn:execution", callback_id="callback")
    incidents.mark_approval_requested(full, None)
    assert incidents.get(target) == replace(full, started=True, execution_arn="arn:execution")


def test_writes_to_a_closed_incident_change_nothing(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    ended, successor = incident(target), incident(target, "b")
    incidents.claim(successor)
    incidents.mark_started(ended, "arn:execution")
    assert incidents.mark_notified(ended, "found") is False
    assert incidents.notified_states(ended) == frozenset()
    with pytest.raises(Conflict):
        incidents.mark_approval_requested(ended, "callback")
    assert incidents.get(target) == successor


def test_a_take_over_keeps_the_count_of_signals(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    ended = incident(target, execution_arn="arn:old", callback_id="c", binding_path="/b")
    incidents.claim(ended)
    signalled(incidents, target, NOW)
    incidents.mark_notified(ended, "found")
    successor = incident(target, "b")
    assert incidents.take_over(ended, successor) == replace(successor, signals=3) == incidents.get(target)
    assert incidents.notified_states(successor) == frozenset()


def test_of_two_take_overs_one_succeeds_and_the_other_joins(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    ended = incident(target)
    incidents.claim(ended)
    first = incidents.take_over(ended, incident(target, "b"))
    assert incidents.take_over(ended, incident(target, "c")) == replace(first, signals=3)


def test_a_repeated_take_over_is_idempotent(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    ended, successor = incident(target), incident(target, "b")
    incidents.claim(ended)
    assert incidents.take_over(ended, successor) == incidents.take_over(ended, successor)


def test_taking_over_a_closed_incident_opens_a_new_one(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    ended, successor = incident(target), incident(target, "b")
    assert incidents.take_over(ended, successor) == successor


def test_only_the_holder_of_an_incident_marks_it_as_repairing(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine, other = incident(target), incident(target, "b")
    assert not incidents.mark_repairing(mine, True), "nothing is open"
    incidents.claim(mine)
    assert incidents.mark_repairing(mine, True)
    assert incidents.get(target) == replace(mine, repairing=True, has_begun_repair=True)
    assert incidents.mark_repairing(mine, True), "a step that is repeated"
    assert not incidents.mark_repairing(other, True)
    assert not incidents.mark_repairing(other, False)
    assert incidents.get(target) == replace(mine, repairing=True, has_begun_repair=True)
    assert incidents.mark_repairing(mine, False)
    assert incidents.get(target) == replace(mine, has_begun_repair=True)


@pytest.mark.parametrize("began", [True, False], ids=["began to act", "stopped"])
def test_a_take_over_fails_if_the_repair_began_or_ended_since_the_incident_was_read(
    incidents: IncidentsPort, target: ServiceAccountRef, began: bool
) -> None:
    mine = incident(target)
    incidents.claim(mine)
    incidents.mark_repairing(mine, not began)
    seen = replace(mine, repairing=not began)
    incidents.mark_repairing(mine, began)
    assert incidents.take_over(seen, incident(target, "b")) == replace(mine, repairing=began, has_begun_repair=True, signals=2)
    assert incidents.take_over(replace(seen, repairing=began), incident(target, "c")).id.endswith("-c")
    assert not incidents.mark_repairing(mine, True), "it has become another's"
    assert not getattr(incidents.get(target), "has_begun_repair", True), "its own repair has not begun"


def test_a_closed_incident_is_not_repairing(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine, following = incident(target), incident(target, "b")
    incidents.claim(mine)
    incidents.mark_repairing(mine, True)
    assert incidents.close(past(mine), 1, None)
    assert not incidents.mark_repairing(mine, True)
    assert incidents.claim(following) == following


def test_notified_states_are_recorded_once(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target)
    incidents.claim(mine)
    assert [incidents.mark_notified(mine, state) for state in ("found", "repairing", "found")] == [True] * 3
    assert incidents.notified_states(mine) == {"found", "repairing"}


def test_an_incident_with_an_unseen_signal_stays_open_and_leaves_no_history(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target)
    incidents.claim(mine)
    signalled(incidents, target, NOW)
    assert incidents.close(past(mine), 1, NOW) is False
    assert incidents.history(target, NOW) == ()
    assert incidents.close(past(mine), 2, NOW) is True
    assert incidents.get(target) is None


def test_closing_writes_history_and_the_time_of_the_healthy_assessment(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target, binding_path="/b")
    incidents.claim(mine)
    assert incidents.close(past(mine), 1, NOW + timedelta(minutes=2))
    assert incidents.history(target, NOW) == (past(mine),)
    assert (
        signalled(incidents, target, NOW)
        == signalled(incidents, target, NOW, is_about_nodes=True)
        == AlreadyAnswered(NOW + timedelta(minutes=2))
    )


def test_after_an_incident_the_next_check_reads_nodes_again(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target)
    incidents.claim(mine)
    assert incidents.close(past(mine), 1, NOW)
    assert signalled(incidents, target, NOW) == IdleState(known_good_at=NOW, nodes_seen_at=NOW, nodes_unsettled=True)


def test_a_reported_missing_cluster_stays_recorded_until_a_check_reads_it(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target)
    incidents.claim(mine)
    closed = past(mine, verdict="cluster-gone", outcome=Outcome.NEEDS_ACTION)
    assert incidents.close(closed, 1, None)
    assert signalled(incidents, target, NOW) == IdleState(gone_notified_at=closed.closed_at)
    other = incident(target, "b")
    incidents.claim(other)
    assert incidents.close(past(other), 9, None)
    assert signalled(incidents, target, NOW) == IdleState()
    third = incident(target, "c")
    incidents.claim(third)
    assert incidents.close(replace(closed, id=third.id), 9, None)
    record_healthy_check(incidents, target, NOW)
    assert signalled(incidents, target, NOW) == IdleState(known_good_at=NOW)


def test_an_abandoned_incident_closes_without_a_healthy_assessment(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target)
    incidents.claim(mine)
    bare = past(mine, outcome=Outcome.NEEDS_ACTION, changes=(), binding_version=None, old_value=None, details=NO_DETAILS)
    assert incidents.close(bare, 2**31, None)
    assert signalled(incidents, target, NOW) == IdleState()
    assert incidents.history(target, NOW) == (bare,)


def test_a_repeated_close_is_idempotent_even_with_another_time(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target)
    incidents.claim(mine)
    assert incidents.close(past(mine), 1, NOW)
    assert incidents.close(past(mine, closed_at=NOW + timedelta(minutes=9)), 1, NOW)
    assert incidents.history(target, NOW) == (past(mine),)


def test_closing_an_incident_that_was_taken_over_is_a_conflict(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    ended, successor = incident(target), incident(target, "b")
    incidents.claim(ended)
    incidents.take_over(ended, successor)
    with pytest.raises(Conflict):
        incidents.close(past(ended), 9, NOW)
    assert incidents.get(target) == replace(successor, signals=2)
    assert incidents.history(target, NOW) == ()


def test_history_of_a_service_account_is_sorted_newest_first(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    for minutes in (1, 3, 2):
        mine = incident(target, str(minutes))
        incidents.claim(mine)
        incidents.close(past(mine, closed_at=NOW + timedelta(minutes=minutes)), 1, None)
    since = NOW + timedelta(minutes=2)
    assert [item.closed_at.minute for item in incidents.history(target, NOW)] == [3, 2, 1]
    assert [item.closed_at.minute for item in incidents.history(target, since)] == [3, 2]
    assert incidents.history(replace(target, name="other"), NOW) == ()


def test_affected_clusters_of_a_binding_include_open_and_closed_incidents(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    path = f"/{target.cluster}"
    other, third = replace(target, cluster=f"{target.cluster}-z"), replace(target, cluster=f"{target.cluster}-y")
    still_open = incident(target, binding_path=path)
    closed = incident(other, binding_path=path)
    incidents.claim(still_open)
    incidents.claim(closed)
    incidents.close(past(closed), 1, None)
    incidents.claim(incident(third, binding_path=path, opened_at=NOW - SECOND))
    incidents.claim(incident(replace(target, cluster=f"{target.cluster}-x")))
    assert incidents.affected_clusters(path, NOW) == (target.cluster, other.cluster)
    assert incidents.affected_clusters(path, NOW - SECOND) == (target.cluster, third.cluster, other.cluster)
    assert incidents.affected_clusters(path + "/longer", NOW) == ()


def test_a_person_renews_the_heartbeat_of_an_incident(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target, started=True, holder="arn:aws:sts::111122223333:assumed-role/oncall/jane", heartbeat_at=NOW)
    assert incidents.claim(mine) == mine
    assert incidents.renew_heartbeat(mine, NOW + SECOND)
    assert incidents.get(target) == replace(mine, heartbeat_at=NOW + SECOND)


def test_a_heartbeat_fails_after_a_close_or_a_take_over(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine, successor = incident(target, holder="arn:a-person", heartbeat_at=NOW), incident(target, "b")
    incidents.claim(mine)
    taken = incidents.take_over(mine, successor)
    assert taken.heartbeat_at is None
    assert not incidents.renew_heartbeat(mine, NOW + SECOND)
    assert incidents.get(target) == taken
    assert incidents.close(past(taken), taken.signals, NOW)
    assert not incidents.renew_heartbeat(taken, NOW + SECOND)
    assert incidents.get(target) is None


def test_a_hand_over_lets_the_next_execution_be_started_with_the_state(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    first = incident(target)
    incidents.claim(first)
    incidents.mark_started(first, "arn:first")
    assert incidents.hand_over(first, '{"iteration":1}')
    second = incidents.get(target)
    assert second == replace(first, execution=2)
    assert incidents.carried_state(second) == '{"iteration":1}'
    incidents.mark_started(second, "arn:second")
    assert incidents.hand_over(second, '{"iteration":2}')
    assert incidents.get(target) == replace(first, execution=3)
    assert incidents.carried_state(replace(first, execution=3)) == '{"iteration":2}'


@pytest.mark.parametrize("repairing", [True, False])
def test_an_execution_that_handed_over_marks_no_repair(incidents: IncidentsPort, target: ServiceAccountRef, repairing: bool) -> None:
    first = incident(target)
    incidents.claim(first)
    assert incidents.mark_repairing(first, not repairing)
    incidents.hand_over(first, "{}")
    second = replace(first, execution=2)
    assert not incidents.mark_repairing(first, repairing)
    assert incidents.get(target) == replace(second, repairing=not repairing, has_begun_repair=not repairing)
    assert incidents.mark_repairing(second, repairing)
    assert not incidents.mark_repairing(replace(first, execution=3), not repairing)
    assert incidents.get(target) == replace(second, repairing=repairing, has_begun_repair=True)


def test_a_repeated_hand_over_is_idempotent(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    first = incident(target)
    incidents.claim(first)
    assert incidents.hand_over(first, "{}")
    incidents.mark_started(replace(first, execution=2), "arn:second")
    assert incidents.hand_over(first, "{}")
    assert incidents.get(target) == replace(first, execution=2, started=True, execution_arn="arn:second")


def test_only_the_latest_execution_is_recorded_as_started(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    first = incident(target)
    incidents.claim(first)
    incidents.hand_over(first, "{}")
    incidents.mark_started(first, "arn:first")
    assert incidents.get(target) == replace(first, execution=2)


def test_a_take_over_fails_if_the_incident_was_handed_over_since_it_was_read(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    """The execution that was seen to have ended has a successor, which may be about to write."""
    first = incident(target)
    incidents.claim(first)
    incidents.hand_over(first, "{}")
    assert incidents.take_over(first, incident(target, "b")) == replace(first, execution=2, signals=2)
    assert incidents.mark_repairing(replace(first, execution=2), True)


def test_an_incident_that_was_taken_over_is_not_handed_over(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    first = incident(target)
    incidents.claim(first)
    incidents.hand_over(first, "{}")
    taken = incidents.take_over(replace(first, execution=2), incident(target, "b"))
    assert not incidents.hand_over(replace(first, execution=2), "{}")
    assert incidents.get(target) == taken
    assert taken.execution == 1
    assert incidents.carried_state(taken) == ""


def test_one_request_a_minute_is_claimed_for_each_cluster(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    other = f"{target.cluster}-other"
    claims = [(target.cluster, 0), (target.cluster, 59), (other, 59), (target.cluster, 61), (target.cluster, 90)]
    assert [incidents.claim_minute(name, NOW + seconds * SECOND) for name, seconds in claims] == [True, False, True, True, False]


def test_a_claim_of_the_future_blocks_nothing(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    assert incidents.claim_minute(target.cluster, FAR)
    assert incidents.claim_minute(target.cluster, NOW)


def test_one_message_a_day_about_a_kept_role_is_claimed_and_its_own_event_may_claim_again(
    incidents: IncidentsPort, target: ServiceAccountRef
) -> None:
    other = replace(target, name=f"{target.name}-other")
    hour = timedelta(hours=1)
    claims = [(target, "a", 0), (target, "a", 1), (target, "b", 2), (other, "b", 2), (target, "b", 26), (target, "c", 27)]
    found = [incidents.claim_kept_notice(one, event, NOW + hours * hour) for one, event, hours in claims]
    assert found == [True, True, False, True, True, False]
    assert incidents.get(target) is None


def test_a_claimed_message_of_the_future_blocks_nothing(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    assert incidents.claim_kept_notice(target, "a", NOW + timedelta(days=2))
    assert incidents.claim_kept_notice(target, "b", NOW)


def test_the_states_of_many_targets_are_read_at_once(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    others = [replace(target, cluster=f"{target.cluster}-{number}") for number in range(120)]
    incidents.claim(incident(target))
    record_healthy_check(incidents, others[0], NOW)
    found = incidents.states([target, *others])
    assert found[target] == incidents.get(target)
    assert found[others[0]] == IdleState(known_good_at=NOW)
    assert {found[other] for other in others[1:]} == {IdleState()}
    assert incidents.states([]) == {}
