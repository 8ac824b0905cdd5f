"""Configurations shown in the documentation can be deployed as they stand."""

import re

import pytest
import yaml

from infra.configuration_file import parse
from tests.infra.templates import ROOT

BLOCK = re.compile(r"```yaml\n(environments:.*?)```", re.DOTALL)
SHOWN = [(page.name, text) for page in sorted((ROOT / "docs").glob("*.md")) for text in BLOCK.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "text"), SHOWN, ids=[f"{page}-{number}" for number, (page, _) in enumerate(SHOWN)])
def test_a_configuration_that_is_shown_is_valid(page: str, text: str) -> None:
    parse(yaml.safe_load(text))


def test_some_are_shown() -> None:
    assert {page for page, _ in SHOWN} >= {"deploy.md", "network.md", "many-accounts.md"}
