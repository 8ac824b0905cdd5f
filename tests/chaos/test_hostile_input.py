"""Hostile events, parameters and objects are never executed, trusted or rendered."""

import json
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.chaos import fuzzing, hostile_input
from tests.chaos.fleet import kinds, town
from tests.unit.requests.test_hostile_events import _answer as answer_to
from tests.world import NOON

SHORT = settings(max_examples=25, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=2_000, suppress_health_check=list(HealthCheck), derandomize=False)

events = hostile_input.forged()
worlds = st.tuples(st.lists(hostile_input.TEXT, min_size=1, max_size=6), st.booleans(), events)
bindings = st.one_of(
    hostile_input.NAMES,
    st.builds(lambda text: f"arn:aws:iam::111122223333:role/{text}", hostile_input.TEXT),
    st.builds(lambda text: f"{{cluster}}{text}{{account}}", hostile_input.TEXT),
)


def forged_event_changes_nothing_that_is_well(event: Any) -> None:
    there = town(broken=False)
    hostile_input.harmless(hostile_input.delivered(event, there))
    assert all(item.isprintable() for item in there.refused)
    assert there.world.writes == []


def hostile_objects_are_told_harmlessly(made: tuple[list[str], bool, Any]) -> None:
    words, broken, event = made
    there = hostile_input.poisoned_town(words, broken=broken)
    hostile_input.harmless(hostile_input.delivered(event, there))
    there.world.now = NOON
    hostile_input.harmless(hostile_input.delivered(kinds(NOON)[-2], there))


def only_the_bound_role_is_ever_written(value: str) -> None:
    there = hostile_input.bound_to(value)
    hostile_input.harmless(hostile_input.delivered(kinds(NOON)[-2], there))
    for write in there.world.writes:
        assert write.split()[-1] in there.world.roles or not write.startswith(("annotate", "set add-on"))


test_a_forged_event_changes_nothing_that_is_well = SHORT(given(events)(forged_event_changes_nothing_that_is_well))
test_hostile_objects_are_told_harmlessly = SHORT(given(worlds)(hostile_objects_are_told_harmlessly))
test_only_a_role_that_exists_is_ever_written = SHORT(given(bindings)(only_the_bound_role_is_ever_written))

LONG_RUNS = {
    "forged events": LONG(given(events)(forged_event_changes_nothing_that_is_well)),
    "hostile objects": LONG(given(worlds)(hostile_objects_are_told_harmlessly)),
    "hostile bindings": LONG(given(bindings)(only_the_bound_role_is_ever_written)),
}


@pytest.mark.parametrize("name", fuzzing.PARSERS)
def test_no_damaged_copy_makes_a_parser_fail(name: str) -> None:
    fuzzing.fuzzed(name, 1_500)


def test_damaged_copies_contain_every_kind_of_damage() -> None:
    """A fuzzer whose cases are all rejected, or all accepted, tests nothing."""
    chance = random.Random(0)
    answers = Counter(type(answer_to(fuzzing.damaged(chance.choice(fuzzing.EVENTS), chance))).__name__ for _ in range(2_000))
    assert all(answers[kind] > 100 for kind in ("CheckRequest", "Ignored", "MalformedEvent")), answers


def test_a_failing_parser_is_reported_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fuzzing.PARSERS, "settings", lambda chance: 1 // chance.choice([0]))
    with pytest.raises(fuzzing.ParserFailed, match="settings, seed 7: ZeroDivisionError"):
        fuzzing.fuzzed("settings", 10, seed=7)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", LONG_RUNS)
def test_many_damaged_copies(name: str) -> None:
    LONG_RUNS[name]()


def test_events_of_a_hundred_missing_clusters_open_no_incident() -> None:
    """Otherwise a principal that may put events could flood the chat."""
    there = town(broken=False)
    for n in range(100):
        for event in kinds(NOON, f"ghost-{n}"):
            assert hostile_input.delivered(event, there) == []
    assert there.remediator.executions == {}


@pytest.mark.parametrize("depth", [100, 100_000])
def test_a_deep_or_large_body_is_rejected_or_ignored(depth: int) -> None:
    event = kinds(NOON)[0]
    event["detail"] = json.loads('{"clusterName": "demo", "x": ' + "[" * 900 + "]" * 900 + "}") if depth == 100 else {"x": "y" * depth}
    there = town(broken=False)
    hostile_input.delivered(event, there)
    assert there.world.writes == []
