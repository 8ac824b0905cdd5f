"""The informer of the sandbox misses no change, and `clear` empties a cluster."""

from typing import Any

from lambdas.contract import access
from sandbox.control_plane.api_client import ApiClient
from sandbox.control_plane.cleanup import clear
from sandbox.control_plane.control_plane import ControlPlane
from sandbox.control_plane.informer import Informer
from tests.e2e import aws_node, rbac
from tests.waiting import eventually

MAPS = "/api/v1/namespaces/default/configmaps"


def _map(name: str, value: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"informer": "test"}}, "data": {"value": value}}


def _values(informer: Informer) -> dict[str, str]:
    return {item["metadata"]["name"]: item["data"]["value"] for item in informer.objects() if item["metadata"].get("labels")}


def test_an_informer_receives_creations_changes_and_deletions(admin: ApiClient) -> None:
    admin.create(MAPS, _map("before", "1"))
    told: list[int] = []
    with Informer(admin, MAPS, lambda objects: told.append(len(list(objects)))) as informer:
        assert _values(informer) == {"before": "1"}
        admin.create(MAPS, _map("later", "2"))
        admin.merge(f"{MAPS}/before", {"data": {"value": "3"}})
        eventually(lambda: _values(informer), lambda seen: seen == {"before": "3", "later": "2"})
        admin.delete(f"{MAPS}/before")
        eventually(lambda: _values(informer), lambda seen: seen == {"later": "2"})
    assert len(told) == 4
    admin.delete(f"{MAPS}/later")


def test_an_informer_catches_up_after_the_api_server_was_killed(control_plane: ControlPlane, admin: ApiClient) -> None:
    with Informer(admin, MAPS) as informer:
        control_plane.stop_api_server()
        control_plane.start_api_server()
        control_plane.client().create(MAPS, _map("meanwhile", "1"))
        eventually(lambda: _values(informer), lambda seen: seen == {"meanwhile": "1"})
    control_plane.client().delete(f"{MAPS}/meanwhile")


def test_a_cleared_cluster_is_empty(control_plane: ControlPlane) -> None:
    admin = control_plane.client()
    clear(admin)
    aws_node.add_nodes(admin, ["node-a", "node-b"])
    rbac.put(admin, access.manifests())
    admin.create(aws_node.SERVICE_ACCOUNTS, aws_node.service_account())
    admin.create(aws_node.DAEMON_SETS, aws_node.daemon_set())
    eventually(lambda: aws_node.pods(admin), lambda pods: len(pods) == 2)
    clear(admin)
    assert admin.get("/api/v1/nodes")["items"] == []
    assert admin.get(aws_node.PODS)["items"] == []
    assert {item["metadata"]["name"] for item in admin.get(aws_node.SERVICE_ACCOUNTS)["items"]} <= {"default"}
    assert {admin.ask("GET", rbac.path_of(manifest)).status for manifest in access.manifests()} == {404}
    assert admin.get(f"{rbac.RBAC}/clusterroles/cluster-admin")["metadata"]["name"] == "cluster-admin"
