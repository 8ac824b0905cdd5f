"""Runs `tests/integration/cluster/test_contract_lists.py` against a real API server."""

from tests.integration.cluster.test_contract_lists import *  # noqa: F403
