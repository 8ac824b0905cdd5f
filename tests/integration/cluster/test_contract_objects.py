"""Contract: objects with status codes, `Status` bodies, patches, conflicts and field ownership."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.cluster.conftest import Api

STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


def test_version_and_health_are_served(api: Api) -> None:
    assert api.get("/readyz").body == b"ok"
    assert set(api.get("/version").body) >= {"major", "minor", "gitVersion"}


def test_an_absent_object_is_named_in_the_status(api: Api) -> None:
    answer = api.get(api.path("serviceaccounts", "nope"))
    assert answer.status == 404
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'serviceaccounts "nope" not found',
        "reason": "NotFound",
        "details": {"name": "nope", "kind": "serviceaccounts"},
        "code": 404,
    }


def test_an_absent_object_of_a_group_is_named_with_it(api: Api) -> None:
    answer = api.get(api.path("daemonsets", "nope", group="apps"))
    assert answer.message == 'daemonsets.apps "nope" not found'
    assert answer.body["details"] == {"name": "nope", "group": "apps", "kind": "daemonsets"}


@pytest.mark.parametrize("path", ["/gadgets", "/apis/example.com/v1/gadgets"])
def test_an_unknown_path_is_plain_text(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")


@pytest.mark.parametrize("plural", ["gadgets", "serviceaccounts/default/gadgets"])
def test_an_unknown_resource_of_a_known_group_is_a_status(api: Api, plural: str) -> None:
    answer = api.get(api.path(plural))
    assert (answer.status, answer.body["reason"]) == (404, "NotFound")
    assert answer.message == "the server could not find the requested resource"
    assert answer.body["details"] == {}


def test_a_missing_namespace_is_refused(api: Api) -> None:
    answer = api.post("/api/v1/namespaces/nowhere/serviceaccounts", {"metadata": {"name": "x"}})
    assert (answer.status, answer.message) == (404, 'namespaces "nowhere" not found')


def test_creating_twice_is_a_conflict(api: Api, account: str) -> None:
    answer = api.post(api.path("serviceaccounts"), {"metadata": {"name": "app"}})
    assert (answer.status, answer.body["reason"]) == (409, "AlreadyExists")
    assert answer.message == 'serviceaccounts "app" already exists'


def test_creation_fills_in_the_metadata(api: Api) -> None:
    made = api.post(api.path("serviceaccounts"), {"metadata": {"generateName": "app-"}}).body
    assert made["metadata"]["name"].startswith("app-")
    assert len(made["metadata"]["name"]) == len("app-") + 5
    assert {"uid", "resourceVersion", "creationTimestamp"} <= made["metadata"].keys()
    assert (made["kind"], made["apiVersion"]) == ("ServiceAccount", "v1")


def test_merge_patch_changes_one_key_and_null_removes_one(api: Api, account: str) -> None:
    patched = api.patch(account, {"metadata": {"annotations": {"example.com/role": "new"}}})
    assert patched.status == 200
    assert patched.body["metadata"]["annotations"] == {"kept": "yes", "example.com/role": "new"}
    removed = api.patch(account, {"metadata": {"annotations": {"example.com/role": None, "absent": None}}}).body
    assert removed["metadata"]["annotations"] == {"kept": "yes"}
    assert removed["metadata"]["labels"] == {"team": "net"}


def test_annotations_that_are_all_gone_leave_no_field(api: Api, account: str) -> None:
    gone = api.patch(account, {"metadata": {"annotations": None}}).body
    assert "annotations" not in gone["metadata"]


def test_a_patch_that_changes_nothing_keeps_the_version(api: Api, account: str) -> None:
    before = api.get(account).body
    after = api.patch(account, {"metadata": {"annotations": {"kept": "yes"}}}, fieldManager="somebody").body
    assert after == before


def test_a_patch_against_an_old_version_is_a_conflict(api: Api, account: str) -> None:
    old = api.get(account).body["metadata"]["resourceVersion"]
    api.patch(account, {"metadata": {"annotations": {"kept": "no"}}})
    answer = api.patch(account, {"metadata": {"resourceVersion": old, "annotations": {"kept": "yes"}}})
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert answer.message == (
        'Operation cannot be fulfilled on serviceaccounts "app": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert api.get(account).body["metadata"]["annotations"]["kept"] == "no"


def test_a_patch_with_the_current_version_goes_through(api: Api, account: str) -> None:
    version = api.get(account).body["metadata"]["resourceVersion"]
    answer = api.patch(account, {"metadata": {"resourceVersion": version, "annotations": {"kept": "no"}}})
    assert answer.status == 200
    assert answer.body["metadata"]["resourceVersion"] != version


def test_a_patch_cannot_change_the_uid(api: Api, account: str) -> None:
    answer = api.patch(account, {"metadata": {"uid": "11111111-2222-3333-4444-555555555555"}})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert "metadata.uid: Invalid value:" in answer.message
    assert "field is immutable" in answer.message


def test_a_patch_cannot_change_the_name(api: Api, account: str) -> None:
    answer = api.patch(account, {"metadata": {"name": "other"}})
    assert (answer.status, answer.message) == (400, "the name of the object (other) does not match the name on the URL (app)")


def test_an_annotation_is_a_string(api: Api, account: str) -> None:
    answer = api.patch(account, {"metadata": {"annotations": {"count": 1}}})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert "count" not in api.get(account).body["metadata"]["annotations"]


def test_a_name_is_a_dns_subdomain(api: Api) -> None:
    answer = api.post(api.path("serviceaccounts"), {"metadata": {"name": "A_b"}})
    assert answer.status == 422
    assert 'metadata.name: Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of' in answer.message


def test_the_selector_of_a_workload_is_immutable(api: Api) -> None:
    path = api.path("daemonsets", group="apps")
    api.post(path, _daemon_set("selecting"))
    answer = api.patch(f"{path}/selecting", {"spec": {"selector": {"matchLabels": {"app": "other"}}}})
    assert answer.status == 422
    assert 'spec.selector: Invalid value: {"matchLabels":{"app":"other"}}: field is immutable' in answer.message


def test_a_pod_keeps_its_environment_and_may_change_its_image(api: Api) -> None:
    container = {"name": "c", "image": "example/c:1"}
    api.post(api.path("pods"), {"metadata": {"name": "p"}, "spec": {"containers": [container], "nodeSelector": {"no": "where"}}})
    changed = {"spec": {"containers": [{"name": "c", "env": [{"name": "AWS_ROLE_ARN", "value": "x"}]}]}}
    refused = api.patch(api.path("pods", "p"), changed, STRATEGIC)
    assert (refused.status, refused.body["details"]["causes"][0]["reason"]) == (422, "FieldValueForbidden")
    assert "Forbidden: pod updates may not change fields other than `spec.containers[*].image`" in refused.message
    image = {"spec": {"containers": [{"name": "c", "image": "example/c:2"}]}}
    assert api.patch(api.path("pods", "p"), image, STRATEGIC).body["spec"]["containers"][0]["image"] == "example/c:2"


def test_admission_adds_fields_without_an_owner(api: Api) -> None:
    container = {"name": "c", "image": "example/c:1"}
    spec = {"containers": [container], "nodeSelector": {"no": "where"}}
    pod = api.post(api.path("pods"), {"metadata": {"name": "filled"}, "spec": spec}, fieldManager="owner").body
    assert (pod["spec"]["serviceAccountName"], pod["status"]["qosClass"]) == ("default", "BestEffort")
    assert {each["key"] for each in pod["spec"]["tolerations"]} == {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
    assert pod["spec"]["containers"][0]["volumeMounts"][0]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    owned = pod["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    assert not {"f:serviceAccountName", "f:tolerations", "f:volumes", "f:priority"} & owned.keys()
    assert "f:image" in owned["f:containers"]['k:{"name":"c"}']


def test_a_restart_owns_the_one_annotation_and_nothing_else(api: Api) -> None:
    path = api.path("daemonsets", group="apps")
    api.post(path, _daemon_set("owned"), fieldManager="owner")
    change = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}}}
    entries = api.patch(f"{path}/owned", change, fieldManager="remediator").body["metadata"]["managedFields"]
    (mine,) = [each["fieldsV1"] for each in entries if each["manager"] == "remediator"]
    annotations = {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}
    assert mine == {"f:spec": {"f:template": {"f:metadata": {"f:annotations": annotations}}}}


def test_an_update_replaces_and_needs_the_current_version(api: Api, account: str) -> None:
    obj = api.get(account).body
    replaced = api.request("PUT", account, obj | {"metadata": obj["metadata"] | {"annotations": {"only": "this"}}})
    assert replaced.body["metadata"]["annotations"] == {"only": "this"}
    assert api.request("PUT", account, obj).status == 409


def test_an_update_must_name_the_object_of_its_url(api: Api, account: str) -> None:
    obj = api.get(account).body
    obj["metadata"]["name"] = "other"
    answer = api.request("PUT", account, obj)
    assert answer.status == 400
    assert answer.message == "the name of the object (other) does not match the name on the URL (app)"


def test_json_patch_tests_before_it_writes(api: Api, account: str) -> None:
    wrong = [{"op": "test", "path": "/metadata/annotations/kept", "value": "no"}, {"op": "remove", "path": "/metadata/annotations/kept"}]
    assert api.patch(account, wrong, JSON_PATCH).status == 422
    right = [{"op": "test", "path": "/metadata/annotations/kept", "value": "yes"}, {"op": "remove", "path": "/metadata/annotations/kept"}]
    assert "kept" not in api.patch(account, right, JSON_PATCH).body["metadata"]["annotations"]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_a_patch_of_an_unknown_form_is_refused(api: Api, account: str, content_type: str) -> None:
    answer = api.patch(account, {}, content_type)
    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")


def test_dry_run_answers_and_writes_nothing(api: Api, account: str) -> None:
    answer = api.patch(account, {"metadata": {"annotations": {"kept": "no"}}}, dryRun="All")
    assert answer.body["metadata"]["annotations"]["kept"] == "no"
    assert api.get(account).body["metadata"]["annotations"]["kept"] == "yes"
    assert api.post(api.path("serviceaccounts"), {"metadata": {"name": "dry"}}, dryRun="All").status == 201
    assert api.get(api.path("serviceaccounts", "dry")).status == 404
    assert api.request("DELETE", account, query={"dryRun": "All"}).status == 200
    assert api.get(account).status == 200


def test_a_deleted_object_is_gone(api: Api, account: str) -> None:
    assert api.request("DELETE", account).status == 200
    assert api.get(account).status == 404
    assert api.request("DELETE", account).status == 404


def test_deletion_of_a_config_map_is_answered_with_a_status(api: Api) -> None:
    api.post(api.path("configmaps"), {"metadata": {"name": "c"}, "data": {"a": "b"}})
    answer = api.request("DELETE", api.path("configmaps", "c"))
    assert answer.body["status"] == "Success"
    assert answer.body["details"]["name"] == "c"


@pytest.mark.parametrize(
    ("preconditions", "said"),
    [
        ({"uid": "11111111-2222-3333-4444-555555555555"}, "does not match the UID in record"),
        ({"resourceVersion": "1"}, "does not match the ResourceVersion in record"),
    ],
    ids=["uid", "resource version"],
)
def test_deletion_checks_its_preconditions(api: Api, account: str, preconditions: dict[str, str], said: str) -> None:
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions}
    answer = api.request("DELETE", account, options)
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert said in answer.message
    assert api.get(account).status == 200


def test_managed_fields_name_the_manager_of_each_field(api: Api, account: str) -> None:
    api.patch(account, {"metadata": {"annotations": {"example.com/role": "new"}}}, fieldManager="remediator")
    entries = {each["manager"]: each for each in api.get(account).body["metadata"]["managedFields"]}
    mine = entries["remediator"]
    assert mine["fieldsV1"] == {"f:metadata": {"f:annotations": {"f:example.com/role": {}}}}
    assert (mine["operation"], mine["apiVersion"], mine["fieldsType"]) == ("Update", "v1", "FieldsV1")
    theirs = entries["owner"]["fieldsV1"]["f:metadata"]
    assert "f:example.com/role" not in theirs["f:annotations"]
    assert "f:kept" in theirs["f:annotations"]
    assert "f:team" in theirs["f:labels"]


def test_the_user_agent_is_the_manager_where_none_is_named(api: Api, account: str) -> None:
    api.patch(account, {"metadata": {"annotations": {"a": "b"}}})
    managers = {each["manager"] for each in api.get(account).body["metadata"]["managedFields"]}
    assert managers == {"owner", "contract"}


def _applied(api: Api, account: str, annotations: dict[str, str], manager: str, **query: str) -> object:
    manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app", "annotations": annotations}}
    return api.patch(account, manifest, APPLY, fieldManager=manager, **query)


def test_apply_removes_fields_that_its_manager_no_longer_applies(api: Api, account: str) -> None:
    _applied(api, account, {"role": "arn", "other": "1"}, "eks")
    api.patch(account, {"metadata": {"annotations": {"mine": "1"}}}, fieldManager="somebody")
    answer = _applied(api, account, {"other": "1"}, "eks")
    assert answer.body["metadata"]["annotations"] == {"kept": "yes", "example.com/role": "old", "other": "1", "mine": "1"}


def test_apply_keeps_fields_that_another_manager_changed(api: Api, account: str) -> None:
    _applied(api, account, {"role": "arn"}, "eks")
    api.patch(account, {"metadata": {"annotations": {"role": "other"}}}, fieldManager="somebody")
    assert _applied(api, account, {}, "eks").body["metadata"]["annotations"]["role"] == "other"


def test_apply_over_a_field_of_another_manager_is_a_conflict_unless_forced(api: Api, account: str) -> None:
    api.patch(account, {"metadata": {"annotations": {"role": "theirs"}}}, fieldManager="somebody")
    answer = _applied(api, account, {"role": "mine"}, "eks")
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert answer.message.startswith('Apply failed with 1 conflict: conflict with "somebody"')
    assert answer.body["details"]["causes"][0]["field"] == ".metadata.annotations.role"
    forced = _applied(api, account, {"role": "mine"}, "eks", force="true")
    assert forced.body["metadata"]["annotations"]["role"] == "mine"


def test_apply_with_an_outdated_resource_version_is_a_conflict(api: Api, account: str) -> None:
    seen = api.get(account).body["metadata"]["resourceVersion"]
    api.patch(account, {"metadata": {"annotations": {"role": "theirs"}}}, fieldManager="somebody")
    metadata = {"name": "app", "resourceVersion": seen, "annotations": {"role": "mine"}}
    answer = api.patch(
        account, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}, APPLY, fieldManager="remediator", force="true"
    )
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert api.get(account).body["metadata"]["annotations"]["role"] == "theirs"


def test_apply_with_a_uid_does_not_create_a_missing_object(api: Api) -> None:
    path = api.path("serviceaccounts", "fresh")
    manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "fresh", "uid": "a", "resourceVersion": "1"}}
    answer = api.patch(path, manifest, APPLY, fieldManager="remediator", force="true")
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert "uid mismatch: the provided object specified uid a, and no existing object was found" in answer.message
    assert api.get(path).status == 404


def test_apply_with_the_uid_of_another_object_is_invalid(api: Api, account: str) -> None:
    manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app", "uid": "a", "annotations": {"role": "mine"}}}
    answer = api.patch(account, manifest, APPLY, fieldManager="remediator", force="true")
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert "role" not in api.get(account).body["metadata"]["annotations"]


@pytest.mark.parametrize("force", ["true", "false"])
def test_a_field_that_a_second_manager_applied_stays_when_the_first_stops_applying_it(api: Api, account: str, force: str) -> None:
    _applied(api, account, {"role": "arn", "other": "1"}, "eks")
    _applied(api, account, {"role": "arn"}, "remediator", force="true")
    answer = _applied(api, account, {"other": "1"}, "eks", force=force)
    assert answer.body["metadata"]["annotations"]["role"] == "arn"


def test_a_merge_patch_of_an_equal_value_owns_nothing(api: Api, account: str) -> None:
    _applied(api, account, {"role": "arn"}, "eks")
    api.patch(account, {"metadata": {"annotations": {"role": "arn"}}}, fieldManager="remediator")
    assert "role" not in _applied(api, account, {}, "eks").body["metadata"]["annotations"]


def test_apply_creates_a_missing_object(api: Api) -> None:
    manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "fresh"}}
    assert api.patch(api.path("serviceaccounts", "fresh"), manifest, APPLY, fieldManager="eks").status == 201


def test_strategic_merge_changes_one_variable_of_one_container(api: Api) -> None:
    path = api.path("daemonsets", group="apps")
    api.post(path, _daemon_set("strategic"))
    change = {"spec": {"template": {"spec": {"containers": [{"name": "one", "env": [{"name": "B", "value": "2"}]}]}}}}
    spec = api.patch(f"{path}/strategic", change, STRATEGIC).body["spec"]["template"]["spec"]
    assert [each["name"] for each in spec["containers"]] == ["one", "two"]
    assert spec["containers"][0]["env"] == [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]
    gone = {"spec": {"template": {"spec": {"containers": [{"name": "two", "$patch": "delete"}]}}}}
    left = api.patch(f"{path}/strategic", gone, STRATEGIC).body["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in left] == ["one"]


def test_generation_counts_changes_of_the_spec_alone(api: Api) -> None:
    path = api.path("daemonsets", group="apps")
    assert api.post(path, _daemon_set("counted")).body["metadata"]["generation"] == 1
    assert api.patch(f"{path}/counted", {"metadata": {"labels": {"a": "b"}}}).body["metadata"]["generation"] == 1
    restarted = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}}}
    assert api.patch(f"{path}/counted", restarted).body["metadata"]["generation"] == 2
    assert api.patch(f"{path}/counted", restarted).body["metadata"]["generation"] == 2


def test_a_status_is_changed_through_its_subresource_alone(api: Api) -> None:
    path = api.path("daemonsets", group="apps")
    api.post(path, _daemon_set("with-status"))
    ignored = api.patch(f"{path}/with-status", {"status": {"numberMisscheduled": 7}}).body
    assert ignored["status"]["numberMisscheduled"] == 0
    condition = {"type": "Noted", "status": "True", "reason": "Test", "message": ""}
    changed = api.patch(f"{path}/with-status/status", {"spec": {"minReadySeconds": 9}, "status": {"conditions": [condition]}}).body
    assert changed["status"]["conditions"][0]["type"] == "Noted"
    assert "minReadySeconds" not in changed["spec"]


def test_events_exist_in_two_api_groups(api: Api) -> None:
    event = {
        "metadata": {"name": "e1"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "type": "Warning",
        "reason": "MissingIAMPermissions",
        "action": "DescribeNetworkInterfaces",
        "note": "no",
        "regarding": {"kind": "Pod", "name": "p", "namespace": api.namespace, "apiVersion": "v1"},
        "reportingController": "aws-node",
        "reportingInstance": "aws-node-p",
    }
    assert api.post(api.path("events", group="events.k8s.io"), event).status == 201
    core = api.get(api.path("events", "e1")).body
    assert (core["message"], core["involvedObject"]["name"], core["reportingComponent"]) == ("no", "p", "aws-node")
    newer = api.get(api.path("events", group="events.k8s.io"), fieldSelector="regarding.name=p,reason=MissingIAMPermissions").body
    assert [each["note"] for each in newer["items"]] == ["no"]


def _daemon_set(name: str) -> dict[str, object]:
    containers = [
        {"name": "one", "image": "example/one:1", "env": [{"name": "A", "value": "1"}]},
        {"name": "two", "image": "example/two:1"},
    ]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers, "nodeSelector": {"nowhere": "true"}}}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": name}}, "template": template}}
