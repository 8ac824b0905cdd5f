"""Incidents and history: one suite over the table, the fake that other tests use in its place, and the command line's memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from cli.memory import MemoryIncidents
from lambdas.adapters.incidents import Incidents
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.duty import LASTS, relieved
from lambdas.domain.errors import AccessDenied, Conflict, TransientError
from lambdas.domain.incident import Answered, Asks, Free, Incident, Left, NodesSeen, Outcome, PastIncident, Signal
from sandbox.aws.faults import Fault, FaultKind
from tests.fakes import FakeIncidents
from tests.integration.adapters.aws import TABLE

if TYPE_CHECKING:
    from lambdas.adapters.session import AwsSession
    from lambdas.domain.incident import Signalled
    from lambdas.domain.ports import IncidentsPort
    from sandbox.aws.local import LocalAws

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FAR = NOW + timedelta(days=1)
_NUMBERS = count()

Keeper = Callable[[], "IncidentsPort"]


@pytest.fixture(params=["table", "fake", "memory"])
def incidents(request: pytest.FixtureRequest) -> IncidentsPort:
    if request.param != "table":
        return FakeIncidents() if request.param == "fake" else MemoryIncidents()
    session: AwsSession = request.getfixturevalue("session")
    return Incidents(session, TABLE)


@pytest.fixture
def target() -> ServiceAccountRef:
    """Another one for each test, since the table is shared."""
    return ServiceAccountRef(f"demo-{next(_NUMBERS)}", "kube-system", "aws-node")


def incident(target: ServiceAccountRef, name: str = "a", **changes: Any) -> Incident:
    told = {"id": f"{target.cluster}-{name}", "opened_at": NOW, "signals": 1, "request": {"trigger": "sweep", "nested": [1, {"k": None}]}}
    return Incident(target=target, **{**told, **changes})


def past(of: Incident, **changes: Any) -> PastIncident:
    told: dict[str, Any] = {
        "closed_at": NOW + timedelta(minutes=1),
        "outcome": Outcome.PROVEN,
        "verdict": "annotation-missing",
        "trigger": "sweep",
        "changes": ("set the annotation", "restart aws-node"),
        "signals": of.signals,
        "binding_path": of.binding_path,
        "binding_version": 3,
        "old_value": "arn:old",
        "details": {"lines": [["12:00", "found"]]},
    }
    return PastIncident(id=of.id, target=of.target, opened_at=of.opened_at, **{**told, **changes})


def signal(occurred_at: datetime, check: str = "a", *, at: datetime = NOW, **more: Any) -> Signal:
    return Signal(occurred_at=occurred_at, check=check, at=at, **more)


def signalled(incidents: IncidentsPort, target: ServiceAccountRef, occurred_at: datetime, *, about_nodes: bool = False) -> Signalled:
    """What a signal meets, by itself: whoever was put on duty by it leaves at once."""
    met = incidents.signal(target, signal(occurred_at, asks=frozenset({Asks.NODES} if about_nodes else ())))
    if isinstance(met, Free):
        incidents.let_go(target, met)
        return relieved(met)
    return met


def on_duty(incidents: IncidentsPort, target: ServiceAccountRef, check: str = "a", **more: Any) -> Free:
    """The duty of a check whose event nothing has answered."""
    found = incidents.signal(target, signal(FAR, check, **more))
    assert isinstance(found, Free)
    return found


def sound(incidents: IncidentsPort, target: ServiceAccountRef, began_at: datetime, nodes: NodesSeen | None = None) -> None:
    """A check began then and found all well."""
    duty = on_duty(incidents, target)
    assert incidents.finish(target, duty, began_at, nodes) is None


def test_a_signal_where_nothing_is_known_finds_the_row_free(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    assert signalled(incidents, target, NOW) == Free()
    assert incidents.get(target) is None


@pytest.mark.parametrize(
    ("after", "answered"),
    [(timedelta(0), False), (SECOND - timedelta(microseconds=1), False), (SECOND, True), (timedelta(minutes=5), True)],
    ids=["same second", "just within the second", "a second later", "minutes later"],
)
def test_a_sound_check_answers_events_that_had_surely_happened_when_it_began(
    incidents: IncidentsPort, target: ServiceAccountRef, after: timedelta, answered: bool
) -> None:
    sound(incidents, target, NOW + after)
    expected = Answered(NOW + after) if answered else Free(known_good_at=NOW + after)
    assert signalled(incidents, target, NOW) == expected


def test_an_earlier_sound_check_does_not_replace_a_later_one(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    sound(incidents, target, NOW)
    sound(incidents, target, NOW - SECOND)
    assert signalled(incidents, target, NOW) == Free(known_good_at=NOW)


def test_what_is_said_about_nodes_is_answered_only_by_a_check_that_read_them(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    sound(incidents, target, NOW + SECOND)
    assert signalled(incidents, target, NOW, about_nodes=True) == Free(known_good_at=NOW + SECOND)
    sound(incidents, target, NOW + 2 * SECOND, NodesSeen.SETTLED)
    assert signalled(incidents, target, NOW, about_nodes=True) == Answered(NOW + 2 * SECOND)
    sound(incidents, target, NOW + 9 * SECOND)
    assert signalled(incidents, target, NOW + 2 * SECOND, about_nodes=True) == Free(
        known_good_at=NOW + 9 * SECOND, nodes_seen_at=NOW + 2 * SECOND
    )


def test_nodes_that_are_starting_are_remembered_until_a_later_check_sees_them_settled(
    incidents: IncidentsPort, target: ServiceAccountRef
) -> None:
    sound(incidents, target, NOW, NodesSeen.STARTING)
    sound(incidents, target, NOW + SECOND)
    assert signalled(incidents, target, NOW + SECOND) == Free(known_good_at=NOW + SECOND, nodes_seen_at=NOW, nodes_unsettled=True)
    sound(incidents, target, NOW + 2 * SECOND, NodesSeen.SETTLED)
    later = NOW + 2 * SECOND
    assert signalled(incidents, target, later) == Free(known_good_at=later, nodes_seen_at=later)


@pytest.mark.parametrize("nodes", NodesSeen)
def test_what_a_check_saw_of_nodes_is_kept_though_a_later_one_that_read_none_was_quicker(
    incidents: IncidentsPort, target: ServiceAccountRef, nodes: NodesSeen
) -> None:
    sound(incidents, target, NOW + 5 * SECOND)
    sound(incidents, target, NOW, nodes)
    starting = nodes is NodesSeen.STARTING
    expected = Free(known_good_at=NOW + 5 * SECOND, nodes_seen_at=NOW, nodes_unsettled=starting)
    assert signalled(incidents, target, NOW + 5 * SECOND) == expected
    sound(incidents, target, NOW - SECOND, NodesSeen.SETTLED)
    assert signalled(incidents, target, NOW + 5 * SECOND) == expected


def test_times_keep_their_order_whatever_zone_and_fraction_they_are_told_in(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    sound(incidents, target, NOW.replace(microsecond=5))
    sound(incidents, target, NOW)
    assert signalled(incidents, target, NOW) == Free(known_good_at=NOW.replace(microsecond=5))


# --- duty --------------------------------------------------------------------------------------------------------------------------------


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


def test_the_row_of_a_cluster_that_is_none_expires_unless_something_comes(
    table: Incidents, target: ServiceAccountRef, local_aws: LocalAws
) -> None:
    def row() -> dict[str, Any]:
        found = local_aws.client("dynamodb").scan(TableName=TABLE)["Items"]
        return next(it for it in found if it["pk"]["S"] == f"sa#{target.key}")

    table.let_go(target, on_duty(table, target), forget=NOW)
    assert set(row()) == {"pk", "sk", "expires_at"}
    table.signal(target, signal(FAR))
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


# --- incidents ---------------------------------------------------------------------------------------------------------------------------


def test_the_first_claim_opens_and_the_next_joins(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    first = incident(target)
    assert incidents.claim(first) == first == incidents.get(target)
    assert incidents.claim(incident(target, "b")) == replace(first, signals=2)
    assert signalled(incidents, target, NOW) == replace(first, signals=3)


def test_a_claim_repeated_is_the_same_claim(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    first = incident(target)
    incidents.claim(first)
    assert incidents.claim(first) == first


def test_an_open_incident_counts_signals_even_where_a_check_was_sound(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    sound(incidents, target, NOW + timedelta(hours=1))
    incidents.claim(incident(target))
    assert isinstance(signalled(incidents, target, NOW), Incident)


def test_every_field_of_an_incident_is_kept(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    full = incident(target, holder="arn:aws:iam::1:user/x", binding_path="/b", opened_at=NOW.replace(microsecond=123))
    incidents.claim(full)
    incidents.mark_started(full, "arn:execution")
    incidents.mark_asked(full, "callback")
    assert incidents.get(target) == replace(full, started=True, execution_arn="arn:execution", callback_id="callback")
    incidents.mark_asked(full, None)
    assert incidents.get(target) == replace(full, started=True, execution_arn="arn:execution")


def test_marks_of_an_incident_that_is_no_longer_open_touch_nothing(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    ended, successor = incident(target), incident(target, "b")
    incidents.claim(successor)
    incidents.mark_started(ended, "arn:execution")
    assert incidents.mark_told(ended, "found") is False
    assert incidents.told(ended) == frozenset()
    with pytest.raises(Conflict):
        incidents.mark_asked(ended, "callback")
    assert incidents.get(target) == successor


def test_an_ended_incident_is_taken_over_with_its_signals(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    ended = incident(target, execution_arn="arn:old", callback_id="c", binding_path="/b")
    incidents.claim(ended)
    signalled(incidents, target, NOW)
    incidents.mark_told(ended, "found")
    successor = incident(target, "b")
    assert incidents.take_over(ended, successor) == replace(successor, signals=3) == incidents.get(target)
    assert incidents.told(successor) == frozenset()


def test_only_one_of_two_takes_over_and_the_other_joins(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    ended = incident(target)
    incidents.claim(ended)
    first = incidents.take_over(ended, incident(target, "b"))
    assert incidents.take_over(ended, incident(target, "c")) == replace(first, signals=3)


def test_a_take_over_repeated_is_the_same(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    ended, successor = incident(target), incident(target, "b")
    incidents.claim(ended)
    assert incidents.take_over(ended, successor) == incidents.take_over(ended, successor)


def test_taking_over_what_was_closed_meanwhile_opens_anew(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    ended, successor = incident(target), incident(target, "b")
    assert incidents.take_over(ended, successor) == successor


def test_only_its_holder_begins_to_act_on_an_incident_and_stops(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine, other = incident(target), incident(target, "b")
    assert not incidents.mark_acting(mine, True), "nothing is open"
    incidents.claim(mine)
    assert incidents.mark_acting(mine, True)
    assert incidents.get(target) == replace(mine, acting=True)
    assert incidents.mark_acting(mine, True), "a step that is repeated"
    assert not incidents.mark_acting(other, True)
    assert not incidents.mark_acting(other, False)
    assert incidents.get(target) == replace(mine, acting=True)
    assert incidents.mark_acting(mine, False)
    assert incidents.get(target) == mine


@pytest.mark.parametrize("began", [True, False], ids=["began to act", "stopped"])
def test_an_incident_is_not_taken_over_as_it_was_seen_when_its_holder_began_or_stopped_to_act_since(
    incidents: IncidentsPort, target: ServiceAccountRef, began: bool
) -> None:
    mine = incident(target)
    incidents.claim(mine)
    incidents.mark_acting(mine, not began)
    seen = replace(mine, acting=not began)
    incidents.mark_acting(mine, began)
    assert incidents.take_over(seen, incident(target, "b")) == replace(mine, acting=began, signals=2)
    assert incidents.take_over(replace(seen, acting=began), incident(target, "c")).id.endswith("-c")
    assert not incidents.mark_acting(mine, True), "it has become another's"


def test_an_incident_that_is_closed_leaves_nobody_acting(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine, following = incident(target), incident(target, "b")
    incidents.claim(mine)
    incidents.mark_acting(mine, True)
    assert incidents.close(past(mine), 1, None)
    assert not incidents.mark_acting(mine, True)
    assert incidents.claim(following) == following


def test_what_was_told_is_remembered_once(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target)
    incidents.claim(mine)
    assert [incidents.mark_told(mine, state) for state in ("found", "acting", "found")] == [True] * 3
    assert incidents.told(mine) == {"found", "acting"}


def test_an_incident_with_an_unseen_signal_stays_open_and_leaves_no_history(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target)
    incidents.claim(mine)
    signalled(incidents, target, NOW)
    assert incidents.close(past(mine), 1, NOW) is False
    assert incidents.history(target, NOW) == ()
    assert incidents.close(past(mine), 2, NOW) is True
    assert incidents.get(target) is None


def test_closing_leaves_history_and_the_time_of_the_sound_look(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target, binding_path="/b")
    incidents.claim(mine)
    assert incidents.close(past(mine), 1, NOW + timedelta(minutes=2))
    assert incidents.history(target, NOW) == (past(mine),)
    assert signalled(incidents, target, NOW) == signalled(incidents, target, NOW, about_nodes=True) == Answered(NOW + timedelta(minutes=2))


def test_after_an_incident_the_next_check_reads_nodes_again(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target)
    incidents.claim(mine)
    assert incidents.close(past(mine), 1, NOW)
    assert signalled(incidents, target, NOW) == Free(known_good_at=NOW, nodes_seen_at=NOW, nodes_unsettled=True)


def test_that_a_cluster_is_gone_is_remembered_as_told_until_it_is_seen_again(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target)
    incidents.claim(mine)
    closed = past(mine, verdict="cluster-gone", outcome=Outcome.NEEDS_YOU)
    assert incidents.close(closed, 1, None)
    assert signalled(incidents, target, NOW) == Free(gone_told_at=closed.closed_at)
    other = incident(target, "b")
    incidents.claim(other)
    assert incidents.close(past(other), 9, None)
    assert signalled(incidents, target, NOW) == Free()
    third = incident(target, "c")
    incidents.claim(third)
    assert incidents.close(replace(closed, id=third.id), 9, None)
    sound(incidents, target, NOW)
    assert signalled(incidents, target, NOW) == Free(known_good_at=NOW)


def test_an_incident_given_up_closes_without_a_sound_look(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target)
    incidents.claim(mine)
    bare = past(mine, outcome=Outcome.NEEDS_YOU, changes=(), binding_version=None, old_value=None, details=None)
    assert incidents.close(bare, 2**31, None)
    assert signalled(incidents, target, NOW) == Free()
    assert incidents.history(target, NOW) == (bare,)


def test_closing_twice_is_closing_once_even_with_another_clock(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target)
    incidents.claim(mine)
    assert incidents.close(past(mine), 1, NOW)
    assert incidents.close(past(mine, closed_at=NOW + timedelta(minutes=9)), 1, NOW)
    assert incidents.history(target, NOW) == (past(mine),)


def test_closing_what_was_taken_over_is_a_conflict(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    ended, successor = incident(target), incident(target, "b")
    incidents.claim(ended)
    incidents.take_over(ended, successor)
    with pytest.raises(Conflict):
        incidents.close(past(ended), 9, NOW)
    assert incidents.get(target) == replace(successor, signals=2)
    assert incidents.history(target, NOW) == ()


def test_history_is_of_one_service_account_newest_first_and_since(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    for minutes in (1, 3, 2):
        mine = incident(target, str(minutes))
        incidents.claim(mine)
        incidents.close(past(mine, closed_at=NOW + timedelta(minutes=minutes)), 1, None)
    since = NOW + timedelta(minutes=2)
    assert [it.closed_at.minute for it in incidents.history(target, NOW)] == [3, 2, 1]
    assert [it.closed_at.minute for it in incidents.history(target, since)] == [3, 2]
    assert incidents.history(replace(target, name="other"), NOW) == ()


def test_clusters_that_turned_wrong_under_a_binding_are_found_open_or_closed(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    path = f"/{target.cluster}"
    other, third = replace(target, cluster=f"{target.cluster}-z"), replace(target, cluster=f"{target.cluster}-y")
    still_open = incident(target, binding_path=path)
    closed = incident(other, binding_path=path)
    incidents.claim(still_open)
    incidents.claim(closed)
    incidents.close(past(closed), 1, None)
    incidents.claim(incident(third, binding_path=path, opened_at=NOW - SECOND))
    incidents.claim(incident(replace(target, cluster=f"{target.cluster}-x")))
    assert incidents.turned_wrong(path, NOW) == (target.cluster, other.cluster)
    assert incidents.turned_wrong(path, NOW - SECOND) == (target.cluster, third.cluster, other.cluster)
    assert incidents.turned_wrong(path + "/longer", NOW) == ()


# --- what only the table can show --------------------------------------------------------------------------------------------------------


@pytest.fixture
def table(session: AwsSession) -> Incidents:
    return Incidents(session, TABLE)


def test_a_signal_is_one_write_and_a_quiet_one_a_read_where_there_is_nothing_to_count(
    table: Incidents, target: ServiceAccountRef, local_aws: LocalAws
) -> None:
    def asked(quiet: bool) -> list[str]:
        local_aws.calls.clear()
        table.signal(target, signal(FAR, quiet=quiet))
        return [call.action.removeprefix("dynamodb:") for call in local_aws.calls.all()]

    assert [asked(quiet=True), asked(quiet=False), asked(quiet=True)] == [["GetItem"], ["UpdateItem"], ["GetItem", "UpdateItem"]]
    table.claim(incident(target))
    assert [asked(quiet=True), asked(quiet=False)] == [["GetItem", "UpdateItem"], ["UpdateItem"]]
    found = table.get(target)
    assert found
    assert found.signals == 5


def test_history_leaves_after_ninety_days_and_the_row_stays(table: Incidents, target: ServiceAccountRef, local_aws: LocalAws) -> None:
    mine = incident(target, binding_path="/b")
    table.claim(mine)
    table.close(past(mine), 1, NOW)
    found = local_aws.client("dynamodb").scan(TableName=TABLE)["Items"]
    leaves = {it["sk"]["S"].partition("#")[0]: it.get("expires_at") for it in found if target.cluster in it["pk"]["S"]}
    assert leaves == {"now": None, "past": {"N": str(int((NOW + timedelta(days=90, minutes=1)).timestamp()))}}


def test_a_claim_that_meets_a_closing_incident_opens_anew(
    table: Incidents, target: ServiceAccountRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = incident(target), incident(target, "b")
    table.claim(first)
    joining = table._count

    def after_it_closed(whose: Incident) -> Any:
        table.close(past(first), 9, NOW)
        return joining(whose)

    monkeypatch.setattr(table, "_count", after_it_closed)
    assert table.claim(second) == second == table.get(target)


def test_a_close_whose_answer_is_lost_is_still_one_close(table: Incidents, target: ServiceAccountRef, local_aws: LocalAws) -> None:
    mine = incident(target)
    table.claim(mine)
    local_aws.faults.add(Fault(service="dynamodb", operation="TransactWriteItems", kind=FaultKind.RESET, after_effect=True))
    assert table.close(past(mine), 1, NOW)
    assert len(table.history(target, NOW)) == 1


FAILURES = {
    "server error": (FaultKind.SERVER_ERROR, TransientError),
    "cut off": (FaultKind.RESET, TransientError),
    "denied": (FaultKind.ACCESS_DENIED, AccessDenied),
}


@pytest.mark.parametrize(("kind", "error"), FAILURES.values(), ids=FAILURES)
def test_a_table_that_fails_says_whether_a_retry_helps(
    table: Incidents, target: ServiceAccountRef, local_aws: LocalAws, kind: FaultKind, error: type[Exception]
) -> None:
    local_aws.faults.add(Fault(service="dynamodb", kind=kind, times=9))
    with pytest.raises(error, match=f"signal {target.key}"):
        signalled(table, target, NOW)


def test_a_person_holds_an_incident_by_signs_of_life(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine = incident(target, started=True, holder="arn:aws:sts::111122223333:assumed-role/oncall/jane", beat_at=NOW)
    assert incidents.claim(mine) == mine
    assert incidents.beat(mine, NOW + SECOND)
    assert incidents.get(target) == replace(mine, beat_at=NOW + SECOND)


def test_signs_of_life_end_with_the_incident_and_with_its_being_taken_over(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    mine, successor = incident(target, holder="arn:a-person", beat_at=NOW), incident(target, "b")
    incidents.claim(mine)
    taken = incidents.take_over(mine, successor)
    assert taken.beat_at is None
    assert not incidents.beat(mine, NOW + SECOND)
    assert incidents.get(target) == taken
    assert incidents.close(past(taken), taken.signals, NOW)
    assert not incidents.beat(taken, NOW + SECOND)
    assert incidents.get(target) is None
