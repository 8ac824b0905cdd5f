"""Reads of the cluster adapter from a real API server."""

from collections.abc import Iterator

import pytest

from lambdas.adapters.cluster import Cluster
from sandbox.control_plane.api_client import ApiClient
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e import aws_node
from tests.waiting import eventually

CONFIG_MAPS = "/api/v1/namespaces/pages/configmaps"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


@pytest.fixture(scope="module")
def many(control_plane: ControlPlane) -> Iterator[set[str]]:
    admin = control_plane.client()
    admin.create("/api/v1/namespaces", {"metadata": {"name": "pages"}})
    names = {f"map-{number:02}" for number in range(25)}
    for name in names:
        admin.create(CONFIG_MAPS, {"metadata": {"name": name}})
    yield names
    admin.delete("/api/v1/namespaces/pages")


def test_pages_add_up_to_the_whole(admin: ApiClient, many: set[str]) -> None:
    seen: list[str] = []
    query = {"limit": "10", "labelSelector": "!kubernetes.io/metadata.name"}
    while True:
        page = admin.get(CONFIG_MAPS, **query)
        seen += [item["metadata"]["name"] for item in page["items"]]
        if not page["metadata"].get("continue"):
            break
        query["continue"] = page["metadata"]["continue"]
    assert sorted(name for name in seen if name.startswith("map-")) == sorted(many)


def test_a_continue_token_that_is_too_old_is_gone(control_plane: ControlPlane, admin: ApiClient, many: set[str]) -> None:
    token = admin.get(CONFIG_MAPS, limit="10")["metadata"]["continue"]
    admin.merge(f"{CONFIG_MAPS}/map-00", {"data": {"changed": "meanwhile"}})
    control_plane.expire_lists()
    continuing = {"limit": "10", "continue": token}
    answer = eventually(lambda: admin.ask("GET", CONFIG_MAPS, query=continuing), lambda item: item.status == 410)
    assert answer.body["reason"] == "Expired"
    assert answer.body["metadata"]["continue"], "an inconsistent continuation is offered"


def test_a_table_of_nodes_has_the_columns_that_kubectl_prints(admin: ApiClient) -> None:
    admin.create("/api/v1/nodes", {"metadata": {"name": "seen-in-a-table"}})
    try:
        table = admin.do("GET", "/api/v1/nodes", query={"includeObject": "None"}, headers=TABLE)
    finally:
        admin.delete("/api/v1/nodes/seen-in-a-table")
    assert table["kind"] == "Table"
    names = [column["name"] for column in table["columnDefinitions"]]
    assert names[:5] == ["Name", "Status", "Roles", "Age", "Version"]
    assert {row["cells"][0] for row in table["rows"]} == {"seen-in-a-table"}
    assert all("object" not in row or row["object"] is None for row in table["rows"])


def test_pods_are_selected_by_their_service_account(admin: ApiClient) -> None:
    answer = admin.ask("GET", "/api/v1/namespaces/kube-system/pods", query={"fieldSelector": "spec.serviceAccountName=aws-node"})
    assert (answer.status, answer.body["items"]) == (200, [])
    unknown = admin.ask("GET", "/api/v1/namespaces/kube-system/pods", query={"fieldSelector": "spec.colour=blue"})
    assert unknown.status == 400


WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
FAILS_CLOSED = {
    "metadata": {"name": "fails-closed"},
    "webhooks": [
        {
            "name": "pods.policy.example.com",
            "clientConfig": {"url": "https://127.0.0.1:1/mutate"},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "timeoutSeconds": 1,
        }
    ],
}


def test_the_controller_reports_a_webhook_that_fails_closed(admin: ApiClient, remediator: Cluster) -> None:
    admin.create(WEBHOOKS, FAILS_CLOSED)
    admin.create(aws_node.SERVICE_ACCOUNTS, aws_node.service_account())
    aws_node.add_nodes(admin, ["without-pod"])
    try:
        admin.create(aws_node.DAEMON_SETS, aws_node.daemon_set())
        newest, *_ = eventually(lambda: remediator.controller_errors("kube-system", "aws-node"), within_s=60)
        assert "pods.policy.example.com" in newest.message
        assert remediator.controller_errors("kube-system", "aws") == ()
    finally:
        admin.delete(f"{WEBHOOKS}/fails-closed")
        admin.delete(aws_node.DAEMON_SET)
        admin.delete(aws_node.SERVICE_ACCOUNT)
        aws_node.forget_pods(admin)
        aws_node.remove_nodes(admin)
