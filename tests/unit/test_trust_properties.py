"""Invariants of trust policy evaluation, over generated policies and arbitrary JSON."""

from copy import deepcopy
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from lambdas.domain.trust import (
    Allowed,
    Refused,
    TrustFault,
    Undecided,
    WebIdentity,
    as_terraform,
    changed_lines,
    correct,
    evaluate,
    evaluate_pod_identity,
    is_allowed,
)

OWN = "oidc.eks.eu-west-1.amazonaws.com/id/77D0"
OTHER = "oidc.eks.eu-west-1.amazonaws.com/id/9A1C"
THIRD = "oidc.eks.eu-west-1.amazonaws.com/id/5B5B"
GITHUB = "token.actions.githubusercontent.com"
SUBJECT = "system:serviceaccount:kube-system:aws-node"
ME = WebIdentity(provider_arn=f"arn:aws:iam::111122223333:oidc-provider/{OWN}", subject=SUBJECT)
STRANGER = WebIdentity(provider_arn=ME.provider_arn, subject="system:serviceaccount:somewhere:else")


def one_or_many(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=1, max_size=3)


def arn(issuer: str, account: str = "111122223333") -> str:
    return f"arn:aws:iam::{account}:oidc-provider/{issuer}"


providers = st.sampled_from([ME.provider_arn, arn(OTHER), arn(THIRD), arn(GITHUB), arn(OWN, "444455556666"), "accounts.google.com", "*"])
principals = (
    st.just("*")
    | st.fixed_dictionaries({"Federated": one_or_many(providers)})
    | st.fixed_dictionaries({"AWS": st.sampled_from(["*", "111122223333"])})
    | st.fixed_dictionaries({"Federated": providers, "Service": st.just("ec2.amazonaws.com")})
)
actions = one_or_many(st.sampled_from(["sts:AssumeRoleWithWebIdentity", "sts:assumerole*", "sts:AssumeRole", "sts:TagSession", "*"]))
issuers = st.sampled_from([OWN, OWN.lower(), OTHER, THIRD, GITHUB, ME.provider_arn, f"https://{OWN}"])
keys = st.builds("{}:{}".format, issuers, st.sampled_from(["sub", "aud", "SUB"])) | st.sampled_from(
    ["aws:SourceIp", "aws:SecureTransport", "sts:RoleSessionName", "sub"]
)
values = one_or_many(
    st.sampled_from(
        [
            SUBJECT,
            STRANGER.subject,
            "system:serviceaccount:kube-system:*",
            "system:serviceaccount:default:default",
            "system:serviceaccount:kube-system:${aws:username}",
            "${aws:username}",
            "${*}",
            "*",
            "sts.amazonaws.com",
            "true",
            "false",
        ]
    )
)
operators = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "", "ForAnyValue:", "ForAllValues:"]),
    st.sampled_from(["StringEquals", "StringLike", "StringNotEquals", "StringNotLike", "ArnLike", "Null", "Bool", "StringSoundsLike"]),
    st.sampled_from(["", "", "", "IfExists"]),
)
conditions = st.dictionaries(operators, st.dictionaries(keys, values, min_size=1, max_size=2), max_size=2)


def statements(effect: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda principal, action, condition: {"Effect": effect, **principal, **action} | ({"Condition": condition} if condition else {}),
        st.builds(lambda item: {"Principal": item}, principals)
        | st.builds(lambda item: {"NotPrincipal": item}, principals.filter(lambda p: p != "*")),
        st.builds(lambda name, item: {name: item}, st.sampled_from(["Action", "Action", "Action", "NotAction"]), actions),
        conditions,
    )


allows, denies = statements("Allow"), statements("Deny")


def policies(any_statement: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"Statement": st.lists(any_statement, max_size=4) | any_statement},
        optional={"Version": st.sampled_from(["2008-10-17", "2012-10-17"])},
    )


