"""`tests/integration/cluster/test_contract_access.py` before a real API server."""

from tests.integration.cluster.test_contract_access import *  # noqa: F403
