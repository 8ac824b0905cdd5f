"""Runs `tests/integration/cluster/test_contract_official_client.py` against a real API server."""

from tests.integration.cluster.test_contract_official_client import *  # noqa: F403
