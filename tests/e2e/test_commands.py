"""Runs `tests/sandbox/test_cli.py` against a real control plane: real authenticator and real RBAC."""

from collections.abc import Iterator

import pytest

from sandbox.control_plane.control_plane import ControlPlane
from sandbox.simulation.environment import SandboxEnvironment
from tests.sandbox.test_cli import *  # noqa: F403
from tests.sandbox.test_cli import WORLD, make_ready_for_people


@pytest.fixture(scope="module")
def stage(control_plane: ControlPlane) -> Iterator[SandboxEnvironment]:
    sts, plugin = control_plane.sts, control_plane.plugin
    with SandboxEnvironment(WORLD, cluster="real", control_plane=control_plane) as standing:
        make_ready_for_people(standing)
        yield standing
    control_plane.sts = sts
    control_plane.set_plugin_credentials(plugin)
