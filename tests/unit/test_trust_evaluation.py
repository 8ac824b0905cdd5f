"""Sentences of the answers, the pod identity variant, and edge cases of pattern matching."""

import time
from typing import Any

import pytest

from lambdas.domain.trust import Allowed, Answer, Refused, TrustFault, Undecided, WebIdentity, evaluate, evaluate_pod_identity
from lambdas.domain.trust.conditions import Context, holds
from lambdas.domain.trust.document import Condition
from lambdas.domain.trust.identity import is_cluster_issuer
from lambdas.domain.trust.logic import all_of, any_of, negated
from lambdas.domain.trust.patterns import arn_matches, matches
from lambdas.domain.trust.values import with_value

OWN = "oidc.eks.eu-west-1.amazonaws.com/id/77D0"
OTHER = "oidc.eks.eu-west-1.amazonaws.com/id/9A1C"
DUAL = "oidc-eks.eu-west-1.api.aws/id/77D0"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{OWN}"
SUBJECT = "system:serviceaccount:kube-system:aws-node"
ME = WebIdentity(provider_arn=PROVIDER, subject=SUBJECT)


def web(provider: str = PROVIDER, **changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity"} | changes


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def subject(value: str, key: str = f"{OWN}:sub", operator: str = "StringEquals") -> dict[str, Any]:
    return {operator: {key: value}}


REASONS = {
    "another-cluster": (
        web(f"arn:aws:iam::111122223333:oidc-provider/{OTHER}", Condition=subject(SUBJECT, f"{OTHER}:sub")),
        "statement 0: it names the OIDC provider of another cluster (…/id/9A1C, this cluster is …/id/77D0)",
    ),
    "another-spelling": (
        web(f"arn:aws:iam::111122223333:oidc-provider/{DUAL}"),
        f"statement 0: it writes the issuer as {DUAL}, EKS reports {OWN}: for IAM these are two providers",
    ),
    "another-account": (
        web(f"arn:aws:iam::444455556666:oidc-provider/{OWN}"),
        f"statement 0: it names arn:aws:iam::444455556666:oidc-provider/{OWN}, this cluster's provider is {PROVIDER}",
    ),
    "action": (web(Action="sts:AssumeRole", Sid="Pods"), "statement Pods: it allows sts:AssumeRole, not sts:AssumeRoleWithWebIdentity"),
    "key": (web(Condition=subject(SUBJECT, "sub")), f'statement 0: IAM fills "{OWN}:sub", never "sub"'),
    "value": (
        web(Condition=subject("system:serviceaccount:default:x")),
        f'statement 0: {OWN}:sub must be "system:serviceaccount:default:x", the pod presents "{SUBJECT}"',
    ),
    "operator": (
        web(Condition=subject("system:serviceaccount:*:aws-node")),
        'statement 0: StringEquals takes the wildcard in "system:serviceaccount:*:aws-node" literally',
    ),
    "not-correctable": (
        web(Condition=subject(SUBJECT, operator="StringNotEquals")),
        f"statement 0: StringNotEquals on {OWN}:sub is not met",
    ),
    "two-flaws-the-graver-first": (
        web(Action="sts:AssumeRole", Condition=subject(SUBJECT, f"{PROVIDER}:sub")),
        f'statement 0: IAM fills "{OWN}:sub", never "{PROVIDER}:sub"; it allows sts:AssumeRole, not sts:AssumeRoleWithWebIdentity',
    ),
}


@pytest.mark.parametrize(("statement", "reason"), REASONS.values(), ids=REASONS)
def test_a_refusal_has_one_sentence_with_the_reason(statement: dict[str, Any], reason: str) -> None:
    answer = evaluate(policy(statement), ME)

    assert isinstance(answer, Refused)
    assert answer.reason == reason
    assert answer.statement == statement.get("Sid", 0)


def test_the_nearest_statement_is_named_and_not_the_first() -> None:
    far = web(Condition=subject("system:serviceaccount:karpenter:karpenter"))
    near = web(Condition=subject(SUBJECT, f"{PROVIDER}:sub"))

    answer = evaluate(policy(far, web(f"arn:aws:iam::111122223333:oidc-provider/{OTHER}"), near), ME)

    assert isinstance(answer, Refused)
    assert (answer.code, answer.statement) == (TrustFault.CONDITION_WRONG, 2)


def test_a_denial_names_the_statement_that_denies() -> None:
    answer = evaluate(
        policy(web(), {"Sid": "Idle", "Effect": "Deny", "Principal": {"AWS": "111122223333"}, "Action": "*"}, web(Sid="No", Effect="Deny")),
        ME,
    )

    assert answer == Refused(TrustFault.DENIED, "statement No denies sts:AssumeRoleWithWebIdentity, which no Allow can outweigh", "No")


def test_nothing_near_names_no_statement() -> None:
    assert evaluate(policy(), ME) == Refused(TrustFault.NO_STATEMENT, f"no statement lets {SUBJECT} of {OWN} in", None)


DOUBTS = {
    "key": (web(Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}), "statement 0: IpAddress on aws:SourceIp"),
    "operator": (
        web(Condition={"StringSoundsLike": {f"{OWN}:sub": "x"}}),
        f"statement 0: StringSoundsLike on {OWN}:sub (no operator we know)",
    ),
    "principal": (web("*"), 'statement 0: "Federated": "*"'),
    "not-principal": ({"Effect": "Allow", "NotPrincipal": {"AWS": "1"}, "Action": "*"}, "statement 0: NotPrincipal"),
    "shape": (web(Resource="*"), "statement 0 has 'Resource', which IAM does not take there"),
    "two": (
        web(Condition={"StringEquals": {"aws:SourceVpc": "v", "sts:RoleSessionName": "s"}}),
        "statement 0: StringEquals on aws:SourceVpc and StringEquals on sts:RoleSessionName",
    ),
}


