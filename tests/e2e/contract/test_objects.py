"""Runs `tests/integration/cluster/test_contract_objects.py` against a real API server."""

from tests.integration.cluster.test_contract_objects import *  # noqa: F403
