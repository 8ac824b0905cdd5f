"""Assessments: parallel reads, the change calendar, and reads that are left out."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from lambdas.application.assessment import PolicySources, assess
from lambdas.application.readers import Hints
from lambdas.application.snapshot_diagnosis import collect_and_diagnose
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import AccessDenied, Denial, PermanentError
from lambdas.domain.planning.plan import BlockReason, Plan
from lambdas.domain.snapshot.snapshot import Association, ClusterFacts, Missing
from tests.fakes import FakeCalendar, FakeEks, FakeIncidents, readers_over
from tests.world import NAME, NAMESPACE, NOON, World, described

TARGET = ServiceAccountRef("demo", NAMESPACE, NAME)
WINDOW = {"settings": {"maintenance_window": "calendar:nightly"}, "annotation": None}
LATENT = {**WINDOW, "cluster": {"falls_back": True}}


def planned(world: World, calendar: FakeCalendar) -> Plan:
    readers = readers_over(world, may_simulate=True)
    return assess(TARGET, readers, PolicySources(incidents=FakeIncidents(world), calendar=calendar), NOON, Hints()).plan


def test_a_repair_that_can_wait_is_blocked_until_the_calendar_opens() -> None:
    world = described(LATENT)
    calendar = FakeCalendar(world)
    calendar.closed_until["nightly"] = NOON + timedelta(hours=10)
    plan = planned(world, calendar)
    assert plan.actions == ()
    assert {(blocked.reason, blocked.until) for blocked in plan.blocked} >= {(BlockReason.MAINTENANCE_WINDOW, NOON + timedelta(hours=10))}


def test_an_open_calendar_blocks_no_repair() -> None:
    world = described(LATENT)
    assert planned(world, FakeCalendar(world)).actions


def test_an_unreadable_calendar_blocks_a_repair_that_can_wait_and_is_named() -> None:
    world = described(LATENT)
    world.fail("calendar.opens_at", PermanentError("there is no calendar nightly"), times=None)
    plan = planned(world, FakeCalendar(world))
    assert plan.actions == ()
    assert any(
        blocked.reason is BlockReason.MAINTENANCE_WINDOW and "there is no calendar nightly" in blocked.sentence and blocked.until is None
        for blocked in plan.blocked
    )


def test_a_repair_of_a_current_failure_does_not_read_the_calendar() -> None:
    world = described({**WINDOW, "cluster": {"not_ready": 3}})
    world.fail("calendar.opens_at", PermanentError("must not be asked"), times=None)
    assert planned(world, FakeCalendar(world)).actions
    assert "calendar.opens_at" not in world.reads


@pytest.fixture(autouse=True)
def latent_world_has_no_failure() -> None:
    """Every pod of the latent world is ready, else these tests would test the wrong severity."""
    assert all(pod.facts.ready for pod in described(LATENT).clusters["demo"].pods.values())


@pytest.mark.parametrize("when_unverified", ["restore", "refuse"])
def test_no_action_is_planned_while_pod_identity_associations_are_unread(when_unverified: str) -> None:
    world = described({"annotation": None, "settings": {"when_unverified": when_unverified}})
    world.fail("eks.associations", AccessDenied("list pod identity associations: refused", denial=Denial.FORBIDDEN), times=None)
    plan = planned(world, FakeCalendar(world))
    assert plan.actions == ()
    assert any(blocked.reason is BlockReason.PRECONDITION_UNKNOWN and "pod identity" in blocked.sentence for blocked in plan.blocked)


def test_reads_run_in_parallel_and_no_thread_outlives_the_assessment() -> None:
    world, before = described(), threading.active_count()
    both_reading = threading.Barrier(2)

    class BlockingEks(FakeEks):
        """Its first two reads wait for each other, so sequential reads would fail."""

        def cluster(self, name: str) -> ClusterFacts | Missing:
            both_reading.wait(timeout=5)
            return super().cluster(name)

        def associations(self, target: ServiceAccountRef) -> tuple[Association, ...]:
            both_reading.wait(timeout=5)
            return super().associations(target)

    readers = readers_over(world, eks=BlockingEks(world), new_executor=ThreadPoolExecutor)
    _, diagnosis = collect_and_diagnose(TARGET, readers, NOON, Hints(), symptoms=True, guards=True)
    assert diagnosis.is_healthy
    assert threading.active_count() == before
