"""The synthesized templates, as the tests of the stack use them."""

from tests.infra.conftest import maximal, minimal, prod

__all__ = ["maximal", "minimal", "prod"]
