"""Where pod identity associations cannot be read, the annotation may be nobody's to write."""

import pytest

from lambdas.application.assessment import PolicySources, assess
from lambdas.application.readers import Hints
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.planning.plan import BlockReason
from tests.fakes import FakeCalendar, FakeIncidents, readers_over
from tests.world import NAME, NAMESPACE, NOON, described


@pytest.mark.parametrize("when_unverified", ["restore", "refuse"])
def test_nothing_is_written_while_the_mechanism_is_unknown_whatever_the_setting(when_unverified: str) -> None:
    world = described({"annotation": None, "settings": {"when_unverified": when_unverified}})
    world.fail("eks.associations", AccessDenied("list pod identity associations: refused", denial=Denial.FORBIDDEN), times=None)
    readers = readers_over(world, may_simulate=True)
    target, policy_sources = (
        ServiceAccountRef("demo", NAMESPACE, NAME),
        PolicySources(incidents=FakeIncidents(world), calendar=FakeCalendar(world)),
    )
    plan = assess(target, readers, policy_sources, NOON, Hints()).plan
    assert plan.actions == ()
    assert any(blocked.reason is BlockReason.PRECONDITION_UNKNOWN and "pod identity" in blocked.sentence for blocked in plan.blocked)
