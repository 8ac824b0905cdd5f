"""The Terraform form of a policy has the content of the policy, and changed lines are those to edit."""

import re
from typing import Any

import pytest

from lambdas.domain.trust import MalformedPolicyError, as_terraform, changed_lines

ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/77D0"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"
ALLOW: dict[str, Any] = {
    "Sid": "pods",
    "Effect": "Allow",
    "Principal": {"Federated": [PROVIDER, "accounts.google.com"], "Service": ["ec2.amazonaws.com"]},
    "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
    "Condition": {
        "StringEquals": {f"{ISSUER}:aud": ["sts.amazonaws.com"]},
        "StringLike": {f"{ISSUER}:sub": ["system:serviceaccount:kube-system:*", "${aws:username}", 'a "quoted" \\ %{x}\n']},
    },
}
DENY: dict[str, Any] = {"Effect": "Deny", "NotPrincipal": {"AWS": ["111122223333"]}, "NotAction": ["sts:AssumeRole"]}
EVERYONE: dict[str, Any] = {"Effect": "Deny", "Principal": {"*": ["*"]}, "Action": ["*"]}


def parsed(text: str) -> dict[str, Any]:
    """Read the subset of HCL that a policy document uses: blocks, and attributes of texts or lists of texts."""
    root: dict[str, Any] = {}
    stack = [root]
    for line in filter(None, map(str.strip, text.splitlines())):
        if line == "}":
            stack.pop()
        elif line.endswith("{"):
            block: dict[str, Any] = {}
            stack[-1].setdefault(line.removesuffix("{").strip(), []).append(block)
            stack.append(block)
        else:
            name, value = re.fullmatch(r"(\w+) *= (.+)", line).groups()  # type: ignore[union-attr]
            found = [literal(item) for item in re.findall(r'"((?:[^"\\]|\\.)*)"', value)]
            stack[-1][name] = found if value.startswith("[") else found[0]
    return root


def literal(text: str) -> str:
    unescaped = re.sub(r"\\(.)", lambda item: {"n": "\n"}.get(item[1], item[1]), text)
    return unescaped.replace("$${", "${").replace("%%{", "%{")


def policy_in(text: str) -> dict[str, Any]:
    (document,) = parsed(text)['data "aws_iam_policy_document" "trust"']
    return {"Version": document["version"], "Statement": [statement_in(item) for item in document["statement"]]}


def statement_in(block: dict[str, Any]) -> dict[str, Any]:
    names = {"sid": "Sid", "effect": "Effect", "actions": "Action", "not_actions": "NotAction"}
    statement: dict[str, Any] = {names[key]: value for key, value in block.items() if key in names}
    for key, name in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
        if key in block:
            statement[name] = {item["type"]: item["identifiers"] for item in block[key]}
    for item in block.get("condition", []):
        statement.setdefault("Condition", {}).setdefault(item["test"], {})[item["variable"]] = item["values"]
    return statement


def test_terraform_holds_every_element() -> None:
    policy = {"Version": "2012-10-17", "Statement": [ALLOW, DENY, EVERYONE | {"Principal": "*"}]}

    assert policy_in(as_terraform(policy)) == {**policy, "Statement": [ALLOW, DENY, EVERYONE]}


def test_terraform_is_formatted() -> None:
    policy = {
        "Statement": {"Sid": "pods", "Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": "sts:AssumeRoleWithWebIdentity"}
    }

    assert as_terraform(policy, name="cni") == (
        'data "aws_iam_policy_document" "cni" {\n'
        '  version = "2008-10-17"\n'
        "\n"
        "  statement {\n"
        '    sid     = "pods"\n'
        '    effect  = "Allow"\n'
        '    actions = ["sts:AssumeRoleWithWebIdentity"]\n'
        "\n"
        "    principals {\n"
        '      type        = "Federated"\n'
        f'      identifiers = ["{PROVIDER}"]\n'
        "    }\n"
        "  }\n"
        "}\n"
    )


def test_terraform_keeps_the_policys_id() -> None:
    assert '  policy_id = "old"\n' in as_terraform({"Id": "old", "Statement": []})


def test_control_characters_are_escaped_as_hcl_knows_them() -> None:
    assert '"a\\u0007\\tb"' in as_terraform({"Id": "a\a\tb", "Statement": []})


def test_templates_of_terraform_are_escaped() -> None:
    assert '"$${a} %%{b} $c %d {e}"' in as_terraform({"Id": "${a} %{b} $c %d {e}", "Statement": []})


def test_an_invalid_policy_has_no_terraform_form() -> None:
    with pytest.raises(MalformedPolicyError, match="no Statement"):
        as_terraform({})


def test_changed_lines_pair_the_old_with_the_new() -> None:
    old = {"Statement": [{"Action": "sts:AssumeRole", "Effect": "Allow"}]}
    new = {"Statement": [{"Action": "sts:AssumeRoleWithWebIdentity", "Effect": "Allow"}]}

    assert changed_lines(old, new) == [('"Action": "sts:AssumeRole"', '"Action": "sts:AssumeRoleWithWebIdentity"')]


def test_added_lines_stand_alone_and_a_comma_is_no_change() -> None:
    old = {"Statement": [{"Effect": "Deny"}]}

    assert changed_lines(old, {"Statement": [{"Effect": "Deny", "Sid": "x"}]}) == [("", '"Sid": "x"')]
    assert changed_lines({"Statement": [{"Effect": "Deny", "Sid": "x"}]}, old) == [('"Sid": "x"', "")]
