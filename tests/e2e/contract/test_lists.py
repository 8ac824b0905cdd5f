"""`tests/integration/cluster/test_contract_lists.py` before a real API server."""

from tests.integration.cluster.test_contract_lists import *  # noqa: F403
