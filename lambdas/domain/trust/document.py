"""Parses the JSON of a trust policy into one normal form and names what IAM would refuse."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

VERSION: Final = "2012-10-17"
_VERSIONS: Final = ("2008-10-17", VERSION)
_DOCUMENT_ELEMENTS: Final = {"Version", "Id", "Statement"}
_STATEMENT_ELEMENTS: Final = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition"}
_PRINCIPAL_KINDS: Final = {"AWS", "Federated", "Service", "CanonicalUser"}
EVERYONE: Final = "*"


class MalformedPolicyError(ValueError):
    """IAM would not store this document, so no answer can be derived from it."""


class Effect(StrEnum):
    """The effect of a statement that applies."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One key under one operator. Several values are alternatives."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement.

    `principals` maps a kind (`Federated`, `AWS`, ...) to names; `{"*": ("*",)}` is everyone. `label` is the statement's Sid, or its
    position
    from 0 where it has no Sid.
    """

    label: str | int
    effect: Effect
    principals: Mapping[str, tuple[str, ...]]
    except_principals: bool
    actions: tuple[str, ...]
    except_actions: bool
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, kw_only=True)
class Document:
    """A policy. `version` is None where the document names none; IAM then assumes 2008-10-17."""

    version: str | None
    id: str | None
    statements: tuple[Statement, ...]

    @property
    def variables(self) -> bool:
        """Whether `${...}` is a policy variable. In the older version it is plain text.

        Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
        """
        return self.version == VERSION


def read(policy: object) -> Document:
    """Parse a policy as the IAM API returns it, decoded from JSON.

    Raises:
        MalformedPolicyError: a shape, element or value that IAM does not accept; the text says which and where.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    fields = _mapping(policy, "the policy")
    _only(fields, _DOCUMENT_ELEMENTS, "the policy")
    version, identifier = fields.get("Version"), fields.get("Id")
    if version is not None and version not in _VERSIONS:
        raise MalformedPolicyError(f"the policy's Version is none of {', '.join(_VERSIONS)}")
    if identifier is not None and not isinstance(identifier, str):
        raise MalformedPolicyError("the policy's Id is not text")
    statements = tuple(read_statement(raw, index) for index, raw in enumerate(statements_of(fields)))
    return Document(version=None if version is None else str(version), id=identifier, statements=statements)


def statements_of(policy: Mapping[str, object]) -> list[object]:
    """The statements in order. The policy may hold a single statement without a list.

    Raises:
        MalformedPolicyError: there is no Statement element.
    """
    if "Statement" not in policy:
        raise MalformedPolicyError("the policy has no Statement")
    found = policy["Statement"]
    return list(found) if isinstance(found, list) else [found]


def read_statement(raw: object, index: int) -> Statement:
    """Parse one statement. `index` is its position, used in error texts.

    Raises:
        MalformedPolicyError: as `read`.
    """
    fields = _mapping(raw, f"statement {index}")
    sid = fields.get("Sid")
    label = sid if isinstance(sid, str) and sid else index
    where = f"statement {label}"
    _only(fields, _STATEMENT_ELEMENTS, where)
    if not isinstance(sid, str | None):
        raise MalformedPolicyError(f"{where}: Sid is not text")
    if fields.get("Effect") not in tuple(Effect):
        raise MalformedPolicyError(f"{where}: Effect is neither Allow nor Deny")
    principal = _one_of(fields, "Principal", "NotPrincipal", where)
    action = _one_of(fields, "Action", "NotAction", where)
    return Statement(
        label=label,
        effect=Effect(str(fields["Effect"])),
        principals=_principals(fields[principal], where),
        except_principals=principal == "NotPrincipal",
        actions=texts(fields[action], f"{where}: {action}"),
        except_actions=action == "NotAction",
        conditions=_conditions(fields.get("Condition", {}), where),
    )


def texts(value: object, where: str) -> tuple[str, ...]:
    """A text, or a non-empty list of texts, as a tuple.

    Raises:
        MalformedPolicyError: another value.
    """
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(item, str) for item in values):
        raise MalformedPolicyError(f"{where} is neither a text nor a list of texts")
    return tuple(values)


def _one_of(fields: Mapping[str, object], first: str, second: str, where: str) -> str:
    present = [name for name in (first, second) if name in fields]
    if len(present) != 1:
        raise MalformedPolicyError(f"{where}: needs either {first} or {second}")
    return present[0]


def _principals(value: object, where: str) -> dict[str, tuple[str, ...]]:
    if value == EVERYONE:
        return {EVERYONE: (EVERYONE,)}
    kinds = _mapping(value, f"{where}: Principal")
    _only(kinds, _PRINCIPAL_KINDS, f"{where}: Principal")
    return {kind: texts(names, f"{where}: {kind}") for kind, names in kinds.items()}


def _conditions(value: object, where: str) -> tuple[Condition, ...]:
    return tuple(
        Condition(operator=operator, key=key, values=_values(values, f"{where}: {operator} {key}"))
        for operator, block in _mapping(value, f"{where}: Condition").items()
        for key, values in _mapping(block, f"{where}: {operator}").items()
    )


def _values(value: object, where: str) -> tuple[str, ...]:
    """Condition values. JSON booleans and numbers become text."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | bool | int | float) for item in values):
        raise MalformedPolicyError(f"{where}: a value is neither text, number nor boolean")
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in values)


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise MalformedPolicyError(f"{where} is not an object")
    return value


def _only(fields: Mapping[str, object], known: set[str], where: str) -> None:
    if unknown := sorted(set(fields) - known):
        raise MalformedPolicyError(f"{where} has {unknown[0]!r}, which IAM does not take there")
