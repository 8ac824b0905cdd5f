"""A trust policy as people keep it in Terraform, and what changed in it line by line."""

import json
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final

from lambdas.domain.trust.document import Condition, Statement, read

_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def as_terraform(policy: Mapping[str, object], name: str = "trust") -> str:
    """An `aws_iam_policy_document` data source whose `json` equals the policy.

    Raises:
        MalformedPolicyError: IAM would not take the policy, so there is nothing to be equal to.

    Source: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document
    """
    document = read(policy)
    head = [("version", document.version or "2008-10-17"), ("policy_id", document.id)]
    lines = [f"{key} = {_text(value)}" for key, value in head if value is not None]
    for statement in document.statements:
        lines += ["", *_block("statement", _statement(statement))]
    return "\n".join(_block(f'data "aws_iam_policy_document" "{name}"', lines)) + "\n"


def changed_lines(old: Mapping[str, object], new: Mapping[str, object]) -> list[tuple[str, str]]:
    """The lines of the JSON that differ, as (old, new) pairs without indentation and trailing commas; "" where a side has none."""
    before, after = _lines(old), _lines(new)
    changes = (it for it in SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if it[0] != "equal")
    return [pair for _, a, b, c, d in changes for pair in zip_longest(before[a:b], after[c:d], fillvalue="")]


def _lines(policy: Mapping[str, object]) -> list[str]:
    return [line.strip().removesuffix(",") for line in json.dumps(policy, indent=1, ensure_ascii=False).splitlines()]


def _statement(statement: Statement) -> Iterator[str]:
    if isinstance(statement.label, str):
        yield f"sid = {_text(statement.label)}"
    yield f"effect = {_text(statement.effect)}"
    yield f"{'not_actions' if statement.except_actions else 'actions'} = {_texts(statement.actions)}"
    for kind, names in statement.principals.items():
        block = "not_principals" if statement.except_principals else "principals"
        yield from _block(block, [f"type = {_text(kind)}", f"identifiers = {_texts(names)}"])
    for condition in statement.conditions:
        yield from _block("condition", _condition(condition))


def _condition(condition: Condition) -> list[str]:
    return [f"test = {_text(condition.operator)}", f"variable = {_text(condition.key)}", f"values = {_texts(condition.values)}"]


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
