"""Session fixtures with synthesized templates."""

from pathlib import Path

import pytest

from tests.infra import templates
from tests.infra.templates import MAXIMAL, MINIMAL, Template


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.synthesis)


@pytest.fixture(scope="session")
def minimal() -> Template:
    """Return the template of an environment with only account and region."""
    return templates.synthesize(MINIMAL)["EksIrsaRemediator"]


@pytest.fixture(scope="session")
def maximal() -> dict[str, Template]:
    """Return all templates of a configuration that uses every key."""
    return templates.synthesize(MAXIMAL)


@pytest.fixture(scope="session")
def prod(maximal: dict[str, Template]) -> Template:
    """Return the template of the environment that uses every key."""
    return maximal["EksIrsaRemediator-prod"]
