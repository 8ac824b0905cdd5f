"""IAM's answers to trust policies, from a table with sources, and the corrections that follow from them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lambdas.domain.trust import Allowed, Answer, Refused, TrustFault, WebIdentity, breadth, changed_lines, correct, evaluate
from tests.unit.notifications.test_golden import assert_golden

TABLE: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("trust_policies.yaml").read_text(encoding="utf-8"))
OTHER = "oidc.eks.eu-west-1.amazonaws.com/id/9A1C"
DUAL = "oidc-eks.eu-west-1.api.aws/id/77D0"


def identity_of(row: dict[str, Any]) -> WebIdentity:
    return WebIdentity(**(TABLE["identity"] | row.get("identity", {})))


def filled(value: Any, identity: WebIdentity) -> Any:
    """The value with the table's marks replaced, in keys as well."""
    if isinstance(value, dict):
        return {filled(key, identity): filled(item, identity) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, identity) for item in value]
    if isinstance(value, str):
        marks = {"<provider>": identity.provider_arn, "<issuer>": identity.issuer, "<other>": OTHER, "<dual>": DUAL}
        for mark, text in marks.items():
            value = value.replace(mark, text)
    return value


def policy_of(row: dict[str, Any]) -> dict[str, Any]:
    policy = row["policy"] if "policy" in row else {"Version": "2012-10-17", "Statement": row["statement"]}
    return filled(policy, identity_of(row))  # type: ignore[no-any-return]


def outcome(answer: Answer) -> str:
    return answer.code.value if isinstance(answer, Refused) else type(answer).__name__.lower()


ROWS = {row["id"]: row for row in TABLE["rows"]}
CORRECTED = {name: row for name, row in ROWS.items() if "corrected" in row}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_answer_is_iams(row: dict[str, Any]) -> None:
    answer = evaluate(policy_of(row), identity_of(row))

    assert outcome(answer) == row["expect"], answer


def test_each_answer_and_correction_is_as_reviewed() -> None:
    """The reason, the changed lines and how broad the policy is. After a wanted change: `UPDATE_GOLDEN=1`."""
    text = "\n".join(f"######## {name}\n{_reading(policy_of(row), identity_of(row))}\n" for name, row in ROWS.items())
    assert_golden(Path(__file__).with_name("trust_answers.txt"), text)


def _reading(policy: dict[str, Any], identity: WebIdentity) -> str:
    broad = breadth(policy, identity)
    changed = [f"- {old}\n+ {new}" for old, new in changed_lines(policy, correct(policy, identity))]
    return "\n".join([str(evaluate(policy, identity)), *([f"too broad: {broad}"] if broad else []), *changed])


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_corrected_policy_lets_the_identity_in_unless_a_deny_may_stand(row: dict[str, Any]) -> None:
    policy, identity = policy_of(row), identity_of(row)
    statements = policy.get("Statement", [])
    denies = [
        statement for statement in (statements if isinstance(statements, list) else [statements]) if statement.get("Effect") == "Deny"
    ]

    corrected = correct(policy, identity)

    assert isinstance(evaluate(corrected, identity), Allowed) or denies
    assert correct(corrected, identity) == corrected
    assert corrected == policy or row["expect"] != "allowed"


@pytest.mark.parametrize("row", CORRECTED.values(), ids=CORRECTED)
def test_the_correction_is_the_least_change(row: dict[str, Any]) -> None:
    identity = identity_of(row)
    expected = filled(row["corrected"], identity)

    statement = correct(policy_of(row), identity)["Statement"]

    assert (statement if isinstance(statement, list) else [statement]) == expected


def test_every_row_has_its_own_id_and_a_source_or_a_reason() -> None:
    assert len(ROWS) == len(TABLE["rows"])
    assert len(ROWS) >= 60
    known = set(TABLE["sources"])
    for row in ROWS.values():
        assert row["why"].startswith("https://") or " " in row["why"] or row["why"] in known, row["id"]


def test_every_fault_is_in_the_table() -> None:
    assert {row["expect"] for row in ROWS.values()} == {"allowed", "undecided", *TrustFault}
