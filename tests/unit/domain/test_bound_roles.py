"""Where roles are bounded, no other role is written; without bounds no role goes into an add-on record."""

from dataclasses import replace

import pytest

from lambdas.application.assessment import Assessment, PolicySources, assess
from lambdas.application.readers import Hints
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.planning.actions import UpdateAddonRole
from lambdas.domain.planning.plan import BlockedAction, BlockReason
from lambdas.domain.verification import is_verified
from tests import fakes
from tests.world import ACCOUNT, NAME, NAMESPACE, World, described, role_arn

TARGET = ServiceAccountRef("demo", NAMESPACE, NAME)
BOUND = role_arn("demo-vpc-cni")


def checked(world: World, *passable: str) -> Assessment:
    readers = fakes.readers_over(world, bound_roles=passable)
    policy_sources = PolicySources(incidents=fakes.FakeIncidents(world), calendar=fakes.FakeCalendar(world))
    return assess(TARGET, readers, policy_sources, world.now, Hints())


def withheld_record(made: Assessment) -> BlockedAction | None:
    return next((blocked for blocked in made.plan.blocked if blocked.link is Link.ADDON_RECORD), None)


@pytest.mark.parametrize(
    "passable",
    [
        pytest.param(("*",), id="nobody said which"),
        pytest.param((BOUND,), id="the very role"),
        pytest.param((f"arn:aws:iam::{ACCOUNT}:role/other", f"arn:aws:iam::{ACCOUNT}:role/demo-*"), id="one pattern of two"),
    ],
)
def test_a_passable_role_goes_into_the_record(passable: tuple[str, ...]) -> None:
    made = checked(described({"addon": {"role_arn": None}, "annotation": None}), *passable)
    assert isinstance(made.plan.actions[-1], UpdateAddonRole)
    assert withheld_record(made) is None


@pytest.mark.parametrize(
    "passable",
    [
        pytest.param((f"arn:aws:iam::{ACCOUNT}:role/eks/*",), id="another path"),
        pytest.param(("arn:aws:iam::999900009999:role/*",), id="another account"),
        pytest.param((BOUND[:-1],), id="one character short"),
        pytest.param((f"arn:aws-cn:iam::{ACCOUNT}:role/*",), id="another partition"),
    ],
)
def test_a_role_outside_bound_roles_is_not_written(passable: tuple[str, ...]) -> None:
    made = checked(described({"addon": {"role_arn": None}, "annotation": None}), *passable)
    assert made.plan.actions == ()
    assert {blocked.reason for blocked in made.plan.blocked if blocked.link is not Link.NODES} == {BlockReason.ROLE_OUTSIDE_BOUNDS}
    assert "bound_roles" in made.plan.blocked[0].sentence


@pytest.mark.parametrize("passable", [pytest.param(("",), id="none was configured")])
def test_a_role_that_cannot_be_passed_is_not_written_into_the_record(passable: tuple[str, ...]) -> None:
    made = checked(described({"addon": {"role_arn": None}, "annotation": None}), *passable)
    names = [action.kind for action in made.plan.actions]
    assert names[0] == "annotate-service-account"
    assert "update-addon-role" not in names
    held = withheld_record(made)
    assert held is not None
    assert held.reason is BlockReason.ROLE_NOT_ALLOWED
    assert "bound_roles" in held.sentence


def test_a_repair_is_verified_although_the_record_has_no_role() -> None:
    """Waiting would not change the record; the next assessment reports it to the owner."""
    world = described({"addon": {"role_arn": None}})
    made = checked(world, "")
    now = summarize(made.snapshot, made.diagnosis, made.plan)
    assert not now.is_healthy
    assert is_verified(now)
    assert not is_verified(replace(now, blocked=())), "but where the record is about to be written, its end is waited for"
