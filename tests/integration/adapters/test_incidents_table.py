"""Properties of the DynamoDB table of incidents alone: cost, expiry, races and errors."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.domain.errors import AccessDenied, TransientError
from sandbox.aws.faults import Fault, FaultKind
from tests.integration.adapters.incident_builders import FAR, NOW, incident, past, signal, signalled
from tests.integration.adapters.local_session import TABLE

if TYPE_CHECKING:
    from lambdas.adapters.incidents import Incidents
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.incidents.incident import Incident
    from sandbox.aws.local_aws import LocalAws


def test_a_signal_costs_one_write_and_a_quiet_signal_one_read_if_nothing_is_counted(
    table: Incidents, target: ServiceAccountRef, local_aws: LocalAws
) -> None:
    def asked(quiet: bool) -> list[str]:
        local_aws.calls.clear()
        table.signal(target, signal(FAR, quiet=quiet))
        return [call.action.removeprefix("dynamodb:") for call in local_aws.calls.all()]

    assert [asked(quiet=True), asked(quiet=False), asked(quiet=True)] == [["GetItem"], ["UpdateItem"], ["GetItem", "UpdateItem"]]
    table.claim(incident(target))
    assert [asked(quiet=True), asked(quiet=False)] == [["GetItem", "UpdateItem"], ["UpdateItem"]]
    found = table.get(target)
    assert found
    assert found.signals == 5


def test_history_expires_after_ninety_days_and_the_row_does_not(table: Incidents, target: ServiceAccountRef, local_aws: LocalAws) -> None:
    mine = incident(target, binding_path="/b")
    table.claim(mine)
    table.close(past(mine), 1, NOW)
    found = local_aws.client("dynamodb").scan(TableName=TABLE)["Items"]
    leaves = {item["sk"]["S"].partition("#")[0]: item.get("expires_at") for item in found if target.cluster in item["pk"]["S"]}
    assert leaves == {"now": None, "past": {"N": str(int((NOW + timedelta(days=90, minutes=1)).timestamp()))}}


def test_a_claim_during_a_close_opens_a_new_incident(table: Incidents, target: ServiceAccountRef, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = incident(target), incident(target, "b")
    table.claim(first)
    joining = table._count

    def after_it_closed(whose: Incident) -> Any:
        table.close(past(first), 9, NOW)
        return joining(whose)

    monkeypatch.setattr(table, "_count", after_it_closed)
    assert table.claim(second) == second == table.get(target)


def test_a_close_with_a_lost_response_is_one_close(table: Incidents, target: ServiceAccountRef, local_aws: LocalAws) -> None:
    mine = incident(target)
    table.claim(mine)
    local_aws.faults.add(Fault(service="dynamodb", operation="TransactWriteItems", kind=FaultKind.RESET, after_effect=True))
    assert table.close(past(mine), 1, NOW)
    assert len(table.history(target, NOW)) == 1


FAILURES = {
    "server error": (FaultKind.SERVER_ERROR, TransientError),
    "cut off": (FaultKind.RESET, TransientError),
    "denied": (FaultKind.ACCESS_DENIED, AccessDenied),
}


@pytest.mark.parametrize(("kind", "error"), FAILURES.values(), ids=FAILURES)
def test_a_table_error_says_whether_a_retry_can_help(
    table: Incidents, target: ServiceAccountRef, local_aws: LocalAws, kind: FaultKind, error: type[Exception]
) -> None:
    local_aws.faults.add(Fault(service="dynamodb", kind=kind, times=9))
    with pytest.raises(error, match=f"signal {target.key}"):
        signalled(table, target, NOW)
