"""None of the sources alone is needed: with every other one switched off, the fault is still found."""

import json

import pytest

from sandbox.play.accounts import CHECKER, CLUSTER
from sandbox.play.reading import decision, mark, read_since
from sandbox.play.scenario import BOUND, World
from sandbox.play.sources import SOURCES, leave_only
from sandbox.play.stage import Stage
from tests.waiting import eventually

pytestmark = pytest.mark.sandbox

FOUND = {
    "add-on call": {"update-in-progress", "annotation-missing", "addon-role-missing"},  # the update may have ended before the look
    "pod identity call": {"pod-identity-in-use"},
    "parameter changed": {"binding-invalid"},
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_fault_is_found_with_every_other_source_switched_off(name: str) -> None:
    source = SOURCES[name]
    with Stage(World(nodes=2, addon_role=BOUND, settings={"mode": "observe"})) as stage:
        leave_only(stage, source)
        before = mark(stage)
        source.fault(stage)
        source.tell(stage)
        assert eventually(lambda: decision(stage)) in FOUND.get(name, {"annotation-missing"})
        # The verdict may be quicker than the delivery by the second rule.
        rules = eventually(lambda: {delivery.rule for delivery in stage.bus.deliveries()}, lambda seen: seen >= set(source.rules))
        assert rules == set(source.rules)
        kubernetes, aws = read_since(stage, before)
        assert dict(kubernetes) == dict.fromkeys(("serviceaccounts", "daemonsets", "pods", "nodes", "events"), 1)
        assert aws.total() <= 14, aws


def test_a_warm_checker_reads_a_changed_parameter_anew() -> None:
    with Stage(World(nodes=2, addon_role=BOUND, settings={"mode": "observe"})) as stage:
        leave_only(stage, SOURCES["parameter changed"])
        warmed = [stage.functions.pool(CHECKER).invoke(json.dumps({"cluster": CLUSTER}).encode()) for _ in range(2)]
        assert [item.failed for item in warmed] == [False, False]
        SOURCES["parameter changed"].fault(stage)
        SOURCES["parameter changed"].tell(stage)
        assert eventually(lambda: decision(stage)) == "binding-invalid"
