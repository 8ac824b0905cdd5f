"""A maintenance window by calendar: read only for what can wait, and never the reason for no check at all."""

from datetime import timedelta

import pytest

from lambdas.application.assessment import PolicySources, assess
from lambdas.application.readers import Hints
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import PermanentError
from lambdas.domain.planning.plan import BlockReason, Plan
from tests.fakes import FakeCalendar, FakeIncidents, readers_over
from tests.world import NAME, NAMESPACE, NOON, World, described

TARGET = ServiceAccountRef("demo", NAMESPACE, NAME)
WINDOW = {"settings": {"maintenance_window": "calendar:nightly"}, "annotation": None}
LATENT = {**WINDOW, "cluster": {"falls_back": True}}


def planned(world: World, calendar: FakeCalendar) -> Plan:
    readers = readers_over(world, may_simulate=True)
    return assess(TARGET, readers, PolicySources(incidents=FakeIncidents(world), calendar=calendar), NOON, Hints()).plan


def test_what_can_wait_waits_until_the_calendar_opens() -> None:
    world = described(LATENT)
    calendar = FakeCalendar(world)
    calendar.closed_until["nightly"] = NOON + timedelta(hours=10)
    plan = planned(world, calendar)
    assert plan.actions == ()
    assert {(blocked.reason, blocked.until) for blocked in plan.blocked} >= {(BlockReason.MAINTENANCE_WINDOW, NOON + timedelta(hours=10))}


def test_an_open_calendar_holds_nothing_back() -> None:
    world = described(LATENT)
    assert planned(world, FakeCalendar(world)).actions


def test_a_calendar_that_cannot_be_read_holds_back_what_can_wait_and_says_so() -> None:
    world = described(LATENT)
    world.fail("calendar.opens_at", PermanentError("there is no calendar nightly"), times=None)
    plan = planned(world, FakeCalendar(world))
    assert plan.actions == ()
    assert any(
        blocked.reason is BlockReason.MAINTENANCE_WINDOW and "there is no calendar nightly" in blocked.sentence and blocked.until is None
        for blocked in plan.blocked
    )


def test_what_fails_now_does_not_ask_the_calendar() -> None:
    world = described({**WINDOW, "cluster": {"not_ready": 3}})
    world.fail("calendar.opens_at", PermanentError("must not be asked"), times=None)
    assert planned(world, FakeCalendar(world)).actions
    assert "calendar.opens_at" not in world.reads


@pytest.fixture(autouse=True)
def the_world_is_as_described() -> None:
    """A guard: the latent world is one in which nothing fails."""
    assert all(pod.facts.ready for pod in described(LATENT).clusters["demo"].pods.values())
