"""One real control plane for the whole test run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from rich.console import Console

from lambdas.adapters.cluster import Cluster
from lambdas.contract import access
from sandbox.control_plane.api_client import ApiClient
from sandbox.control_plane.binaries import Binaries, find
from sandbox.control_plane.build import BuildError, ensure
from sandbox.control_plane.control_plane import ControlPlane
from sandbox.webhook.identity_webhook import IdentityWebhook
from sandbox.webhook.server import NAME, WebhookServer
from tests.e2e import aws_node, limits, rbac
from tests.e2e.identities import REMEDIATOR, sts
from tests.e2e.product import ACCESS_ENTRIES, log_in, logged_in
from tests.waiting import eventually

NOBODY, NOBODY_TOKEN = "nobody", "token-of-nobody"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
HERE = Path(__file__).parent


BUILD_TIMEOUT_S = 1800  # the first test waits for the build: some minutes on two cores


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    for item in ours:
        item.add_marker(pytest.mark.control_plane)
        if find().missing:
            item.add_marker(pytest.mark.timeout(BUILD_TIMEOUT_S))


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    """Every program of the control plane, built if Go is installed and they are missing."""
    if "E2E_KUBECONFIG" in os.environ:
        pytest.skip("E2E_KUBECONFIG names an API server that others run: its login, nodes and failures are not ours to arrange")
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


@pytest.fixture(scope="module")
def granted(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The cluster with our access entries, RBAC and admission policies, as `access --apply` leaves it."""
    admin = control_plane.client()
    control_plane.allow(ACCESS_ENTRIES)
    rbac.put(admin, access.manifests())
    with limits.installed(control_plane, {limits.AWS_NODE: [aws_node.ROLE]}):
        yield control_plane


@pytest.fixture
def remediator(granted: ControlPlane) -> Cluster:
    """The product's adapter, logged in as the remediator."""
    port = log_in(granted, REMEDIATOR)
    eventually(lambda: logged_in(port))
    return port


@pytest.fixture(scope="module")
def webhook(control_plane: ControlPlane) -> Iterator[IdentityWebhook]:
    """EKS' webhook, registered with the API server."""
    admin = control_plane.client()

    def annotations(namespace: str, name: str) -> dict[str, str]:
        answer = admin.ask("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
        found: dict[str, str] = answer.body["metadata"].get("annotations", {}) if answer.status == 200 else {}
        return found

    identity = IdentityWebhook(annotations)
    with WebhookServer(identity, trustme.CA()) as server:
        admin.create(WEBHOOKS, server.configuration())
        yield identity
        admin.delete(f"{WEBHOOKS}/{NAME}")


@pytest.fixture(scope="module")
def nodes(control_plane: ControlPlane, node_names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Nodes for the module, as many as it names in its `node_names`."""
    admin = control_plane.client()
    aws_node.add_nodes(admin, node_names)
    yield node_names
    aws_node.remove_nodes(admin)


@pytest.fixture
def broken(admin: ApiClient, nodes: tuple[str, ...], webhook: IdentityWebhook) -> Iterator[ApiClient]:
    """aws-node on every node, admitted without a role, since the annotation is missing. No pod is Ready."""
    admin.create(aws_node.SERVICE_ACCOUNTS, aws_node.service_account())
    admin.create(aws_node.DAEMON_SETS, aws_node.daemon_set())
    eventually(lambda: aws_node.roles(admin), lambda roles: roles == [None] * len(nodes), within_s=60)
    yield admin
    webhook.faults.miss_next = 0
    webhook.faults.outage = False
    admin.delete(aws_node.DAEMON_SET)
    admin.delete(aws_node.SERVICE_ACCOUNT)
    aws_node.forget_pods(admin)
    eventually(lambda: aws_node.pods(admin), lambda left: not left, within_s=60)
