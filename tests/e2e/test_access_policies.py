"""`access` and the admission policies on a real API server: applied whole or not at all, and read back as they are evaluated."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest

from cli.clients.cluster_access import UserClusterAccess, path_of
from cli.errors import CommandError
from cli.queries.admission_policies import FOREIGN, PolicyState, RequiredPolicies, apply_policies, read_policies, reason_to_omit
from lambdas.contract import admission
from lambdas.contract.access import REMEDIATOR_GROUP, BoundWorkload
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import TransientError
from sandbox.control_plane.api_client import ApiClient
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e.admin_access import clients_of
from tests.e2e.limits import AWS_NODE

ROLE, FORMER = "arn:aws:iam::111122223333:role/demo-vpc-cni", "arn:aws:iam::111122223333:role/former"
READER = BoundWorkload("apps", "reader", WorkloadKind.DEPLOYMENT, "reader")
REQUIRED = RequiredPolicies(bound={AWS_NODE: [ROLE], READER: ["arn:aws:iam::111122223333:role/apps/reader"]}, current={AWS_NODE: FORMER})


class FailingAccess(UserClusterAccess):
    """Loses the connection at the n-th object."""

    fails_at = 0

    def apply(self, cluster: str, manifest: Mapping[str, Any]) -> None:
        super().apply(cluster, manifest)
        self.fails_at -= 1
        if self.fails_at == 0:
            raise TransientError("the connection was lost after the object was written")


@pytest.fixture
def access(control_plane: ControlPlane) -> FailingAccess:
    return FailingAccess(*clients_of(control_plane))


@pytest.fixture(autouse=True)
def empty(admin: ApiClient) -> Iterator[None]:
    yield
    for collection in (admission.BINDINGS_PATH, admission.POLICIES_PATH):
        for item in admin.get(collection)["items"]:
            admin.delete(f"{collection}/{item['metadata']['name']}")


def objects(admin: ApiClient) -> list[str]:
    return [item["metadata"]["name"] for path in (admission.POLICIES_PATH, admission.BINDINGS_PATH) for item in admin.get(path)["items"]]


def problems(access: UserClusterAccess, required: RequiredPolicies = REQUIRED) -> dict[str, str]:
    states: list[PolicyState] = list(read_policies("real", required, access))
    return {state.name.partition(".")[0]: state.problem for state in states if state.problem}


def test_the_api_server_serves_the_policies(access: UserClusterAccess) -> None:
    assert reason_to_omit("real", "1.36", access) == ""
    assert "no ValidatingAdmissionPolicy" in reason_to_omit("real", "1.29", access)
    assert not access.serves("real", "nothing.example.com/v1", "things")


def test_applied_policies_are_read_back_as_required(access: UserClusterAccess) -> None:
    assert set(problems(access)) == {"serviceaccounts", "pods", "daemonsets", "deployments", "others"}
    apply_policies("real", REQUIRED.manifests, access)
    assert problems(access) == {}
    apply_policies("real", REQUIRED.manifests, access)
    assert problems(access) == {}


def test_without_restarts_no_policy_of_a_workload_is_needed(access: UserClusterAccess) -> None:
    required = RequiredPolicies(bound=REQUIRED.bound, restarts=False)
    apply_policies("real", required.manifests, access)
    assert problems(access, required) == {}


def test_a_changed_binding_makes_the_list_of_roles_stale(access: UserClusterAccess) -> None:
    apply_policies("real", REQUIRED.manifests, access)
    changed = RequiredPolicies(bound={**REQUIRED.bound, AWS_NODE: ["arn:aws:iam::111122223333:role/new"]})
    assert problems(access, changed) == {
        "serviceaccounts": "the list of roles is out of date: it lacks arn:aws:iam::111122223333:role/new for kube-system/aws-node"
    }


def test_a_role_that_is_neither_bound_nor_set_is_surplus(access: UserClusterAccess) -> None:
    apply_policies("real", REQUIRED.manifests, access)
    changed = RequiredPolicies(bound=REQUIRED.bound, current={})
    assert [state.surplus for state in read_policies("real", REQUIRED, access) if state.surplus] == []
    assert [state.surplus for state in read_policies("real", changed, access) if state.surplus] == [(("kube-system/aws-node", FORMER),)]


WEAKENED: dict[str, tuple[str, dict[str, Any]]] = {
    "the policy ignores its errors": ("pods", {"spec": {"failurePolicy": "Ignore"}}),
    "the policy matches no group": ("pods", {"spec": {"matchConditions": [{"name": "limited-groups", "expression": "false"}]}}),
    "the policy matches one namespace": (
        "pods",
        {"spec": {"matchConstraints": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}}},
    ),
    "the policy excludes a resource": (
        "daemonsets",
        {
            "spec": {
                "matchConstraints": {
                    "excludeResourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]
                }
            }
        },
    ),
    "the policy allows everything": ("others", {"spec": {"validations": [{"expression": "true"}]}}),
}


@pytest.mark.parametrize("case", WEAKENED)
def test_a_weakened_policy_is_reported_and_restored(case: str, access: UserClusterAccess, admin: ApiClient) -> None:
    name, change = WEAKENED[case]
    apply_policies("real", REQUIRED.manifests, access)
    admin.merge(f"{admission.POLICIES_PATH}/{name}.limits.eks-irsa-remediator", change, fieldManager="somebody")
    assert set(problems(access)) == {name}
    apply_policies("real", REQUIRED.manifests, access)
    left = set(problems(access))
    assert left <= ({name} if case == "the policy excludes a resource" else set()), "fields that we do not set stay with their owner"


def test_a_binding_that_only_warns_is_reported(access: UserClusterAccess, admin: ApiClient) -> None:
    apply_policies("real", REQUIRED.manifests, access)
    admin.merge(f"{admission.BINDINGS_PATH}/pods.limits.eks-irsa-remediator", {"spec": {"validationActions": ["Warn"]}}, fieldManager="x")
    assert set(problems(access)) == {"pods"}
    admin.delete(f"{admission.BINDINGS_PATH}/pods.limits.eks-irsa-remediator")
    assert problems(access) == {"pods": "has no binding, so it has no effect"}


def test_a_policy_that_declares_more_roles_than_it_evaluates_is_reported(access: UserClusterAccess, admin: ApiClient) -> None:
    apply_policies("real", REQUIRED.manifests, access)
    path = f"{admission.POLICIES_PATH}/serviceaccounts.limits.eks-irsa-remediator"
    admin.merge(path, {"metadata": {"annotations": {admission.ROLES_ANNOTATION: '{"kube-system/aws-node": ["x"]}'}}}, fieldManager="x")
    assert set(problems(access)) == {"serviceaccounts"}


def test_a_policy_of_somebody_else_is_refused_and_nothing_is_applied(access: UserClusterAccess, admin: ApiClient) -> None:
    theirs = admission.limit_policies({})[2] | {"metadata": {"name": "pods.limits.eks-irsa-remediator"}}
    admin.apply(path_of(theirs), theirs, manager="somebody")
    with pytest.raises(CommandError, match="belongs to another owner"):
        apply_policies("real", REQUIRED.manifests, access)
    assert objects(admin) == ["pods.limits.eks-irsa-remediator"]
    assert problems(access)["pods"] == FOREIGN


@pytest.mark.parametrize("fails_at", range(1, 11))
def test_a_failed_installation_leaves_nothing(fails_at: int, access: FailingAccess, admin: ApiClient) -> None:
    access.fails_at = fails_at
    with pytest.raises(TransientError):
        apply_policies("real", REQUIRED.manifests, access)
    assert objects(admin) == []


@pytest.mark.parametrize("fails_at", [1, 4, 8])
def test_a_failed_update_restores_the_policies_of_before(fails_at: int, access: FailingAccess) -> None:
    apply_policies("real", REQUIRED.manifests, access)
    access.fails_at = fails_at
    with pytest.raises(TransientError):
        apply_policies("real", RequiredPolicies(bound={AWS_NODE: ["arn:aws:iam::111122223333:role/new"]}).manifests, access)
    assert problems(access) == {}


def test_every_binding_of_the_groups_is_found(access: UserClusterAccess, admin: ApiClient) -> None:
    def binding(kind: str, name: str, group: str, **metadata: str) -> dict[str, Any]:
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}
        return {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": name, **metadata},
            "roleRef": reference,
            "subjects": [subject],
        }

    made = [
        binding("ClusterRoleBinding", "$(id) \x1b[31m", REMEDIATOR_GROUP),
        binding("ClusterRoleBinding", "others", "others"),
        binding("RoleBinding", "leftover", REMEDIATOR_GROUP, namespace="kube-public"),
    ]
    for item in made:
        admin.create(path_of(item).rpartition("/")[0], item)
    try:
        found = access.bindings_of("real", frozenset({REMEDIATOR_GROUP}))
    finally:
        for item in made:
            admin.delete(f"{path_of(item).rpartition('/')[0]}/{quote(item['metadata']['name'])}")
    assert {(binding.namespace, binding.name, binding.role, binding.group) for binding in found} == {
        ("", "$(id) \x1b[31m", "ClusterRole view", REMEDIATOR_GROUP),
        ("kube-public", "leftover", "ClusterRole view", REMEDIATOR_GROUP),
    }
