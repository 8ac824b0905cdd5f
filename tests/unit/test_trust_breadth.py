"""Whether a trust policy lets in more than the one ServiceAccount it is for."""

from typing import Any

import pytest

from lambdas.domain.trust import Allowed, Breadth, Undecided, breadth, evaluate
from tests.unit.test_trust_evaluation import ME, OWN, SUBJECT, policy, subject, web

AUDIENCE = {"StringEquals": {f"{OWN}:aud": "sts.amazonaws.com"}}
BOTH = {"StringEquals": {f"{OWN}:aud": "sts.amazonaws.com", f"{OWN}:sub": SUBJECT}}
KEEPS_OTHERS_OUT = {"Effect": "Deny", "Principal": "*", "Action": "sts:*", "Condition": subject(SUBJECT, operator="StringNotEquals")}
ROWS: dict[str, tuple[tuple[dict[str, Any], ...], Breadth | None]] = {
    "this one alone": ((web(Condition=BOTH),), None),
    "two by name": ((web(Condition={"StringEquals": {f"{OWN}:sub": [SUBJECT, "system:serviceaccount:a:b"]}}),), None),
    "some of the namespace, by the beginning of their names": (
        (web(Condition=subject("system:serviceaccount:kube-system:aws-*", operator="StringLike")),),
        None,
    ),
    "the audience alone": ((web(Condition=AUDIENCE),), Breadth.CLUSTER),
    "no condition": ((web(),), Breadth.CLUSTER),
    "any subject by a wildcard": ((web(Condition=subject("system:serviceaccount:*", operator="StringLike")),), Breadth.CLUSTER),
    "a name in any namespace": ((web(Condition=subject("system:serviceaccount:*:aws-node", operator="StringLike")),), None),
    "its namespace": ((web(Condition=subject("system:serviceaccount:kube-system:*", operator="StringLike")),), Breadth.NAMESPACE),
    "one statement of two": ((web(Condition=BOTH), web(Condition=AUDIENCE)), Breadth.CLUSTER),
    "every token without a misspelt key": (
        (web(Condition={"ForAllValues:StringEquals": {f"{OWN}:subject": SUBJECT}}),),
        Breadth.CLUSTER,
    ),
    "others are denied": ((web(Condition=AUDIENCE), KEEPS_OTHERS_OUT), None),
}


@pytest.mark.parametrize(("statements", "expected"), ROWS.values(), ids=ROWS)
def test_how_far_a_policy_is_open(statements: tuple[dict[str, Any], ...], expected: Breadth | None) -> None:
    document = policy(*statements)
    if expected is not None:
        assert evaluate(document, ME) == Allowed()
    assert breadth(document, ME) is expected


def test_a_policy_for_everyone_is_broad_though_it_is_not_known_to_admit_a_token() -> None:
    everyone = policy({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity"})
    assert isinstance(evaluate(everyone, ME), Undecided)
    assert breadth(everyone, ME) is Breadth.CLUSTER


def test_an_unknown_case_gives_no_warning() -> None:
    hidden = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    assert breadth(policy(web(Condition=hidden)), ME) is None
    assert breadth({}, ME) is None
