"""Items of history: a damaged detail costs the detail, not the facts that the limits count."""

from __future__ import annotations

import pytest

from lambdas.adapters import incident_items as items
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.details import NO_DETAILS
from tests.integration.adapters.incident_builders import incident, past

TARGET = ServiceAccountRef("demo", "kube-system", "aws-node")


def test_an_item_of_history_reads_back() -> None:
    stored = past(incident(TARGET))
    assert stored.details != NO_DETAILS
    assert items.past(TARGET, items.past_item(stored)) == stored


@pytest.mark.parametrize("damaged", ["nope", "[]", "7", '{"timeline": ["x"]}', '{"samples": [{"at": "?"}]}'])
def test_damaged_details_keep_the_facts(damaged: str) -> None:
    stored = past(incident(TARGET))
    found = items.past(TARGET, items.past_item(stored) | {"details": {"S": damaged}})
    assert found.details == NO_DETAILS
    assert (found.id, found.outcome, found.changes) == (stored.id, stored.outcome, stored.changes)
