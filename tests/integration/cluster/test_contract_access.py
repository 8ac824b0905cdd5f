"""Contract: authentication and authorization (401, 403, RBAC)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.integration.cluster.conftest import Api

RBAC = "rbac.authorization.k8s.io"
NOBODY = [{"kind": "User", "apiGroup": RBAC, "name": "nobody"}]


def _grant(api: Api, rules: list[dict[str, Any]]) -> None:
    """A Role in the test's namespace for the user `nobody`."""
    api.post(api.path("roles", group=RBAC), {"metadata": {"name": "r"}, "rules": rules})
    ref = {"apiGroup": RBAC, "kind": "Role", "name": "r"}
    api.post(api.path("rolebindings", group=RBAC), {"metadata": {"name": "b"}, "subjects": NOBODY, "roleRef": ref})


def _status(api: Api, method: str, path: str, body: object = None) -> int:
    content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
    return api.request(method, path, body, token=api.user_token, content_type=content_type).status


def test_an_unknown_token_is_unauthorized(api: Api) -> None:
    answer = api.request("GET", "/api/v1/nodes", token="k8s-aws-v1.nonsense")
    assert answer.status == 401
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }


def test_a_request_without_a_token_is_anonymous(api: Api) -> None:
    answer = api.request("GET", "/api/v1/nodes", token=None)
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert answer.message == 'nodes is forbidden: User "system:anonymous" cannot list resource "nodes" in API group "" at the cluster scope'
    assert answer.body["details"] == {"kind": "nodes"}


def test_every_user_may_get_the_version(api: Api) -> None:
    assert api.request("GET", "/version", token=None).status == 200


def test_a_non_resource_path_has_its_own_refusal(api: Api) -> None:
    answer = api.request("GET", "/metrics", token=api.user_token)
    assert (answer.status, answer.message) == (403, 'forbidden: User "nobody" cannot get path "/metrics"')


def test_the_refusal_names_object_verb_and_namespace(api: Api) -> None:
    answer = api.request("DELETE", api.path("daemonsets", "aws-node", group="apps"), token=api.user_token)
    assert answer.message == (
        'daemonsets.apps "aws-node" is forbidden: User "nobody" cannot delete resource "daemonsets" '
        f'in API group "apps" in the namespace "{api.namespace}"'
    )
    assert answer.body["details"] == {"name": "aws-node", "group": "apps", "kind": "daemonsets"}


def test_the_refusal_names_the_subresource(api: Api) -> None:
    answer = api.request("PATCH", "/api/v1/nodes/n/status", {}, token=api.user_token, content_type="application/merge-patch+json")
    assert 'cannot patch resource "nodes/status" in API group ""' in answer.message


def test_a_refusal_comes_before_not_found(api: Api) -> None:
    assert _status(api, "GET", api.path("gadgets")) == 403


def test_a_role_grants_its_verbs_on_its_names_and_no_more(api: Api) -> None:
    for name in ("app", "other"):
        api.post(api.path("serviceaccounts"), {"metadata": {"name": name}})
    _grant(api, [{"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["app"], "verbs": ["get", "patch"]}])
    eventually(lambda: _status(api, "GET", api.path("serviceaccounts", "app")) == 200)
    assert _status(api, "PATCH", api.path("serviceaccounts", "app"), {}) == 200
    assert _status(api, "GET", api.path("serviceaccounts", "other")) == 403
    assert _status(api, "GET", api.path("serviceaccounts")) == 403
    assert _status(api, "DELETE", api.path("serviceaccounts", "app")) == 403
    assert _status(api, "POST", api.path("serviceaccounts"), {"metadata": {"name": "new"}}) == 403
    assert _status(api, "GET", "/api/v1/namespaces/kube-system/serviceaccounts/app") == 403


def test_a_resource_does_not_include_its_subresources(api: Api) -> None:
    _grant(api, [{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}])
    eventually(lambda: _status(api, "GET", api.path("pods")) == 200)
    assert _status(api, "PATCH", f"{api.path('pods', 'p')}/status", {}) == 403


@pytest.mark.parametrize("resources", [["*"], ["pods/status", "pods"], ["*/status", "pods"]], ids=["all", "named", "any status"])
def test_subresources_can_be_granted(api: Api, resources: list[str]) -> None:
    _grant(api, [{"apiGroups": ["*"], "resources": resources, "verbs": ["get", "patch"]}])
    eventually(lambda: _status(api, "GET", api.path("pods", "p")) == 404)
    assert _status(api, "PATCH", f"{api.path('pods', 'p')}/status", {}) == 404


def test_a_grant_applies_to_its_api_group_only(api: Api) -> None:
    _grant(api, [{"apiGroups": ["apps"], "resources": ["*"], "verbs": ["*"]}])
    eventually(lambda: _status(api, "GET", api.path("daemonsets", group="apps")) == 200)
    assert _status(api, "GET", api.path("pods")) == 403


def test_a_deleted_binding_grants_nothing(api: Api) -> None:
    _grant(api, [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}])
    eventually(lambda: _status(api, "GET", api.path("pods")) == 200)
    api.request("DELETE", api.path("rolebindings", "b", group=RBAC))
    eventually(lambda: _status(api, "GET", api.path("pods")) == 403)
