"""The glossary defines every stored and published word, in alphabetical order."""

import re

import pytest

from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.planning.actions import DONE
from lambdas.domain.planning.plan import BlockReason
from lambdas.notifications.kind import NotificationKind
from tests.unit.docs.pages import ROOT

ROWS = re.findall(r"^\| (.+?) \| (.+) \|$", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
TERMS = [term.strip("`") for term, _ in ROWS]


@pytest.mark.parametrize(
    "words", [Verdict, Outcome, NotificationKind, BlockReason, DONE], ids=["verdict", "outcome", "kind", "reason", "action"]
)
def test_every_published_word_is_a_term(words: list[str]) -> None:
    assert {str(word) for word in words} - set(TERMS) == set()


def test_terms_are_unique_and_in_alphabetical_order() -> None:
    keys = [term.lower().replace("-", " ") for term in TERMS]
    assert keys == sorted(set(keys))
