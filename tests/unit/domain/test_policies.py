"""Rules over history, each at its edge: one second early, just over; and in their order of weight."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from lambdas.contract.settings import AddonRecord, Mode, Severity, WhenUnverified, Window
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.incidents.incident import Outcome, PastIncident
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.planning.policies import BREAKER_SPAN, TUG_OF_WAR_SPAN, RepairHistory, opens_at
from lambdas.domain.requests.request import Actor
from lambdas.domain.snapshot.snapshot import Missing, Snapshot, Unknown
from tests.unit.domain.snapshot_fixtures import addon, binding, errors, kinds, planned, repaired, settings, snapshot_with, some_pods
from tests.unit.notifications.snapshots import NOW, ROLE, pods, service_account
from tests.world.simulations import simulation

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
GONE = service_account(None, manager="argocd-controller", at=NOW - MINUTE)


def drifted(**changes: Any) -> Snapshot:
    """The annotation is gone, and nothing fails yet."""
    return snapshot_with(**{"service_account": GONE, **changes})


def held(snapshot: Snapshot, past: RepairHistory | None = None) -> tuple[BlockReason, datetime | None] | None:
    """Why the whole plan is blocked and until when; None if it may run."""
    made = planned(snapshot, past)
    assert bool(made.actions) != bool(made.blocked)
    return (made.blocked[0].reason, made.blocked[0].until) if made.blocked else None


def test_a_plain_repair_is_not_blocked() -> None:
    assert held(drifted()) is None


@pytest.mark.parametrize(
    ("ago", "until"),
    [
        pytest.param(timedelta(), NOW + 5 * MINUTE, id="just now"),
        pytest.param(5 * MINUTE - SECOND, NOW + SECOND, id="one second early"),
        pytest.param(5 * MINUTE, None, id="over"),
    ],
)
def test_the_cool_down_lasts_its_seconds_after_a_repair(ago: timedelta, until: datetime | None) -> None:
    assert held(drifted(), RepairHistory(incidents=(repaired(ago),))) == ((BlockReason.COOLDOWN, until) if until else None)


def test_the_latest_repair_counts_in_any_order_of_history() -> None:
    past = (repaired(HOUR), repaired(MINUTE))
    assert held(drifted(), RepairHistory(incidents=past)) == (BlockReason.COOLDOWN, NOW + 4 * MINUTE)
    assert held(drifted(), RepairHistory(incidents=past[::-1])) == (BlockReason.COOLDOWN, NOW + 4 * MINUTE)


def test_the_cool_down_has_the_same_end_in_field_and_sentence() -> None:
    sentence = planned(drifted(), RepairHistory(incidents=(repaired(MINUTE),))).blocked[0].sentence
    times = (f"{moment:%Y-%m-%d %H:%M:%S} UTC" for moment in (NOW - MINUTE, NOW + 4 * MINUTE))
    assert sentence == "repaired at {}; the next repair may start at {}".format(*times)


def test_an_incident_without_a_write_starts_no_cool_down() -> None:
    assert held(drifted(), RepairHistory(incidents=(replace(repaired(SECOND), changes=()),))) is None


@pytest.mark.parametrize(
    ("ages", "until"),
    [
        pytest.param((10, 20, 30), None, id="one fewer than allowed"),
        pytest.param((10, 20, 30, 59.99), NOW + 0.01 * MINUTE, id="as many as allowed, the first almost an hour old"),
        pytest.param((10, 20, 30, 60), None, id="the first just an hour old"),
        pytest.param((10, 20, 30, 40, 50), NOW + 20 * MINUTE, id="one more than allowed: two have to age"),
    ],
)
def test_repairs_within_an_hour_are_limited(ages: tuple[float, ...], until: datetime | None) -> None:
    past = RepairHistory(incidents=tuple(repaired(age * MINUTE, "restart-workload") for age in ages))
    found = held(drifted(settings=settings(max_repairs_per_hour=4)), past)
    assert (found is None) == (until is None)
    if found and until:
        assert found[0] is BlockReason.TOO_MANY_REPAIRS
        assert found[1] is not None
        assert abs(found[1] - until) < SECOND / 100


def test_the_policy_that_ends_last_decides_the_time() -> None:
    past = RepairHistory(incidents=tuple(repaired(age * MINUTE, "restart-workload") for age in (1, 20, 30, 40)))
    assert held(drifted(), past) == (BlockReason.TOO_MANY_REPAIRS, NOW + 20 * MINUTE)
    longer = drifted(settings=settings(cooldown_s=7200))
    assert held(longer, past) == (BlockReason.TOO_MANY_REPAIRS, NOW + 119 * MINUTE)


WAR = tuple(repaired(hours * HOUR) for hours in (2, 3, 23))


def test_a_value_removed_three_times_a_day_is_not_set_again() -> None:
    made = planned(drifted(), RepairHistory(incidents=WAR))
    assert made.verdict is Verdict.FLAPPING
    assert held(drifted(), RepairHistory(incidents=WAR)) == (BlockReason.TUG_OF_WAR, NOW - 23 * HOUR + TUG_OF_WAR_SPAN)
    assert made.blocked[0].sentence == "set 3 times within a day and undone each time, the writer is not recorded"


def test_the_writer_of_another_value_is_named() -> None:
    replaced = snapshot_with(service_account=service_account("arn:aws:iam::111122223333:role/from-git", manager="argocd-controller"))
    assert planned(replaced, RepairHistory(incidents=WAR)).blocked[0].sentence.endswith("undone each time, last by argocd-controller")


def test_a_known_actor_is_named_before_the_field_manager() -> None:
    who = Actor(who="arn:aws:iam::111122223333:user/dana", what="UpdateAddon")
    assert (
        planned(drifted(actor=who), RepairHistory(incidents=WAR))
        .blocked[0]
        .sentence.endswith("last by arn:aws:iam::111122223333:user/dana")
    )


@pytest.mark.parametrize(
    ("past", "snapshot"),
    [
        pytest.param(WAR[:2], drifted(), id="twice"),
        pytest.param((*WAR[:2], repaired(TUG_OF_WAR_SPAN)), drifted(), id="the first a day ago"),
        pytest.param((*WAR[:2], repaired(HOUR, "restart-workload")), drifted(), id="one of them set no annotation"),
        pytest.param(WAR, snapshot_with(pods=some_pods(None, ROLE)), id="the annotation stands"),
    ],
)
def test_two_removals_are_no_tug_of_war(past: tuple[PastIncident, ...], snapshot: Snapshot) -> None:
    assert held(snapshot, RepairHistory(incidents=past)) is None


def test_an_interrupted_repair_does_not_count_as_flapping() -> None:
    interrupted = replace(WAR[2], outcome=Outcome.INTERRUPTED)
    assert held(drifted(), RepairHistory(incidents=(*WAR[:2], interrupted))) is None


def test_a_person_overrides_flapping_and_nothing_else() -> None:
    overridden = frozenset({BlockReason.TUG_OF_WAR})
    assert held(drifted(), RepairHistory(incidents=WAR, overridden=overridden)) is None
    unbound = drifted(binding=Missing("/b"))
    assert held(unbound, RepairHistory(incidents=WAR, overridden=overridden)) == (BlockReason.NO_BINDING, None)


def test_a_tug_of_war_ends_when_enough_repairs_are_a_day_old() -> None:
    past = RepairHistory(incidents=(*WAR, repaired(4 * HOUR)))
    assert held(drifted(), past) == (BlockReason.TUG_OF_WAR, NOW - 4 * HOUR + TUG_OF_WAR_SPAN)


def test_a_repair_counts_for_a_whole_day() -> None:
    past = RepairHistory(incidents=(*WAR[:2], repaired(TUG_OF_WAR_SPAN - SECOND)))
    assert held(drifted(), past) == (BlockReason.TUG_OF_WAR, NOW + SECOND)


OTHERS = ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("changed_ago", "others", "stopped"),
    [
        pytest.param(MINUTE, OTHERS, True, id="five with ours, within the hour"),
        pytest.param(MINUTE, OTHERS[:3], False, id="four with ours"),
        pytest.param(MINUTE, (*OTHERS[:3], "prod-blue"), False, id="ours counts once"),
        pytest.param(BREAKER_SPAN - SECOND, OTHERS, True, id="a second within the hour"),
        pytest.param(BREAKER_SPAN, OTHERS, False, id="just over the hour"),
        pytest.param(None, OTHERS, False, id="nobody knows when it changed"),
    ],
)
def test_many_broken_clusters_after_a_change_trip_the_circuit_breaker(
    changed_ago: timedelta | None, others: tuple[str, ...], stopped: bool
) -> None:
    snapshot = drifted(binding=binding(changed_at=NOW - changed_ago if changed_ago else None))
    assert held(snapshot, RepairHistory(affected_clusters=others)) == ((BlockReason.CIRCUIT_BREAKER, None) if stopped else None)


NIGHT = Window(days=(0,), start=timedelta(hours=2), length=timedelta(hours=1))  # Monday; NOW is Monday, 02:14:41


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        pytest.param("2026-11-02T01:59:59", "2026-11-02T02:00:00", id="a second before"),
        pytest.param("2026-11-02T02:00:00", None, id="as it opens"),
        pytest.param("2026-11-02T02:59:59", None, id="its last second"),
        pytest.param("2026-11-02T03:00:00", "2026-11-09T02:00:00", id="as it closes: a week"),
        pytest.param("2026-11-01T23:59:59", "2026-11-02T02:00:00", id="the evening before"),
    ],
)
def test_a_weekly_window_opens_and_closes_to_the_second(now: str, opens: str | None) -> None:
    at = datetime.fromisoformat(now + "+00:00")
    assert opens_at(NIGHT, at) == (datetime.fromisoformat(opens + "+00:00") if opens else None)


@pytest.mark.parametrize(
    ("now", "open_then"),
    [("2026-11-07T03:59:59", True), ("2026-11-07T04:00:00", False), ("2026-11-06T22:00:00", True), ("2026-11-07T22:00:00", False)],
    ids=["Friday's, on Saturday", "over", "Friday", "none on Saturday"],
)
def test_a_window_may_last_past_midnight(now: str, open_then: bool) -> None:
    late = Window(days=(0, 1, 2, 3, 4), start=timedelta(hours=22), length=timedelta(hours=6))
    assert (opens_at(late, datetime.fromisoformat(now + "+00:00")) is None) == open_then


def test_only_a_repair_without_current_failures_waits_for_the_window() -> None:
    closed = settings(maintenance_window=Window(days=(0,), start=timedelta(hours=3), length=HOUR))
    opens = NOW.replace(hour=3, minute=0, second=0)
    assert held(drifted(settings=closed)) == (BlockReason.MAINTENANCE_WINDOW, opens)
    assert held(drifted(settings=closed, pods=pods(15, ROLE, unready=1))) is None
    assert held(drifted(settings=settings(maintenance_window=NIGHT))) is None


def test_a_closed_change_calendar_blocks_a_repair() -> None:
    closed = drifted(settings=settings(maintenance_window="calendar:freeze"))
    assert held(closed, RepairHistory(calendar_opens_at=NOW + HOUR)) == (BlockReason.MAINTENANCE_WINDOW, NOW + HOUR)
    assert held(closed, RepairHistory()) is None


UNREAD = Unknown("no endpoint")


@pytest.mark.parametrize(
    ("snapshot", "reason"),
    [
        pytest.param(
            snapshot_with(binding=Missing("/p"), pods=some_pods(None), addon=addon(role_arn=ROLE), service_account=GONE),
            BlockReason.NO_BINDING,
            id="no binding",
        ),
        pytest.param(drifted(role=Missing("role")), BlockReason.PRECONDITION_FAILED, id="no role"),
        pytest.param(drifted(oidc_provider=Missing("provider")), BlockReason.PRECONDITION_FAILED, id="no provider"),
        pytest.param(drifted(simulated=simulation("ec2:CreateTags")), BlockReason.PRECONDITION_FAILED, id="simulated"),
        pytest.param(
            drifted(permission_errors=errors("aws-node-01")), BlockReason.PRECONDITION_FAILED, id="refused though it carries the role"
        ),
        pytest.param(
            drifted(pods=some_pods(None, ROLE), permission_errors=errors("aws-node-01")),
            BlockReason.PRECONDITION_FAILED,
            id="refused though it carries the role, beside a stale pod",
        ),
        pytest.param(
            drifted(pods=some_pods(None, ROLE), permission_errors=errors("aws-node-00", "aws-node-01")),
            BlockReason.PRECONDITION_FAILED,
            id="a stale pod and one with the role are refused",
        ),
        pytest.param(
            drifted(role=UNREAD, settings=settings(when_unverified=WhenUnverified.REFUSE)), BlockReason.PRECONDITION_UNKNOWN, id="unread"
        ),
        pytest.param(drifted(settings=settings(mode=Mode.OBSERVE)), BlockReason.OBSERVE_MODE, id="observe"),
    ],
)
def test_a_policy_without_an_end(snapshot: Snapshot, reason: BlockReason) -> None:
    made = planned(snapshot)
    assert made.actions == ()
    assert reason in {blocked.reason for blocked in made.blocked}
    assert all(blocked.until is None for blocked in made.blocked)


def test_errors_of_stale_pods_are_no_evidence_against_the_role() -> None:
    made = planned(drifted(pods=some_pods(None, ROLE), permission_errors=errors("aws-node-00")))
    assert kinds(made) == ["annotate-service-account", "replace-canary-pod"]
    assert [(blocked.link, blocked.reason) for blocked in made.blocked] == [(Link.PERMISSION_ERRORS, BlockReason.CONSEQUENCE)]


def test_unread_permissions_block_nothing() -> None:
    assert held(drifted(settings=settings(when_unverified=WhenUnverified.REFUSE))) is None


@pytest.mark.parametrize(
    ("stronger", "snapshot", "past"),
    [
        pytest.param(
            BlockReason.PRECONDITION_FAILED,
            drifted(role=Missing("r"), settings=settings(mode=Mode.OBSERVE)),
            RepairHistory(),
            id="guard, observe",
        ),
        pytest.param(
            BlockReason.OBSERVE_MODE,
            drifted(settings=settings(mode=Mode.OBSERVE)),
            RepairHistory(incidents=(repaired(MINUTE),)),
            id="observe, cool-down",
        ),
        pytest.param(BlockReason.TUG_OF_WAR, drifted(), RepairHistory(incidents=(*WAR, repaired(MINUTE))), id="tug of war, cool-down"),
    ],
)
def test_the_strongest_policy_gives_the_reason(stronger: BlockReason, snapshot: Snapshot, past: RepairHistory) -> None:
    found = next(blocked for blocked in planned(snapshot, past).blocked if blocked.link is Link.ANNOTATION)
    assert found.reason is stronger
    assert found.sentence.count("; ") >= 1


def test_no_time_is_given_if_one_policy_never_ends() -> None:
    assert held(drifted(settings=settings(mode=Mode.OBSERVE)), RepairHistory(incidents=(repaired(MINUTE),))) == (
        BlockReason.OBSERVE_MODE,
        None,
    )


def test_policies_apply_only_to_planned_actions() -> None:
    updating = snapshot_with(addon=addon(status="UPDATING"), settings=settings(mode=Mode.OBSERVE, addon_record=AddonRecord.NOTIFY_ONLY))
    made = planned(updating)
    assert made.wait
    assert kinds(made) == []
    assert made.severity is Severity.INFO
