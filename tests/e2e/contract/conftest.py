"""Runs the contract tests of the embedded API server against a real one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import aws_node
from tests.e2e.conftest import NOBODY_TOKEN
from tests.e2e.contract.external_cluster import api_of
from tests.integration.cluster.conftest import Api, account, api

__all__ = ["account", "api"]


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Api]:
    """A real API server in the place of the embedded one: that of `E2E_KUBECONFIG`, or ours with ten nodes."""
    if kubeconfig := os.environ.get("E2E_KUBECONFIG"):
        if request.path.name == "test_rollout.py":
            pytest.skip("a roll-out needs nodes that run whatever they are given, which are not to be had with E2E_KUBECONFIG")
        with api_of(Path(kubeconfig)) as foreign:
            yield foreign
        return
    control_plane = request.getfixturevalue("control_plane")
    admin = control_plane.client()
    aws_node.add_nodes(admin, [f"node-{number}" for number in range(10)])
    yield Api(control_plane.url, control_plane.ca_pem, control_plane.admin_token, NOBODY_TOKEN)
    aws_node.remove_nodes(admin)
