"""Example configurations of the documentation are valid."""

import re

import pytest
import yaml

from infra.configuration_file import parse
from tests.infra.templates import ROOT

BLOCK = re.compile(r"```yaml\n(environments:.*?)```", re.DOTALL)
SHOWN = [(page.name, text) for page in sorted((ROOT / "docs").glob("*.md")) for text in BLOCK.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "text"), SHOWN, ids=[f"{page}-{number}" for number, (page, _) in enumerate(SHOWN)])
def test_an_example_configuration_is_valid(page: str, text: str) -> None:
    parse(yaml.safe_load(text))


def test_the_documentation_has_example_configurations() -> None:
    assert {page for page, _ in SHOWN} >= {"deploy.md", "network.md", "many-accounts.md"}
