"""A real control plane for the whole run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from lambdas.adapters.cluster import Cluster
from lambdas.contract import access
from sandbox.control_plane.binaries import Binaries
from sandbox.control_plane.build import BuildError, ensure
from sandbox.control_plane.cluster import ControlPlane
from sandbox.control_plane.http_client import ApiClient
from tests.e2e import rbac
from tests.e2e.identities import REMEDIATOR, sts
from tests.e2e.product import ACCESS_ENTRIES, log_in, logged_in
from tests.e2e.waiting import eventually

NOBODY, NOBODY_TOKEN = "nobody", "token-of-nobody"
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.control_plane)


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    """Every program of the control plane, built now if Go is here and nobody has built them yet."""
    try:
        return ensure(Console(stderr=True))
    except BuildError as problem:
        if os.environ.get("REQUIRE_CONTROL_PLANE") == "1":
            pytest.fail(str(problem), pytrace=False)
        pytest.skip(f"no real control plane on this machine: {problem}")


@pytest.fixture(scope="session")
def control_plane(binaries: Binaries) -> Iterator[ControlPlane]:
    with ControlPlane(binaries, sts=sts, users={NOBODY: NOBODY_TOKEN}) as running:
        yield running


@pytest.fixture
def admin(control_plane: ControlPlane) -> ApiClient:
    return control_plane.client()


@pytest.fixture
def granted(control_plane: ControlPlane) -> ControlPlane:
    """The cluster with our access entries and our generated RBAC, as `access --apply` leaves it."""
    control_plane.allow(ACCESS_ENTRIES)
    rbac.put(control_plane.client(), access.manifests())
    return control_plane


@pytest.fixture
def remediator(granted: ControlPlane) -> Cluster:
    """The product's adapter, logged in as the remediator."""
    port = log_in(granted, REMEDIATOR)
    eventually(lambda: logged_in(port), bool)
    return port
