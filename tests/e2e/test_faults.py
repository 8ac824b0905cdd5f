"""The faults that other tests inject, each shown to have its effect."""

import http.client
import time
from collections.abc import Iterator

import pytest

from sandbox.control_plane.api_client import ApiClient
from sandbox.control_plane.connection_proxy import ConnectionProxy
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e import aws_node
from tests.waiting import eventually

STAMP = {"spec": {"template": {"metadata": {"annotations": {aws_node.RESTARTED_AT: "2026-01-02T03:04:05Z"}}}}}


@pytest.fixture
def daemon_set(admin: ApiClient) -> Iterator[None]:
    admin.create(aws_node.DAEMON_SETS, aws_node.daemon_set())
    yield
    admin.delete(aws_node.DAEMON_SET)


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[ConnectionProxy]:
    with control_plane.connection_proxy() as standing_between:
        yield standing_between


def test_a_patch_with_a_lost_response_took_effect_and_is_idempotent(
    control_plane: ControlPlane, admin: ApiClient, daemon_set: None, proxy: ConnectionProxy
) -> None:
    client = ApiClient(proxy.url, control_plane.ca_pem, control_plane.admin_token)
    proxy.drop_response("PATCH", "/daemonsets/aws-node$")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        client.merge(aws_node.DAEMON_SET, STAMP)
    assert admin.get(aws_node.DAEMON_SET)["metadata"]["generation"] == 2
    assert client.merge(aws_node.DAEMON_SET, STAMP)["metadata"]["generation"] == 2
    assert [(exchange.method, exchange.status, exchange.answered) for exchange in proxy.exchanges] == [
        ("PATCH", 200, False),
        ("PATCH", 200, True),
    ]


def test_the_proxy_counts_the_requests_of_a_client(control_plane: ControlPlane, proxy: ConnectionProxy) -> None:
    client = ApiClient(proxy.url, control_plane.ca_pem, control_plane.admin_token)
    client.get("/api/v1/nodes", limit="5")
    (seen,) = proxy.exchanges
    assert (seen.method, seen.target, seen.status) == ("GET", "/api/v1/nodes?limit=5", 200)
    assert seen.response_bytes > 50


def test_a_killed_api_server_restarts_at_the_same_address_with_the_same_objects(
    control_plane: ControlPlane, admin: ApiClient, daemon_set: None
) -> None:
    before = admin.get(aws_node.DAEMON_SET)["metadata"]["uid"]
    control_plane.stop_api_server()
    with pytest.raises(OSError, match="refused"):
        control_plane.client().get(aws_node.DAEMON_SET)
    control_plane.start_api_server()
    assert control_plane.client().get(aws_node.DAEMON_SET)["metadata"]["uid"] == before


def test_a_write_waits_while_etcd_is_frozen(control_plane: ControlPlane, admin: ApiClient, daemon_set: None) -> None:
    began = time.monotonic()
    waking = control_plane.freeze_etcd(3)
    admin.merge(aws_node.DAEMON_SET, STAMP)
    assert time.monotonic() - began > 2.5
    waking.join()
    eventually(lambda: admin.ask("GET", "/readyz").status, lambda status: status == 200)
