"""External systems fail for a while: the repair continues, is verified, restarts once, and sends each message once."""

import pytest

from tests.chaos.faults import AWS, KUBERNETES, both
from tests.chaos.sandbox_runs import Disturb, ran

pytestmark = pytest.mark.sandbox


def test_a_repair_survives_faults_of_kubernetes_and_aws_together() -> None:
    names = ("409 conflict", "500", "answer of a write lost")
    ran("annotation-missing", both(*(KUBERNETES[name] for name in names), AWS["every service throttled"])).kept_the_promises()


@pytest.mark.long
def test_a_repair_continues_while_sns_is_down_and_notifies_afterwards() -> None:
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
