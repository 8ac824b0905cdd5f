"""The contract tests of the embedded API server, before a real one: what the double promises is what a real one does."""

from collections.abc import Iterator

import pytest

from sandbox.control_plane.cluster import ControlPlane
from tests.e2e import aws_node
from tests.e2e.conftest import NOBODY_TOKEN
from tests.integration.cluster.conftest import Api, account, api

__all__ = ["account", "api"]


@pytest.fixture(scope="module")
def server(control_plane: ControlPlane) -> Iterator[Api]:
    """The real API server with ten nodes, in the place of the embedded one."""
    admin = control_plane.client()
    aws_node.add_nodes(admin, [f"node-{number}" for number in range(10)])
    yield Api(control_plane.url, control_plane.ca_pem, control_plane.admin_token, NOBODY_TOKEN)
    aws_node.remove_nodes(admin)
