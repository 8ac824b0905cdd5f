"""Runs `tests/integration/cluster/test_contract_rollout.py` against a real API server."""

from tests.integration.cluster.test_contract_rollout import *  # noqa: F403
