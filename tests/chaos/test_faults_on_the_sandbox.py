"""Everything outside fails for a while: the repair goes on, ends proven, restarts once and tells each state once."""

import pytest

from tests.chaos.faults import AWS, KUBERNETES, both
from tests.chaos.sandbox import Disturb, ran

pytestmark = pytest.mark.sandbox


def test_a_repair_survives_what_kubernetes_and_aws_do_on_a_bad_day() -> None:
    names = ("409 conflict", "500", "answer of a write lost")
    ran("annotation-missing", both(*(KUBERNETES[name] for name in names), AWS["every service throttled"])).kept_the_promises()


@pytest.mark.long
def test_a_repair_goes_on_while_sns_is_down_and_tells_when_it_is_back() -> None:
    found = ran("annotation-missing", AWS["SNS down"])
    assert found.converged, found
    assert found.extra_restarts == 0
    assert any("verified" in title for title in found.titles), "the end is told once SNS is back"


@pytest.mark.long
@pytest.mark.parametrize("disturb", KUBERNETES.values(), ids=KUBERNETES)
def test_each_fault_of_kubernetes(disturb: Disturb) -> None:
    ran("annotation-missing", disturb).kept_the_promises()


@pytest.mark.long
@pytest.mark.parametrize("name", [aw for aw in AWS if aw != "SNS down"])
def test_each_fault_of_aws(name: str) -> None:
    scenario = "addon-role-missing" if "UpdateAddon" in name else "annotation-missing"
    ran(scenario, AWS[name]).kept_the_promises()
