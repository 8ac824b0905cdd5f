"""When a function's process collects garbage, and among what."""

import gc
from collections.abc import Iterator

import pytest

from lambdas.adapters.gc_tuning import without_gc_at_start


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    assert gc.isenabled()
    frozen_before = gc.get_freeze_count()
    yield
    gc.enable()
    if not frozen_before:
        gc.unfreeze()


def test_the_first_event_alone_is_handled_without_collecting() -> None:
    handle = without_gc_at_start(lambda event: (event, gc.isenabled()))
    assert [handle("first"), handle("second")] == [("first", False), ("second", True)]


def test_objects_of_the_start_are_excluded_from_later_collections() -> None:
    loaded = {"service": ["model"]}
    gc.unfreeze()
    without_gc_at_start(lambda: None)()
    assert gc.get_freeze_count() > 0
    assert not any(get_object is loaded for get_object in gc.get_objects())
    came_later = {"answer": ["of", "a", "call"]}
    assert any(get_object is came_later for get_object in gc.get_objects())


def test_a_first_event_that_fails_leaves_the_collector_switched_on() -> None:
    def fail() -> None:
        raise RuntimeError("the table does not answer")

    with pytest.raises(RuntimeError):
        without_gc_at_start(fail)()
    assert gc.isenabled()
