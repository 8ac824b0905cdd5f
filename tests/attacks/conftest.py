"""The synthesized templates, as the tests of the stack use them. The infra lane runs the tests that need them."""

from pathlib import Path

import pytest

from tests.infra.conftest import maximal, minimal, prod

__all__ = ["maximal", "minimal", "prod"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and {"maximal", "minimal", "prod"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.synthesis)
