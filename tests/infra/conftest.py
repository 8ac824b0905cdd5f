"""Templates that all tests of the stack read; each configuration is synthesized once."""

import pytest

from tests.infra import templates
from tests.infra.templates import MAXIMAL, MINIMAL, Template


@pytest.fixture(scope="session")
def minimal() -> Template:
    """The one template of an environment with nothing but its place."""
    return templates.synthesize(MINIMAL)["EksIrsaRemediator"]


@pytest.fixture(scope="session")
def maximal() -> dict[str, Template]:
    """All templates of a configuration that uses every key."""
    return templates.synthesize(MAXIMAL)


@pytest.fixture(scope="session")
def prod(maximal: dict[str, Template]) -> Template:
    """The template of the environment that uses every key."""
    return maximal["EksIrsaRemediator-prod"]
