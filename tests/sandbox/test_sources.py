"""None of the sources alone is needed: with every other one switched off, the fault is still found."""

import json
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest

from sandbox.play.accounts import CHECKER, CLUSTER
from sandbox.play.reading import decision, mark, read_since
from sandbox.play.scenario import BOUND, World
from sandbox.play.sources import SOURCES, leave_only
from sandbox.play.stage import Stage

pytestmark = pytest.mark.sandbox
T = TypeVar("T")

LONGEST_S = 240.0
"""For a machine that is busy with other tests: how soon it is found is measured by `make bench`."""

FOUND = {
    "add-on call": {"update-in-progress", "annotation-missing", "addon-role-missing"},  # the update may have ended before the look
    "pod identity call": {"pod-identity-in-use"},
    "parameter changed": {"binding-invalid"},
}


def _found(stage: Stage) -> str:
    """The verdict, once there is one."""
    return _awaited(lambda: decision(stage))


def _delivered(stage: Stage, rules: Iterable[str]) -> set[str]:
    """The rules by which something came, once something came by all of these; the verdict may be quicker than the second."""
    _awaited(lambda: {it.rule for it in stage.bus.deliveries()} >= set(rules))
    return {it.rule for it in stage.bus.deliveries()}


def _awaited(seen: Callable[[], T]) -> T:
    end = time.monotonic() + LONGEST_S
    while not seen() and time.monotonic() < end:
        time.sleep(0.02)
    return seen()


@pytest.mark.parametrize("name", SOURCES)
def test_the_fault_is_found_with_every_other_source_switched_off(name: str) -> None:
    source = SOURCES[name]
    with Stage(World(nodes=2, addon_role=BOUND, settings={"mode": "observe"})) as stage:
        leave_only(stage, source)
        before = mark(stage)
        source.fault(stage)
        source.tell(stage)
        assert _found(stage) in FOUND.get(name, {"annotation-missing"})
        assert _delivered(stage, source.rules) == set(source.rules)
        kubernetes, aws = read_since(stage, before)
        assert dict(kubernetes) == dict.fromkeys(("serviceaccounts", "daemonsets", "pods", "nodes", "events"), 1)
        assert aws.total() <= 14, aws


def test_a_warm_checker_reads_a_changed_parameter_anew() -> None:
    with Stage(World(nodes=2, addon_role=BOUND, settings={"mode": "observe"})) as stage:
        leave_only(stage, SOURCES["parameter changed"])
        warmed = [stage.functions.pool(CHECKER).invoke(json.dumps({"cluster": CLUSTER}).encode()) for _ in range(2)]
        assert [it.failed for it in warmed] == [False, False]
        SOURCES["parameter changed"].fault(stage)
        SOURCES["parameter changed"].tell(stage)
        assert _found(stage) == "binding-invalid"