texts = st.sampled_from(["Statement", "Effect", "Allow", "Principal", "Action", "Condition", "StringLike", "*", "Version"]) | st.text(
    max_size=5
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def listed(policy: dict[str, Any]) -> list[dict[str, Any]]:
    found = policy["Statement"]
    return found if isinstance(found, list) else [found]


def kind(policy: dict[str, Any]) -> object:
    answer = evaluate(policy, ME)
    return answer.code if isinstance(answer, Refused) else type(answer)


@given(json_values)
def test_no_json_makes_it_raise(anything: Any) -> None:
    before = deepcopy(anything)

    assert isinstance(evaluate(anything, ME), Allowed | Refused | Undecided)
    assert isinstance(evaluate_pod_identity(anything), Allowed | Refused | Undecided)
    assert isinstance(evaluate(correct(anything, ME), ME), Allowed | Refused | Undecided)
    assert anything == before


@given(policies(allows | denies), json_values, st.data())
def test_a_policy_with_a_part_that_is_anything_does_not_make_it_raise(policy: dict[str, Any], anything: Any, data: st.DataObject) -> None:
    broken = deepcopy(policy)
    chosen = data.draw(st.sampled_from(listed(broken) or [broken]))
    chosen[data.draw(st.sampled_from(["Effect", "Principal", "Action", "Condition", "Sid", "Statement"]))] = anything

    assert isinstance(evaluate(broken, ME), Allowed | Refused | Undecided)
    assert isinstance(evaluate(correct(broken, ME), ME), Allowed | Refused | Undecided)
    assert is_allowed(broken, ME) == (evaluate(broken, ME) == Allowed())


@given(policies(allows | denies), st.sampled_from([ME, STRANGER]))
def test_the_answer_is_the_same_without_reasons(policy: dict[str, Any], who: WebIdentity) -> None:
    assert is_allowed(policy, who) == (evaluate(policy, who) == Allowed())


@given(policies(allows | denies), denies)
def test_a_further_deny_never_is_allowed(policy: dict[str, Any], deny: dict[str, Any]) -> None:
    before, after = evaluate(policy, ME), evaluate({**policy, "Statement": [*listed(policy), deny]}, ME)

    if isinstance(before, Refused):
        assert isinstance(after, Refused)
    assert isinstance(before, Allowed) or not isinstance(after, Allowed)


@given(policies(allows), allows)
def test_a_further_allow_never_shuts_out(policy: dict[str, Any], allow: dict[str, Any]) -> None:
    open_to_me = correct(policy, ME)

    assert evaluate({**open_to_me, "Statement": [*listed(open_to_me), allow]}, ME) == Allowed()


@given(policies(allows | denies), st.randoms(use_true_random=False))
def test_the_order_of_statements_does_not_matter(policy: dict[str, Any], random: Any) -> None:
    shuffled = listed(policy)[:]
    random.shuffle(shuffled)

    assert kind({**policy, "Statement": shuffled}) == kind(policy)


@given(policies(allows | denies))
def test_a_deny_precedes_every_allow(policy: dict[str, Any]) -> None:
    closed = {**policy, "Statement": [*listed(policy), {"Effect": "Deny", "Principal": "*", "Action": "sts:*"}]}

    assert kind(closed) is TrustFault.DENIED


@given(policies(allows))
def test_a_correction_lets_the_identity_in(policy: dict[str, Any]) -> None:
    assert evaluate(correct(policy, ME), ME) == Allowed()


@given(policies(allows | denies))
def test_a_correction_leaves_every_deny_and_is_settled(policy: dict[str, Any]) -> None:
    corrected = correct(policy, ME)

    assert correct(corrected, ME) == corrected
    assert [item for item in listed(corrected) if item["Effect"] == "Deny"] == [item for item in listed(policy) if item["Effect"] == "Deny"]
    if not isinstance(evaluate(corrected, ME), Allowed):
        assert any(item["Effect"] == "Deny" for item in listed(policy))


@given(policies(allows | denies))
def test_a_correction_touches_one_statement_at_most(policy: dict[str, Any]) -> None:
    before, after = listed(policy), listed(correct(policy, ME))

    assert len(after) - len(before) in (0, 1)
    assert sum(old != new for old, new in zip(before, after, strict=False)) + len(after) - len(before) <= 1


@given(policies(allows))
def test_a_correction_does_not_let_a_stranger_in(policy: dict[str, Any]) -> None:
    assume(isinstance(evaluate(policy, STRANGER), Refused))

    assert isinstance(evaluate(correct(policy, ME), STRANGER), Refused)


@given(policies(allows))
def test_a_correction_takes_nothing_from_a_workload_that_is_let_in(policy: dict[str, Any]) -> None:
    assert evaluate(correct(correct(policy, STRANGER), ME), STRANGER) == Allowed()


@given(policies(allows | denies))
def test_changed_lines_are_empty_for_equal_policies_alone(policy: dict[str, Any]) -> None:
    corrected = correct(policy, ME)

    assert (changed_lines(policy, corrected) == []) == (policy == corrected)


@given(policies(allows | denies))
def test_every_readable_policy_has_a_terraform_form(policy: dict[str, Any]) -> None:
    written = as_terraform(policy)

    assert written.count("  statement {") == len(listed(policy))
    assert written.count("{") - written.count("${") == written.count("}") - written.count("${")
