"""The JSON that the checker's function returns. A person or a pipeline that invokes the function reads these fields."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from lambdas.application.check import results
from lambdas.checker.handler import result_to_json
from lambdas.domain.diagnosis.verdict import Verdict
from tests.unit.checker.simulated_checker import TARGET

CASES: list[tuple[Any, dict[str, Any]]] = [
    (results.EventIgnored("unknown event"), {"result": "ignored", "reason": "unknown event"}),
    (results.EventMalformed("no cluster"), {"result": "malformed", "reason": "no cluster"}),
    (
        results.ChecksRequested(clusters=("a", "b"), unbound=("c",), missing=("b",)),
        {"result": "checks-requested", "clusters": ["a", "b"], "unbound": ["c"], "missing": ["b"]},
    ),
    (results.DeliveryRecorded("0f4c"), {"result": "delivery-recorded", "nonce": "0f4c"}),
    (results.DigestRequested(("a",)), {"result": "digest-requested", "clusters": ["a"]}),
    (
        results.ClusterChecked({TARGET: results.NoFaultFound(Verdict.HEALTHY)}),
        {
            "result": "cluster-checked",
            "service_accounts": {"demo/kube-system/aws-node": {"result": "no-fault-found", "verdict": "healthy"}},
        },
    ),
    (results.NoFaultFound(Verdict.HEALTHY), {"result": "no-fault-found", "verdict": "healthy"}),
    (
        results.IncidentOpened(verdict=Verdict.ANNOTATION_WIPED, incident_id="7f3a"),
        {"result": "incident-opened", "verdict": "annotation-wiped", "incident_id": "7f3a"},
    ),
    (results.SignalCounted(incident_id="7f3a", signals=2), {"result": "signal-counted", "incident_id": "7f3a", "signals": 2}),
    (
        results.IncidentTakenOver(incident_id="81c0", former_incident_id="7f3a"),
        {"result": "incident-taken-over", "incident_id": "81c0", "former_incident_id": "7f3a"},
    ),
    (
        results.SignalAlreadyAnswered(datetime(2026, 1, 1, tzinfo=UTC)),
        {"result": "signal-already-answered", "check_began_at": "2026-01-01T00:00:00+00:00"},
    ),
    (results.SignalDeferred("c4d2"), {"result": "signal-deferred", "lease_holder": "c4d2"}),
    (results.CheckHandedOver(), {"result": "check-handed-over"}),
]


@pytest.mark.parametrize(("result", "returned"), CASES, ids=[type(result).__name__ for result, _ in CASES])
def test_each_result_has_its_json(result: Any, returned: dict[str, Any]) -> None:
    assert result_to_json(result) == returned


def test_every_kind_of_result_is_pinned() -> None:
    kinds = {*get_args(results.EventResult), *get_args(results.ServiceAccountResult)}
    assert {type(result) for result, _ in CASES} == kinds
