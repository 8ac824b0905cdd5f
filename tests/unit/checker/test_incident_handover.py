"""An execution is started once, started later if a checker died, and replaced if its holder is gone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lambdas.application.check.pipeline import run
from lambdas.contract.parameters import binding_path
from lambdas.domain.errors import TransientError
from lambdas.domain.incidents.incident import FormerRepair
from tests.events import event as recorded
from tests.over_fakes import events
from tests.unit.checker.simulated_checker import TARGET, check, simulate


def test_the_next_signal_starts_the_execution_if_a_checker_died_between_claim_and_start() -> None:
    simulation = simulate(annotation=None)
    simulation.world.fail("remediator.start", TransientError("throttled"), times=1)
    with pytest.raises(TransientError):
        check(simulation)
    claimed = simulation.incidents.get(TARGET)
    assert claimed
    assert not claimed.started
    check(simulation)
    assert [arn.split("/")[-2] for arn in simulation.remediator.executions] == [claimed.id]


def test_a_start_with_a_lost_response_starts_one_execution() -> None:
    simulation = simulate(annotation=None)
    simulation.world.fail("remediator.start", TransientError("reset"), times=1, after=True)
    with pytest.raises(TransientError):
        check(simulation)
    check(simulation)
    assert len(simulation.remediator.executions) == 1


@pytest.mark.parametrize(("event", "taken"), [("sweep", True), ("check-requested", True), ("addon-event", False)])
def test_a_sweep_or_a_person_takes_over_an_incident_whose_execution_has_ended(event: str, taken: bool) -> None:
    simulation = simulate(annotation=None)
    check(simulation)
    first = simulation.incidents.get(TARGET)
    assert first
    simulation.remediator.executions = dict.fromkeys(simulation.remediator.executions, "FAILED")
    announced = events.trigger_event(event, simulation.world.now)
    assert announced
    if event == "sweep":
        run(announced, simulation.ports)
        announced = events.own(simulation.bus.sent[-1][0], simulation.bus.sent[-1][1], simulation.world.now)
    run(announced, simulation.ports)
    now = simulation.incidents.get(TARGET)
    assert now
    assert (now.id != first.id) is taken
    assert len(simulation.remediator.executions) == (2 if taken else 1)
    assert now.signals >= 2


def test_a_deleted_binding_takes_over_an_incident_whose_execution_has_ended() -> None:
    simulation = simulate(annotation=None)
    check(simulation)
    first, path = simulation.incidents.get(TARGET), binding_path(TARGET.cluster, TARGET.namespace, TARGET.name)
    simulation.remediator.executions = dict.fromkeys(simulation.remediator.executions, "ABORTED")
    deleted = recorded("parameter-binding-deleted")
    deleted["detail"]["name"] = path
    deleted["resources"] = [f"{deleted['resources'][0].partition('/')[0]}{path}"]
    run(deleted, simulation.ports)
    now = simulation.incidents.get(TARGET)
    assert first
    assert now
    assert now.id != first.id, "no sweep comes for a cluster without a binding"


def test_a_running_execution_is_not_replaced() -> None:
    simulation = simulate(annotation=None)
    check(simulation)
    first = simulation.incidents.get(TARGET)
    check(simulation)
    now = simulation.incidents.get(TARGET)
    assert first
    assert now
    assert (now.id, now.signals) == (first.id, 2)


@pytest.mark.parametrize(
    ("heartbeat_age", "taken"), [(timedelta(minutes=6), False), (timedelta(minutes=6, seconds=1), True)], ids=["current", "expired"]
)
def test_an_incident_of_a_person_is_taken_over_when_the_heartbeat_expires(heartbeat_age: timedelta, taken: bool) -> None:
    simulation = simulate(annotation=None)
    check(simulation)
    row = simulation.incidents.rows[TARGET.key]
    assert row.incident
    row.incident = replace(
        row.incident, holder="arn:aws:iam::111122223333:user/dana", started=False, heartbeat_at=simulation.world.now - heartbeat_age
    )
    first = row.incident.id
    check(simulation)
    now = simulation.incidents.get(TARGET)
    assert now
    assert (now.id != first) is taken


@pytest.mark.parametrize(
    ("notified", "former"),
    [
        ((), FormerRepair.NONE),
        (("1 needs-action", "1 reminder 1"), FormerRepair.NONE),
        (("1 repairing",), FormerRepair.UNFINISHED),
        (("1 repairing", "1 verified", "3 repairing"), FormerRepair.UNFINISHED),
        (("1 repairing", "1 needs-action", "1 reminder 1"), FormerRepair.FAILED),
        (("1 needs-action", "2 repairing", "10 needs-action"), FormerRepair.FAILED),
        (("a key of a newer version", "x", ""), FormerRepair.NONE),
    ],
)
def test_an_incident_that_takes_over_knows_how_far_the_former_repair_was(notified: tuple[str, ...], former: FormerRepair) -> None:
    simulation = simulate(annotation=None)
    check(simulation)
    first = simulation.incidents.get(TARGET)
    assert first
    for key in notified:
        simulation.incidents.mark_notified(first, key)
    simulation.remediator.executions = dict.fromkeys(simulation.remediator.executions, "STOPPED")
    check(simulation)
    now = simulation.incidents.get(TARGET)
    assert now
    assert (now.id != first.id, now.former_repair) == (True, former)


@pytest.mark.parametrize(
    ("notified", "was_reported"),
    [
        ((), False),
        (("1 needs-action",), True),
        (("1 blocked", "1 reminder 1", "1 reminder 2"), True),
        (("1 blocked announced",), True),
        (("1 repairing", "1 verified"), False),
        (("9 repairing", "10 verified", "10 verified announced"), False),
        (("10 blocked", "9 repairing", "9 verified"), True),
        (("1 needs-action", "2 recovered"), False),
        (("ask 7f3a",), True),
    ],
)
def test_an_incident_that_takes_over_knows_whether_people_wait_for_its_end(notified: tuple[str, ...], was_reported: bool) -> None:
    simulation = simulate(annotation=None)
    check(simulation)
    for _ in range(2):  # the second successor, of which nothing was said, knows it from the first
        now = simulation.incidents.get(TARGET)
        assert now
        for key in notified:
            simulation.incidents.mark_notified(now, key)
        notified = ()
        simulation.remediator.executions = dict.fromkeys(simulation.remediator.executions, "STOPPED")
        check(simulation)
        found = simulation.incidents.get(TARGET)
        assert found
        assert (found.id != now.id, found.was_reported, found.request.get("wasReported", False)) == (True, was_reported, was_reported)


@pytest.mark.parametrize(("notified", "former"), [((), FormerRepair.UNFINISHED), (("1 needs-action",), FormerRepair.FAILED)])
def test_an_incident_that_takes_over_knows_of_a_repair_that_was_not_reported(notified: tuple[str, ...], former: FormerRepair) -> None:
    simulation = simulate(annotation=None)
    check(simulation)
    first = simulation.incidents.get(TARGET)
    assert first
    for key in notified:
        simulation.incidents.mark_notified(first, key)
    simulation.incidents.mark_repairing(first, True)
    simulation.incidents.mark_repairing(first, False)
    simulation.remediator.executions = dict.fromkeys(simulation.remediator.executions, "STOPPED")
    check(simulation)
    now = simulation.incidents.get(TARGET)
    assert now
    assert (now.id != first.id, now.former_repair) == (True, former)


def test_a_failed_repair_is_remembered_by_each_incident_that_takes_over() -> None:
    simulation = simulate(annotation=None)
    check(simulation)
    for keys in (("1 repairing", "1 needs-action"), ()):
        now = simulation.incidents.get(TARGET)
        assert now
        for key in keys:
            simulation.incidents.mark_notified(now, key)
        simulation.remediator.executions = dict.fromkeys(simulation.remediator.executions, "STOPPED")
        check(simulation)
    last = simulation.incidents.get(TARGET)
    assert last
    assert last.former_repair is FormerRepair.FAILED
