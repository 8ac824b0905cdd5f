"""`tests/integration/cluster/test_contract_rollout.py` before a real API server."""

from tests.integration.cluster.test_contract_rollout import *  # noqa: F403
