"""What a check leaves on a ServiceAccount without an open incident."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lambdas.domain.incidents.incident import MAX_OVERLAP, IdleState, NodesState
from tests.unit.domain.snapshot_fixtures import repaired
from tests.world import NOON

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("nodes", [None, *NodesState])
@pytest.mark.parametrize(
    ("ahead", "is_later"),
    [
        pytest.param(-SECOND, False, id="an earlier check was recorded"),
        pytest.param(timedelta(0), False, id="the same check"),
        pytest.param(SECOND, True, id="a later check"),
        pytest.param(MAX_OVERLAP, True, id="the longest overlap"),
        pytest.param(MAX_OVERLAP + SECOND, False, id="a time that no check can have written"),
    ],
)
def test_a_healthy_check_replaces_what_an_earlier_one_has_recorded(ahead: timedelta, is_later: bool, nodes: NodesState | None) -> None:
    before = IdleState(known_good_at=NOON + ahead, nodes_seen_at=NOON + ahead, gone_notified_at=NOON)
    known = before if is_later else replace(before, known_good_at=NOON, gone_notified_at=None)
    seen = replace(known, nodes_seen_at=NOON, nodes_unsettled=nodes is NodesState.STARTING)
    assert before.after(NOON, nodes) == (known if nodes is None or is_later else seen)


def test_an_incident_that_ends_healthy_leaves_a_check_that_has_to_read_nodes_again() -> None:
    before = IdleState(known_good_at=NOON - SECOND, signals=3, gone_notified_at=NOON)
    after = IdleState(known_good_at=NOON, nodes_seen_at=NOON, nodes_unsettled=True)
    assert before.closed(repaired(timedelta()), NOON) == after


@pytest.mark.parametrize(("verdict", "is_remembered"), [("cluster-gone", True), ("annotation-missing", False)])
def test_an_incident_that_ends_otherwise_leaves_the_time_at_which_a_cluster_was_reported_gone(verdict: str, is_remembered: bool) -> None:
    past, before = replace(repaired(timedelta()), verdict=verdict), IdleState(known_good_at=NOON, gone_notified_at=NOON)
    assert before.closed(past, None) == replace(before, gone_notified_at=past.closed_at if is_remembered else None)
