"""`tests/integration/cluster/test_contract_objects.py` before a real API server."""

from tests.integration.cluster.test_contract_objects import *  # noqa: F403
