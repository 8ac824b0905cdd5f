"""Contract: lists with selectors, pages, tables and metadata only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.cluster.conftest import Api

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


@pytest.fixture
def config_maps(api: Api) -> str:
    """Seven ConfigMaps; `tier` is a, b, a, b, ... and the last has no label."""
    path = api.path("configmaps")
    for index in range(7):
        labels = {} if index == 6 else {"tier": "ab"[index % 2], "index": str(index)}
        assert api.post(path, {"metadata": {"name": f"c{index}", "labels": labels}, "data": {"filler": "x" * 200}}).status == 201
    return path


def _names(body: Mapping[str, Any]) -> list[str]:
    return [each["metadata"]["name"] for each in body["items"] if each["metadata"]["name"].startswith("c")]


def test_items_leave_out_kind_and_version(api: Api, config_maps: str) -> None:
    body = api.get(config_maps).body
    assert (body["kind"], body["apiVersion"]) == ("ConfigMapList", "v1")
    assert body["metadata"]["resourceVersion"]
    assert not {"kind", "apiVersion"} & body["items"][0].keys()


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("tier=a", [0, 2, 4]),
        ("tier==b", [1, 3, 5]),
        ("tier!=a", [1, 3, 5, 6]),
        ("tier in (a,b)", [0, 1, 2, 3, 4, 5]),
        ("tier notin (a)", [1, 3, 5, 6]),
        ("tier", [0, 1, 2, 3, 4, 5]),
        ("tier=a,index in (0,1)", [0]),
        ("tier in (a),index notin (0,2)", [4]),
    ],
)
def test_labels_select(api: Api, config_maps: str, selector: str, wanted: list[int]) -> None:
    assert _names(api.get(config_maps, labelSelector=selector).body) == [f"c{index}" for index in wanted]


def test_an_absent_label_selects(api: Api, config_maps: str) -> None:
    assert "c6" in _names(api.get(config_maps, labelSelector="!tier").body)
    assert "c0" not in _names(api.get(config_maps, labelSelector="!tier").body)


@pytest.mark.parametrize("selector", ["tier in a", "=a", "tier in (a"])
def test_a_label_selector_that_does_not_parse_is_refused(api: Api, config_maps: str, selector: str) -> None:
    answer = api.get(config_maps, labelSelector=selector)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


def test_the_name_selects(api: Api, config_maps: str) -> None:
    assert _names(api.get(config_maps, fieldSelector="metadata.name=c3").body) == ["c3"]


def test_a_field_that_cannot_be_selected_is_refused(api: Api, config_maps: str) -> None:
    answer = api.get(config_maps, fieldSelector="data.filler=x")
    assert answer.status == 400
    assert '"data.filler" is not a known field selector' in answer.message


def test_a_pod_field_that_cannot_be_selected_is_refused(api: Api) -> None:
    answer = api.get(api.path("pods"), fieldSelector="spec.priorityClassName=x")
    assert answer.status == 400
    assert "field label not supported: spec.priorityClassName" in answer.message


@pytest.mark.parametrize("field", ["spec.nodeName", "spec.serviceAccountName", "status.phase", "spec.restartPolicy", "status.podIP"])
def test_pod_fields_that_the_server_knows_select(api: Api, field: str) -> None:
    answer = api.get(api.path("pods"), fieldSelector=f"{field}=no-such-value")
    assert (answer.status, answer.body["items"]) == (200, [])


def test_pages_follow_one_another(api: Api, config_maps: str) -> None:
    found, token, remaining = [], "", []
    while True:
        query = {"limit": "3"} | ({"continue": token} if token else {})
        body = api.get(config_maps, **query).body
        found += [each["metadata"]["name"] for each in body["items"]]
        remaining.append(body["metadata"].get("remainingItemCount"))
        token = body["metadata"].get("continue", "")
        if not token:
            break
    assert sorted(found) == found
    assert [name for name in found if name.startswith("c")] == [f"c{index}" for index in range(7)]
    assert remaining[-1] is None
    assert remaining[0] == len(found) - 3


def test_a_selector_hides_the_remaining_count(api: Api, config_maps: str) -> None:
    meta = api.get(config_maps, limit="1", labelSelector="tier=a").body["metadata"]
    assert meta["continue"]
    assert "remainingItemCount" not in meta


def test_all_pages_show_the_state_of_the_first(api: Api, config_maps: str) -> None:
    first = api.get(config_maps, limit="2").body
    api.request("DELETE", f"{config_maps}/c5")
    api.patch(f"{config_maps}/c4", {"metadata": {"labels": {"tier": "z"}}})
    rest = api.get(config_maps, limit="50", **{"continue": first["metadata"]["continue"]}).body
    assert "c5" in _names(rest)
    assert {each["metadata"]["labels"]["tier"] for each in rest["items"] if each["metadata"]["name"] == "c4"} == {"a"}
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_an_invalid_continue_token_is_refused(api: Api, config_maps: str) -> None:
    assert api.get(config_maps, limit="2", **{"continue": "nonsense"}).status == 400


def test_an_expired_continue_token_gets_a_new_one(api: Api, config_maps: str) -> None:
    if api.embedded is None:
        pytest.skip("a real server is made to forget by compacting etcd, which its own suite does")
    first = api.get(config_maps, limit="2").body
    api.embedded.expire_continue_tokens()
    answer = api.get(config_maps, limit="50", **{"continue": first["metadata"]["continue"]})
    assert (answer.status, answer.body["reason"]) == (410, "Expired")
    assert answer.message.startswith("The provided continue parameter is too old to display a consistent list result.")
    rest = api.get(config_maps, limit="50", **{"continue": answer.body["metadata"]["continue"]})
    assert rest.status == 200
    assert len(rest.body["items"]) + 2 >= 7


COLUMNS = {
    "pods": ["Name", "Ready", "Status", "Restarts", "Age", "IP", "Node", "Nominated Node", "Readiness Gates"],
    "serviceaccounts": ["Name", "Age"],
}


@pytest.mark.parametrize("plural", COLUMNS)
def test_tables_have_the_servers_columns(api: Api, plural: str) -> None:
    body = api.request("GET", api.path(plural), accept=TABLE).body
    assert (body["kind"], body["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    shown = [each["name"] for each in body["columnDefinitions"]]
    assert [name for name in shown if name != "Secrets"] == COLUMNS[plural]


def test_a_table_of_nodes_has_the_servers_columns(api: Api) -> None:
    body = api.request("GET", "/api/v1/nodes", accept=TABLE).body
    wide = ["Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"]
    assert [each["name"] for each in body["columnDefinitions"]] == ["Name", "Status", "Roles", "Age", "Version", *wide]


def test_a_table_of_daemon_sets_has_the_servers_columns(api: Api) -> None:
    body = api.request("GET", api.path("daemonsets", group="apps"), accept=TABLE).body
    counts = ["Desired", "Current", "Ready", "Up-to-date", "Available"]
    assert [each["name"] for each in body["columnDefinitions"]] == [
        "Name",
        *counts,
        "Node Selector",
        "Age",
        "Containers",
        "Images",
        "Selector",
    ]
    assert [each["priority"] for each in body["columnDefinitions"]][-3:] == [1, 1, 1]


@pytest.mark.parametrize(("include", "kind"), [("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "ConfigMap")])
def test_rows_contain_the_requested_part_of_the_object(api: Api, config_maps: str, include: str, kind: str | None) -> None:
    body = api.request("GET", config_maps, accept=TABLE, query={"includeObject": include, "fieldSelector": "metadata.name=c0"}).body
    (row,) = body["rows"]
    assert row["cells"][0] == "c0"
    assert (row["object"] or {}).get("kind") == kind


def test_tables_have_pages(api: Api, config_maps: str) -> None:
    body = api.request("GET", config_maps, accept=TABLE, query={"limit": "2"}).body
    assert len(body["rows"]) == 2
    assert body["metadata"]["continue"]


def test_metadata_only_lists_are_supported(api: Api, config_maps: str) -> None:
    body = api.request("GET", config_maps, accept=PARTIAL).body
    assert body["kind"] == "PartialObjectMetadataList"
    assert "data" not in body["items"][0]
    assert body["items"][0]["metadata"]["uid"]


def test_an_unsupported_media_type_is_not_acceptable(api: Api, config_maps: str) -> None:
    answer = api.request("GET", config_maps, accept="image/png")
    assert (answer.status, answer.body["reason"]) == (406, "NotAcceptable")


def test_large_lists_are_compressed_where_that_is_accepted(api: Api) -> None:
    path = api.path("configmaps")
    for index in range(4):
        api.post(path, {"metadata": {"name": f"large{index}"}, "data": {"filler": "x" * 60_000}})
    packed = api.request("GET", path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len([each for each in packed.body["items"] if each["metadata"]["name"].startswith("large")]) == 4
