"""The embedded API server and its clients."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
import pytest
import trustme
import urllib3

from sandbox.cluster.embedded_cluster import EmbeddedCluster, Identity
from sandbox.controllers.controller_manager import ControllerManager
from sandbox.controllers.kubelet import Timings
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ADMIN = Identity("admin", ("system:masters",))
NOBODY = Identity("nobody", ())
TOKENS = {"admin-token": ADMIN, "user-token": NOBODY}
MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def message(self) -> str:
        return str(self.body["message"])


@dataclass
class Api:
    """A minimal client, so that tests see the bytes on the wire."""

    url: str
    ca: str
    token: str
    user_token: str
    namespace: str = "kube-system"
    embedded: EmbeddedCluster | None = None
    _pool: urllib3.PoolManager = field(init=False)

    def __post_init__(self) -> None:
        self._pool = urllib3.PoolManager(ca_cert_data=self.ca, retries=False, timeout=60.0)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        token: str | None = "admin",  # noqa: S107
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"Content-Type": content_type, "Accept": accept, "User-Agent": "contract/1.0", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {self.token if token == 'admin' else token}"
        payload = body if isinstance(body, bytes | None) else orjson.dumps(body)
        url = f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
        answer = self._pool.request(method, url, body=payload, headers=sent)
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return Answer(answer.status, orjson.loads(answer.data) if is_json else answer.data, answer.headers)

    def get(self, path: str, **query: str) -> Answer:
        return self.request("GET", path, query=query)

    def post(self, path: str, body: Any, **query: str) -> Answer:
        return self.request("POST", path, body, query=query)

    def patch(self, path: str, body: Any, content_type: str = MERGE, **query: str) -> Answer:
        return self.request("PATCH", path, body, content_type=content_type, query=query)

    def path(self, plural: str, name: str = "", *, group: str = "") -> str:
        root = f"/apis/{group}/v1" if group else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")


def _connect(cluster: EmbeddedCluster) -> Api:
    return Api(cluster.url, cluster.ca_pem.decode(), "admin-token", "user-token", embedded=cluster)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server(authority: trustme.CA) -> Iterator[Api]:
    with EmbeddedCluster("contract", authenticate=TOKENS.get, certificate=authority) as cluster:
        timings = Timings(pod_start_s=0.05, pod_stop_s=0.02)
        with ControllerManager(cluster.store, timings=timings):
            yield _connect(cluster)


@pytest.fixture
def api(server: Api) -> Iterator[Api]:
    """The server, with a namespace of the test's own."""
    server.namespace = f"contract-{uuid.uuid4().hex[:8]}"
    made = server.post("/api/v1/namespaces", {"metadata": {"name": server.namespace}})
    assert made.status == 201
    eventually(lambda: server.post(server.path("serviceaccounts"), {"metadata": {"name": "default"}}).status in {201, 409})
    yield server
    server.request("DELETE", f"/api/v1/namespaces/{server.namespace}")


@pytest.fixture
def account(api: Api) -> str:
    """The path of a ServiceAccount that carries a label and an annotation."""
    metadata = {"name": "app", "labels": {"team": "net"}, "annotations": {"kept": "yes", "example.com/role": "old"}}
    assert api.post(api.path("serviceaccounts"), {"metadata": metadata}, fieldManager="owner").status == 201
    return api.path("serviceaccounts", "app")
