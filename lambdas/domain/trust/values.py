"""Condition values of a corrected statement."""

import re
from typing import Any, Final

from lambdas.domain.trust.logic import any_of
from lambdas.domain.trust.patterns import matches

EQUALS: Final = "StringEquals"
LIKE: Final = "StringLike"
_SUBJECT: Final = re.compile(r"system:serviceaccount:[a-z0-9.*?-]+:[a-z0-9.*?-]+")
"""Kubernetes names have no capital letters.
Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
"""


def fits_like(values: tuple[str, ...], wanted: str, *, variables: bool) -> bool:
    """Whether the values would match the wanted one if wildcards were supported."""
    return any_of(matches(value, wanted, wildcards=True, variables=variables) for value in values) is True


def with_value(raw: Any, wanted: str) -> str | list[str]:
    """The values with the wanted one added.

    Values that may belong to another workload are preserved. Values that match nothing (an invalid subject, capital letters, stray spaces)
    are
    replaced. A single text stays a single text where possible.
    """
    kept = [value for value in texts_in(raw) if _may_be_meant(value, wanted)]
    return [*kept, wanted] if kept or isinstance(raw, list) else wanted


def texts_in(raw: Any) -> list[str]:
    """The values of a condition, single or listed, as texts."""
    return [str(value) for value in raw] if isinstance(raw, list) else [str(raw)]


def _may_be_meant(value: str, wanted: str) -> bool:
    if value.strip().lower() == wanted.lower():
        return False
    return bool(_SUBJECT.fullmatch(value)) == bool(_SUBJECT.fullmatch(wanted)) and value.strip() != ""