@pytest.mark.parametrize(("statement", "reason"), DOUBTS.values(), ids=DOUBTS)
def test_an_undecided_answer_names_the_reason(statement: dict[str, Any], reason: str) -> None:
    assert evaluate(policy(statement), ME) == Undecided(reason)


def test_a_doubtful_deny_is_named_where_all_else_allows() -> None:
    deny = web(Effect="Deny", Sid="Vpc", Condition={"StringNotEquals": {"aws:SourceVpc": "vpc-0"}})

    assert evaluate(policy(web(), deny), ME) == Undecided("statement Vpc: StringNotEquals on aws:SourceVpc")


def pod(*actions: str, **changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": list(actions)} | changes


BOTH = ("sts:AssumeRole", "sts:TagSession")
HERE = {"aws:SourceAccount": "111122223333", "aws:RequestTag/kubernetes-namespace": "kube-system"}


def in_namespace(name: str) -> dict[str, Any]:
    return {"StringEquals": {"aws:RequestTag/Kubernetes-Namespace": name}}


POD_IDENTITY: dict[str, tuple[dict[str, Any], dict[str, str], object]] = {
    "as-the-guide-writes-it": (policy(pod(*BOTH)), {}, Allowed),
    "one-statement-each": (policy(pod("sts:AssumeRole"), pod("sts:TagSession")), {}, Allowed),
    "every-action": (policy(pod("sts:*")), {}, Allowed),
    "beside-the-node": (policy(pod(*BOTH, Principal={"Service": ["ec2.amazonaws.com", "pods.eks.amazonaws.com"]})), {}, Allowed),
    "tagging-missing": (policy(pod("sts:AssumeRole")), {}, TrustFault.ACTION_MISSING),
    "assuming-missing": (policy(pod("sts:TagSession")), {}, TrustFault.ACTION_MISSING),
    "role-of-irsa": (policy(web()), {}, TrustFault.NO_STATEMENT),
    "service-of-the-cluster": (policy(pod(*BOTH, Principal={"Service": "eks.amazonaws.com"})), {}, TrustFault.NO_STATEMENT),
    "tagging-denied": (policy(pod(*BOTH), pod("sts:TagSession", Effect="Deny")), {}, TrustFault.DENIED),
    "this-namespace": (policy(pod(*BOTH, Condition=in_namespace("kube-system"))), HERE, Allowed),
    "another-namespace": (policy(pod(*BOTH, Condition=in_namespace("default"))), HERE, TrustFault.CONDITION_WRONG),
    "namespace-not-told": (policy(pod(*BOTH, Condition=in_namespace("default"))), {}, Undecided),
    "key-of-irsa": (policy(pod(*BOTH, Condition=subject(SUBJECT))), HERE, TrustFault.CONDITION_WRONG),
    "tagging-open-assuming-refused": (policy(pod("sts:TagSession", Condition=in_namespace("x"))), {}, TrustFault.ACTION_MISSING),
    "no-policy": ({}, {}, Undecided),
}


@pytest.mark.parametrize(("document", "known", "expected"), POD_IDENTITY.values(), ids=POD_IDENTITY)
def test_pod_identity_needs_its_service_and_both_actions(document: dict[str, Any], known: dict[str, str], expected: object) -> None:
    answer: Answer = evaluate_pod_identity(document, known)

    assert (answer.code if isinstance(answer, Refused) else type(answer)) == expected, answer


def test_pod_identity_names_the_action_that_is_missing() -> None:
    answer = evaluate_pod_identity(policy(pod("sts:AssumeRole", Sid="Pods")))

    assert answer == Refused(TrustFault.ACTION_MISSING, "no statement allows sts:TagSession to pods.eks.amazonaws.com", "Pods")


OPERATORS = {
    # operator, value in the policy -> with the subject's key, with a key that holds an ARN, with an absent key
    "StringEquals": (SUBJECT, True, False, False),
    "StringNotEquals": (SUBJECT, False, True, True),
    "StringEqualsIgnoreCase": (SUBJECT.upper(), True, False, False),
    "StringNotEqualsIgnoreCase": (SUBJECT.upper(), False, True, True),
    "StringLike": ("system:*", True, False, False),
    "StringNotLike": ("system:*", False, True, True),
    "ArnEquals": ("arn:aws:iam::*:role/x", False, True, False),
    "ArnLike": ("arn:aws:iam::*:role/x", False, True, False),
    "ArnNotEquals": ("arn:aws:iam::*:role/x", True, False, True),
    "ArnNotLike": ("arn:aws:iam::*:role/x", True, False, True),
    "Null": ("TRUE", False, False, True),
    "Bool": ("true", None, None, False),
    "BinaryEquals": ("eA==", None, None, False),
    "IpAddress": ("203.0.113.0/24", None, None, False),
    "NotIpAddress": ("203.0.113.0/24", None, None, True),
    "NumericEquals": ("1", None, None, False),
    "NumericNotEquals": ("1", None, None, True),
    "NumericLessThan": ("1", None, None, False),
    "DateGreaterThanEquals": ("2026-01-01", None, None, False),
    "DateNotEquals": ("2026-01-01", None, None, True),
    "StringLikes": ("x", None, None, None),
}
CONTEXT = Context(known={"sub": SUBJECT, "arn": "arn:aws:iam::111122223333:role/x", "tls": "True"}, opaque=("aws:",))


@pytest.mark.parametrize(("name", "row"), OPERATORS.items(), ids=OPERATORS)
def test_each_operator_on_text_on_an_arn_and_on_an_absent_key(name: str, row: tuple[str, bool | None, bool | None, bool | None]) -> None:
    value, *expected = row

    assert [
        holds(Condition(operator=name, key=key, values=(value,)), CONTEXT, variables=False) for key in ("sub", "ARN", "gone")
    ] == expected


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("TRUE", True), ("false", False), ("maybe", None)])
def test_booleans_have_no_case_and_nothing_beside_them(value: str, expected: bool | None) -> None:
    assert holds(Condition(operator="Bool", key="tls", values=(value,)), CONTEXT, variables=False) is expected


