"""Nodes on which the Pod Identity agent is not ready yet, so that a repair waits for it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.domain.diagnosis.links.pod_identity_agent import joining_nodes
from lambdas.domain.snapshot.snapshot import NOT_READ, AgentFacts, ComputeType, Unknown
from tests.unit.domain.link_cases.fixtures import associated
from tests.unit.notifications.snapshots import NO_AGENT, NOW, agent, pods

GRACE = timedelta(minutes=3)
FIRST, LAST = (pods(15, None)[number].node for number in (0, 14))


@pytest.mark.parametrize(
    ("facts", "ages", "expected"),
    [
        pytest.param(agent(absent=1), (), (), id="an old node"),
        pytest.param(agent(absent=1), (GRACE - timedelta(seconds=1),), (LAST,), id="a second within the grace period"),
        pytest.param(agent(absent=1), (GRACE,), (), id="just over it"),
        pytest.param(agent(absent=2), (timedelta(0),), (), id="one old and one new node"),
        pytest.param(agent(unready=1), (timedelta(0),), (LAST,), id="an agent that is not ready"),
        pytest.param(agent(), (timedelta(0),), (), id="every agent is ready"),
        pytest.param(NO_AGENT, (timedelta(0),) * 15, (), id="no agent at all"),
        pytest.param(replace(agent(), pods=Unknown("403")), (timedelta(0),) * 15, (), id="agents could not be read"),
        pytest.param(NOT_READ, (timedelta(0),) * 15, (), id="agents were not read"),
        pytest.param(replace(agent(absent=1), compute_types={LAST: ComputeType.WINDOWS}), (timedelta(0),), (), id="Windows"),
        pytest.param(replace(agent(absent=1), compute_types={LAST: ComputeType.AUTO}), (timedelta(0),), (), id="Auto Mode"),
        pytest.param(
            replace(agent(absent=1), compute_types={FIRST: ComputeType.WINDOWS}), (timedelta(0),), (LAST,), id="Windows elsewhere"
        ),
    ],
)
def test_a_repair_waits_only_for_nodes_within_their_grace_period(
    facts: AgentFacts | Any, ages: tuple[timedelta, ...], expected: Any
) -> None:
    """`ages` are those of the last pods; the others are old."""
    found = list(pods(15, None, container_credentials=True))
    for number, age in enumerate(ages, start=1):
        found[-number] = replace(found[-number], created_at=NOW - age)
    assert joining_nodes(associated(agent=facts, pods=tuple(found))) == expected
