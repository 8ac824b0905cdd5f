"""docs/troubleshooting.md has one section for each check of `verify`, in the order and the words of the contract."""

import re

import pytest

from lambdas.contract.stack_checks import CLUSTER_LADDER, FUNCTION_CHECKS, STACK_CHECKS, CheckId, Group, anchor
from tests.unit.docs.pages import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\S+)\n\n(.*?)(?=^##|\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))
GROUPS = re.findall(r"^## (.+)$", PAGE, flags=re.MULTILINE)


def test_every_check_is_declared_once_and_has_a_section() -> None:
    assert list(STACK_CHECKS) == list(CheckId)
    assert set(SECTIONS) == {check.value for check in CheckId}
    assert GROUPS[: len(Group)] == [group.value for group in Group]


@pytest.mark.parametrize("check", STACK_CHECKS)
def test_a_section_says_what_the_check_shows_and_the_next_step(check: CheckId) -> None:
    section, declared = SECTIONS[check], STACK_CHECKS[check]
    assert f"{declared.title[0].upper()}{declared.title[1:]}. *Shows:* {declared.shows}." in section
    assert f"*Next step:* {declared.next_step}.".replace("{cluster}", "prod-blue") in section
    assert anchor(check) == f"docs/troubleshooting.md#{check}"


@pytest.mark.parametrize("group", Group)
def test_the_sections_of_a_group_are_those_of_the_contract(group: Group) -> None:
    _, _, rest = PAGE.partition(f"\n## {group}\n")
    sections = re.findall(r"^### (\S+)$", rest.partition("\n## ")[0], flags=re.MULTILINE)
    assert sections == [check.value for check, declared in STACK_CHECKS.items() if declared.group is group]


def test_the_ladder_is_a_part_of_what_a_function_answers() -> None:
    assert set(CLUSTER_LADDER) <= set(FUNCTION_CHECKS) <= set(CheckId)
