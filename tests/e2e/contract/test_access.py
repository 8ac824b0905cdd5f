"""Runs `tests/integration/cluster/test_contract_access.py` against a real API server."""

from tests.integration.cluster.test_contract_access import *  # noqa: F403
