"""The embedded cluster: TLS, faults, recorded requests and the store."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
import trustme
import urllib3

from sandbox.cluster.embedded_cluster import EmbeddedCluster
from sandbox.cluster.errors import ApiError
from sandbox.cluster.faults import ConnectionBreak, Fault
from sandbox.cluster.resources import CONFIG_MAPS, PODS, SERVICE_ACCOUNTS
from tests.integration.cluster.conftest import TOKENS, Api, _connect

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def cluster(authority: trustme.CA) -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster("embedded", authenticate=TOKENS.get, certificate=authority) as made:
        yield made


@pytest.fixture
def here(cluster: EmbeddedCluster) -> Api:
    return _connect(cluster)


def _annotate(here: Api, value: str) -> int:
    return here.patch(here.path("serviceaccounts", "default"), {"metadata": {"annotations": {"a": value}}}).status


def _annotation(cluster: EmbeddedCluster) -> str | None:
    annotations = cluster.store.get(SERVICE_ACCOUNTS, "default", "kube-system")["metadata"].get("annotations") or {}
    return annotations.get("a")


def test_a_client_that_trusts_another_authority_gets_no_answer(cluster: EmbeddedCluster) -> None:
    stranger = Api(cluster.url, trustme.CA().cert_pem.bytes().decode(), "admin-token", "user-token")
    with pytest.raises(urllib3.exceptions.SSLError):
        stranger.get("/version")
    assert _connect(cluster).get("/version").status == 200
    assert [each.path for each in cluster.requests] == ["/version"]


def test_requests_are_recorded(cluster: EmbeddedCluster, here: Api) -> None:
    answer = here.request("GET", here.path("serviceaccounts"), token="user-token", query={"limit": "5"})
    (record,) = cluster.requests
    assert (record.method, record.path, record.user, record.status) == ("GET", here.path("serviceaccounts"), "nobody", 403)
    assert record.query == {"limit": "5"}
    assert record.response_bytes == int(answer.headers["Content-Length"])


def test_a_compressed_answer_is_counted_as_sent(cluster: EmbeddedCluster, here: Api) -> None:
    for index in range(4):
        cluster.store.create(CONFIG_MAPS, {"metadata": {"name": f"large{index}", "namespace": "default"}, "data": {"a": "x" * 60_000}})
    here.get("/api/v1/configmaps")
    here.request("GET", "/api/v1/configmaps", headers={"Accept-Encoding": "gzip"})
    plain, packed = [each.response_bytes for each in cluster.requests]
    assert plain > 240_000
    assert packed < 20_000


def test_a_connection_serves_many_requests(cluster: EmbeddedCluster, here: Api) -> None:
    for _ in range(5):
        here.get("/version")
    assert here._pool.connection_from_url(cluster.url).num_connections == 1


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500, 503])
def test_a_fault_affects_a_limited_number_of_requests_and_writes_nothing(cluster: EmbeddedCluster, here: Api, status: int) -> None:
    cluster.faults.add(Fault(verb="PATCH", path="/serviceaccounts/", status=status, times=2))
    assert here.get(here.path("serviceaccounts", "default")).status == 200
    assert [_annotate(here, "x"), _annotate(here, "x")] == [status, status]
    assert _annotation(cluster) is None
    assert _annotate(here, "x") == 200
    assert [each.status for each in cluster.requests[1:]] == [status, status, 200]


def test_a_fault_may_set_retry_after(cluster: EmbeddedCluster, here: Api) -> None:
    cluster.faults.add(Fault(status=429, retry_after_s=7))
    answer = here.get("/api/v1/nodes")
    assert answer.headers["Retry-After"] == "7"
    assert answer.body["details"] == {"retryAfterSeconds": 7}
    assert answer.body["reason"] == "TooManyRequests"


@pytest.mark.parametrize(("when", "written"), [(ConnectionBreak.BEFORE, None), (ConnectionBreak.AFTER, "x")])
def test_a_connection_may_close_before_or_after_the_write(
    cluster: EmbeddedCluster, here: Api, when: ConnectionBreak, written: str | None
) -> None:
    cluster.faults.add(Fault(verb="PATCH", close=when))
    with pytest.raises((urllib3.exceptions.ProtocolError, urllib3.exceptions.SSLError)):
        _annotate(here, "x")
    assert _annotation(cluster) == written
    assert cluster.requests[-1].status == 0
    assert _annotate(here, "y") == 200


def test_a_fault_may_delay_the_response(cluster: EmbeddedCluster, here: Api) -> None:
    cluster.faults.add(Fault(delay_s=0.2))
    began = time.monotonic()
    assert here.get("/version").status == 200
    assert time.monotonic() - began >= 0.2


def test_a_fault_may_expire_the_token_of_a_page(cluster: EmbeddedCluster, here: Api) -> None:
    token = here.get("/api/v1/serviceaccounts", limit="1").body["metadata"]["continue"]
    cluster.faults.add(Fault(path="/serviceaccounts$", expire_continue=True))
    assert here.get("/api/v1/serviceaccounts", limit="1", **{"continue": token}).status == 410


def test_faults_can_be_cleared(cluster: EmbeddedCluster, here: Api) -> None:
    cluster.faults.add(Fault(status=500, times=None))
    assert [here.get("/version").status for _ in range(3)] == [500, 500, 500]
    cluster.faults.clear()
    assert here.get("/version").status == 200


def test_a_stopped_cluster_does_not_respond(authority: trustme.CA) -> None:
    with EmbeddedCluster("short", authenticate=TOKENS.get, certificate=authority) as made:
        client = _connect(made)
        assert client.get("/version").status == 200
    with pytest.raises(urllib3.exceptions.HTTPError):
        client.get("/version")
    assert not [each for each in threading.enumerate() if each.name == "cluster-accept" and each.is_alive()]


def test_changing_a_returned_object_does_not_change_the_store(cluster: EmbeddedCluster) -> None:
    given = {"metadata": {"name": "c", "namespace": "default"}, "data": {"a": "1"}}
    made = cluster.store.create(CONFIG_MAPS, given)
    given["data"]["a"] = made["data"]["a"] = "2"
    cluster.store.get(CONFIG_MAPS, "c", "default")["data"]["a"] = "3"
    cluster.store.list(CONFIG_MAPS)[0]["data"]["a"] = "4"
    assert cluster.store.get(CONFIG_MAPS, "c", "default")["data"] == {"a": "1"}


def test_a_pod_needs_its_service_account(cluster: EmbeddedCluster) -> None:
    pod = {"metadata": {"name": "p", "namespace": "default"}, "spec": {"serviceAccountName": "gone", "containers": []}}
    with pytest.raises(ApiError, match='error looking up service account default/gone: serviceaccount "gone" not found') as refused:
        cluster.store.create(PODS, pod)
    assert refused.value.code == 403


def test_concurrent_writes_are_not_lost(cluster: EmbeddedCluster, here: Api) -> None:
    def write(name: str) -> None:
        for index in range(20):
            cluster.store.patch(SERVICE_ACCOUNTS, "default", "kube-system", patch={"metadata": {"annotations": {f"{name}{index}": "1"}}})

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(here.get(here.path("serviceaccounts", "default")).body["metadata"]["annotations"]) == 80
