"""A trust policy as a Terraform data source, and the changed lines between two policies."""

import json
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final

from lambdas.domain.trust.document import Statement, read

_VERSION_IF_NONE_IS_NAMED: Final = "2008-10-17"
"""The version that IAM assumes where none is named. The data source would write the newer one.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
"""
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def as_terraform(policy: Mapping[str, object], name: str = "trust") -> str:
    """An `aws_iam_policy_document` data source whose `json` equals the policy.

    Raises:
        MalformedPolicyError: IAM would not store the policy.

    Source: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document
    """
    document = read(policy)
    head = _attributes(version=document.version or _VERSION_IF_NONE_IS_NAMED, policy_id=document.id)
    body = [line for statement in document.statements for line in ("", *_statement(statement))]
    return "\n".join(_block(f'data "aws_iam_policy_document" "{name}"', [*head, *body])) + "\n"


def changed_lines(old: Mapping[str, object], new: Mapping[str, object]) -> list[tuple[str, str]]:
    """The changed lines of the JSON as (old, new) pairs without indentation and trailing commas; "" where one side has no line."""
    before, after = _lines(old), _lines(new)
    changes = (get_opcode for get_opcode in SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if get_opcode[0] != "equal")
    return [pair for _, a, b, c, d in changes for pair in zip_longest(before[a:b], after[c:d], fillvalue="")]


def _lines(policy: Mapping[str, object]) -> list[str]:
    return [line.strip().removesuffix(",") for line in json.dumps(policy, indent=1, ensure_ascii=False).splitlines()]


def _statement(statement: Statement) -> list[str]:
    action = "not_actions" if statement.except_actions else "actions"
    sid = statement.label if isinstance(statement.label, str) else None
    lines = _attributes(sid=sid, effect=statement.effect, **{action: statement.actions})
    for kind, names in statement.principals.items():
        block = "not_principals" if statement.except_principals else "principals"
        lines += ["", *_block(block, _attributes(type=kind, identifiers=names))]
    for condition in statement.conditions:
        test = _attributes(test=condition.operator, variable=condition.key, values=condition.values)
        lines += ["", *_block("condition", test)]
    return _block("statement", lines)


def _attributes(**values: str | tuple[str, ...] | None) -> list[str]:
    """Lines `name = value`, aligned as `terraform fmt` does, without None values."""
    present = {name: value for name, value in values.items() if value is not None}
    width = max(map(len, present))
    return [f"{name:<{width}} = {_text(value) if isinstance(value, str) else _texts(value)}" for name, value in present.items()]


def _block(head: str, lines: Iterable[str]) -> list[str]:
    return [f"{head} {{", *(f"  {line}" if line else line for line in lines), "}"]


def _texts(values: Iterable[str]) -> str:
    return f"[{', '.join(_text(value) for value in values)}]"


def _text(value: str) -> str:
    """A quoted HCL string.

    Source: https://developer.hashicorp.com/terraform/language/expressions/strings
    """
    escaped = "".join(_ESCAPES.get(letter, letter if letter >= " " else f"\\u{ord(letter):04x}") for letter in value)
    return '"' + escaped.replace("${", "$${").replace("%{", "%%{") + '"'