def test_a_presence_condition_with_both_values_always_holds() -> None:
    both = ("true", "false")

    assert all(holds(Condition(operator="Null", key=key, values=both), CONTEXT, variables=False) for key in ("sub", "gone"))
    assert holds(Condition(operator="Null", key="aws:x", values=both), CONTEXT, variables=False) is None


SHAPES = {
    "not-an-object": ([], "the policy is not an object"),
    "unknown-element": ({"Statement": [], "Rule": 1}, "the policy has 'Rule', which IAM does not take there"),
    "id-of-another-type": ({"Statement": [], "Id": 1}, "the policy's Id is not text"),
    "statement-of-another-type": ({"Statement": "x"}, "statement 0 is not an object"),
    "named-by-its-sid": (policy(web(Sid="Pods", Effect="Perhaps")), "statement Pods: Effect is neither Allow nor Deny"),
    "an-empty-sid-is-no-name": (policy(web(), web(Sid="", Effect="Perhaps")), "statement 1: Effect is neither Allow nor Deny"),
    "a-sid-that-is-no-text": (policy(web(Sid=7)), "statement 0: Sid is not text"),
    "value": (policy(web(Condition=subject(None))), f"statement 0: StringEquals {OWN}:sub: a value is neither text, number nor boolean"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("document", "reason"), SHAPES.values(), ids=SHAPES)
def test_a_document_that_iam_would_not_hold_is_named_by_its_first_fault(document: Any, reason: str) -> None:
    assert evaluate(document, ME) == Undecided(reason)


PATTERNS = {
    "empty-matches-empty": ("", "", True),
    "empty-does-not-match-text": ("", "a", False),
    "star-matches-empty": ("*", "", True),
    "stars-collapse": ("***", "abc", True),
    "one-is-not-none": ("?", "", False),
    "star-then-text": ("*b", "aab", True),
    "star-then-text-that-comes-twice": ("*ab", "abab", True),
    "star-in-the-middle": ("a*c", "abbbc", True),
    "text-left-over": ("a*c", "abcd", False),
    "text-missing": ("abc", "ab", False),
    "one-then-star": ("?*", "a", True),
    "newline-is-a-character": ("a?b", "a\nb", True),
    "dot-is-plain": ("a.b", "axb", False),
    "letter-is-plain": ("X*", "abc", False),
}


@pytest.mark.parametrize(("pattern", "value", "expected"), PATTERNS.values(), ids=PATTERNS)
def test_wildcards_match_whole_values(pattern: str, value: str, *, expected: bool) -> None:
    assert matches(pattern, value, wildcards=True, variables=False) is expected


def test_no_pattern_is_slow() -> None:
    started = time.perf_counter()

    assert matches("*a" * 1000, "a" * 2000 + "b", wildcards=True, variables=False) is False

    assert time.perf_counter() - started < 5  # a back-tracking matcher would not end at all


VARIABLES = {
    "escape-is-plain": ("a${*}", "a*", True),
    "escape-is-no-wildcard": ("a${*}", "ab", False),
    "question-mark-escape": ("${?}", "?", True),
    "dollar-escape": ("${$}", "$", True),
    "unknown-value": ("a${aws:username}", "abc", None),
    "no-value-would-do": ("a${aws:username}", "bc", False),
    "unclosed-is-plain": ("a${b", "a${b", True),
}


@pytest.mark.parametrize(("pattern", "value", "expected"), VARIABLES.values(), ids=VARIABLES)
def test_a_policy_variable_is_undecided(pattern: str, value: str, expected: bool | None) -> None:
    assert matches(pattern, value, wildcards=False, variables=True) is expected


ARNS = {
    "equal": ("arn:aws:sns:eu-west-1:111122223333:topic", True),
    "wildcard-in-a-part": ("arn:*:sns:*:111122223333:to?ic", True),
    "wildcard-does-not-cross-a-colon": ("arn:aws:*:topic", False),
    "last-part-may-hold-colons": ("arn:aws:sns:eu-west-1:111122223333:topic:x", False),
    "variable": ("arn:${aws:Partition}:sns:eu-west-1:111122223333:topic", None),
}


@pytest.mark.parametrize(("pattern", "expected"), ARNS.values(), ids=ARNS)
def test_arns_are_compared_part_by_part(pattern: str, expected: bool | None) -> None:
    assert arn_matches(pattern, "arn:aws:sns:eu-west-1:111122223333:topic", variables=True) is expected
    assert arn_matches(pattern, SUBJECT, variables=True) is False


def test_an_unknown_value_is_undecided_unless_it_is_irrelevant() -> None:
    assert (all_of([True, None]), all_of([False, None]), all_of([])) == (None, False, True)
    assert (any_of([False, None]), any_of([True, None]), any_of([])) == (None, True, False)
    assert (negated(None), negated(True), negated(False)) == (None, False, True)


@pytest.mark.parametrize(
    ("issuer", "is_cluster"),
    [
        (OWN, True),
        (DUAL, True),
        ("OIDC.EKS.eu-west-1.amazonaws.com", True),
        ("example.com/oidc.eks.x/id", False),
        ("seeks.example.com", False),
    ],
)
def test_the_host_of_an_issuer_shows_whether_it_is_one_of_a_cluster(issuer: str, is_cluster: bool) -> None:
    assert is_cluster_issuer(issuer) is is_cluster


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("system:serviceaccount:default:x", ["system:serviceaccount:default:x", SUBJECT]),
        (["system:serviceaccount:default:x"], ["system:serviceaccount:default:x", SUBJECT]),
        ("system:serviceaccount:kube-*:aws-?ode", ["system:serviceaccount:kube-*:aws-?ode", SUBJECT]),
        ([], [SUBJECT]),
        (["not a subject", ""], [SUBJECT]),
        ("System:ServiceAccount:Kube-System:AWS-Node", SUBJECT),
        (f" {SUBJECT} ", SUBJECT),
        ("system:serviceaccount:Default:x", SUBJECT),
        (7, SUBJECT),
    ],
)
def test_a_corrected_value_keeps_those_that_another_workload_may_have(raw: Any, expected: object) -> None:
    assert with_value(raw, SUBJECT) == expected


def test_a_corrected_audience_keeps_other_audiences() -> None:
    assert with_value(["vault", " ", "STS.amazonaws.com"], "sts.amazonaws.com") == ["vault", "sts.amazonaws.com"]
