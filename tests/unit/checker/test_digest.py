"""The daily schedule's turn: who is asked for a digest, and that asking twice is asking once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lambdas.application.check.pipeline import run
from lambdas.contract.settings import settings_path
from lambdas.domain.errors import TransientError
from lambdas.domain.snapshot.bindings import Parameter
from tests.events import event
from tests.unit.checker.staged import stage
from tests.world import Trouble

if TYPE_CHECKING:
    from tests.over_fakes.performance import Performance

SEVEN = datetime(2026, 9, 27, 7, tzinfo=UTC)


def asked(play: Performance, **settings: str) -> object:
    """Run the digest's event with this setting of `digest` by cluster."""
    for cluster, value in settings.items():
        play.world.parameters[settings_path(cluster, "digest")] = Parameter(value=value)
    return run(event("digest"), replace(play.ports, now=lambda: SEVEN))


def test_without_the_setting_nothing_is_started() -> None:
    play = stage()
    assert asked(play) == {"digest": []}
    assert (play.remediator.digests, play.remediator.executions, play.world.writes) == ({}, {}, [])


@pytest.mark.parametrize(
    ("settings", "clusters"),
    [
        ({"demo": "daily"}, ["demo"]),
        ({"_default": "daily"}, ["blue", "demo"]),
        ({"_default": "daily", "demo": "off"}, ["blue"]),
        ({"demo": "weekly"}, []),
    ],
    ids=["its own", "the default", "its own wins over the default", "a value that does not parse counts as not set"],
)
def test_the_clusters_whose_settings_ask_for_it_are_summed_up(settings: dict[str, str], clusters: list[str]) -> None:
    play = stage()
    play.world.clusters["blue"] = play.world.clusters["demo"]
    assert asked(play, **settings) == {"digest": clusters}
    assert list(play.remediator.digests.values()) == ([clusters] if clusters else [])


def test_another_stacks_cluster_is_left_to_it() -> None:
    play = stage()
    play.world.clusters["blue"] = play.world.clusters["demo"]
    play.world.parameters[settings_path("_default", "digest")] = Parameter(value="daily")
    ports = replace(play.ports, now=lambda: SEVEN, environment=replace(play.ports.environment, clusters="blue"))
    assert run(event("digest"), ports) == {"digest": ["blue"]}


def test_an_event_that_is_delivered_twice_asks_once() -> None:
    play = stage()
    assert asked(play, demo="daily") == asked(play)
    assert play.remediator.digests == {SEVEN: ["demo"]}


def test_where_nothing_answers_the_event_is_delivered_again() -> None:
    play = stage()
    play.world.troubles.append(Trouble("remediator.sum_up", TransientError("throttled")))
    with pytest.raises(TransientError):
        asked(play, demo="daily")
    assert asked(play) == {"digest": ["demo"]}
