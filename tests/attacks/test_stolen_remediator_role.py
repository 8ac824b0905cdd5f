"""Become root on every node, or take another role, with a stolen role of the functions in the cluster.

The attacker has the credentials of the remediator or the checker, and both groups are cluster administrators, so that the admission
policies alone decide. This runs on a real API server.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from lambdas.adapters.cluster import Cluster
from lambdas.contract import access, admission
from lambdas.contract.access import BoundWorkload
from lambdas.contract.names import CHECKER_GROUP, REMEDIATOR_GROUP, RESTARTED_AT_ANNOTATION
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.snapshot.snapshot import ServiceAccountFacts
from sandbox.control_plane.api_client import ApiClient
from sandbox.control_plane.control_plane import ControlPlane
from tests.attacks.threat import Threat
from tests.e2e import aws_node, rbac
from tests.e2e.conftest import binaries, control_plane
from tests.e2e.identities import CHECKER, REMEDIATOR, token
from tests.e2e.product import ACCESS_ENTRIES, log_in, logged_in
from tests.waiting import eventually

THREAT = Threat(
    name="stolen remediator role in a cluster",
    actor="holder of the remediator's credentials",
    controls="every Kubernetes call of the remediator's group",
    attempt="become root on every node with an image, command, host path or ServiceAccount in the DaemonSet, or take another role",
    prevention="admission policies allow the restart annotation, the role annotation with a bound role and the deletion of "
    "pods of bound ServiceAccounts, and deny every other change",
    proof=("test_the_group_of_the_remediator_may_not_write", "test_the_checkers_group_writes_nothing"),
    residual="it can restart bound workloads, delete their pods, and set their annotation to the role of the binding or to "
    "the role that was set when the policies were applied. Before Kubernetes 1.30 there are no policies: `restart_by: deletion` "
    "removes the right to patch workloads",
)
pytestmark = pytest.mark.control_plane
__all__ = ["binaries", "control_plane"]

MERGE = {"Content-Type": "application/merge-patch+json"}
EVIL = "arn:aws:iam::666666666666:role/evil"
AWS_NODE = BoundWorkload("kube-system", "aws-node", WorkloadKind.DAEMON_SET, "aws-node")
READER = BoundWorkload("apps", "reader", WorkloadKind.DEPLOYMENT, "reader")
STORE = BoundWorkload("apps", "store", WorkloadKind.STATEFUL_SET, "store")
READER_ROLE, STORE_ROLE = "arn:aws:iam::111122223333:role/apps/reader", "arn:aws:iam::111122223333:role/apps/store"
BOUND = {AWS_NODE: [aws_node.ROLE], READER: [READER_ROLE], STORE: [STORE_ROLE]}
DEPLOYMENTS = "/apis/apps/v1/namespaces/apps/deployments"
STATEFUL_SETS = "/apis/apps/v1/namespaces/apps/statefulsets"
ACCOUNTS = "/api/v1/namespaces/apps/serviceaccounts"
APP_PODS = "/api/v1/namespaces/apps/pods"
EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "other-0"}}
ADMIN_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


def workload(name: str, **spec: Any) -> dict[str, Any]:
    pod = {"serviceAccountName": name, "nodeSelector": {"no": "where"}, "containers": [{"name": "app", "image": "example/app:1"}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    return {"metadata": {"name": name}, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template, **spec}}


@pytest.fixture(scope="module")
def limited(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """A cluster in which both groups are cluster administrators, so that the policies alone decide."""
    admin = control_plane.client()
    control_plane.allow(ACCESS_ENTRIES)
    admin.create("/api/v1/namespaces", {"metadata": {"name": "apps"}})
    rbac.put(admin, access.manifests(list(BOUND)))
    subjects = [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": name} for name in (CHECKER_GROUP, REMEDIATOR_GROUP)]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    admin.create(ADMIN_BINDINGS, {"metadata": {"name": "too-much"}, "roleRef": role, "subjects": subjects})
    for name in ("reader", "store", "other"):
        admin.create(ACCOUNTS, {"metadata": {"name": name}})
    admin.create(DEPLOYMENTS, workload("reader"))
    admin.create(DEPLOYMENTS, workload("other"))
    admin.create(STATEFUL_SETS, workload("store", serviceName="store"))
    admin.create(aws_node.SERVICE_ACCOUNTS, aws_node.service_account())
    admin.create(aws_node.DAEMON_SETS, aws_node.daemon_set())
    for name in ("reader", "other"):
        pod = {"serviceAccountName": name, "nodeSelector": {"no": "where"}, "containers": [{"name": "app", "image": "example/app:1"}]}
        for number in range(2):
            admin.create(APP_PODS, {"metadata": {"name": f"{name}-{number}"}, "spec": pod})
    eventually(lambda: logged_in(log_in(control_plane, REMEDIATOR)))
    manifests = admission.limit_policies(BOUND)
    for manifest in manifests:
        admin.apply(admission.path_of(manifest), manifest, manager="administrator")
    thief = control_plane.client(token(REMEDIATOR, cluster=control_plane.cluster_name))
    probe = {"metadata": {"labels": {"probe": "x"}}}
    paths = (aws_node.DAEMON_SET, f"{DEPLOYMENTS}/reader", f"{STATEFUL_SETS}/store", f"{ACCOUNTS}/reader", f"{APP_PODS}/reader-0")

    def answers() -> set[int]:
        """One answer for each policy: the API server begins to enforce them one after the other."""
        secret = thief.ask("POST", "/api/v1/namespaces/apps/secrets?dryRun=All", {"metadata": {"name": "probe"}})
        return {secret.status, *(thief.ask("PATCH", f"{path}?dryRun=All", probe, headers=MERGE).status for path in paths)}

    eventually(answers, lambda statuses: statuses == {403})
    yield control_plane
    for manifest in reversed(manifests):
        admin.delete(admission.path_of(manifest))
    admin.delete(f"{ADMIN_BINDINGS}/too-much")
    admin.delete(aws_node.DAEMON_SET)
    admin.delete(aws_node.SERVICE_ACCOUNT)
    admin.delete("/api/v1/namespaces/apps")


@pytest.fixture
def thief(limited: ControlPlane) -> ApiClient:
    return limited.client(token(REMEDIATOR, cluster=limited.cluster_name))


def template(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


REFUSED: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "image": ("PATCH", aws_node.DAEMON_SET, template(containers=[{"name": "aws-node", "image": "evil.example/root:1"}])),
    "host process namespace": ("PATCH", aws_node.DAEMON_SET, template(hostPID=True)),
    "another ServiceAccount": ("PATCH", aws_node.DAEMON_SET, template(serviceAccountName="clusterrole-aggregation-controller")),
    "root of the node": ("PATCH", f"{DEPLOYMENTS}/reader", template(volumes=[{"name": "root", "hostPath": {"path": "/"}}])),
    "another annotation of the template": (
        "PATCH",
        aws_node.DAEMON_SET,
        {"spec": {"template": {"metadata": {"annotations": {"x": "y"}}}}},
    ),
    "a label of the template": ("PATCH", f"{DEPLOYMENTS}/reader", {"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}}),
    "maxUnavailable": ("PATCH", aws_node.DAEMON_SET, {"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}}),
    "no replicas": ("PATCH", f"{DEPLOYMENTS}/reader", {"spec": {"replicas": 0}}),
    "the scale of a workload": ("PATCH", f"{DEPLOYMENTS}/reader/scale", {"spec": {"replicas": 0}}),
    "a paused workload": ("PATCH", f"{DEPLOYMENTS}/reader", {"spec": {"paused": True}}),
    "no replicas of a StatefulSet": ("PATCH", f"{STATEFUL_SETS}/store", {"spec": {"replicas": 0}}),
    "an owner": ("PATCH", f"{DEPLOYMENTS}/reader", {"metadata": {"finalizers": ["example.com/hold"]}}),
    "a workload that is not bound": (
        "PATCH",
        f"{DEPLOYMENTS}/other",
        {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT_ANNOTATION: "2026-01-01T00:00:00Z"}}}}},
    ),
    "the deletion of a workload": ("DELETE", aws_node.DAEMON_SET, None),
    "a workload of its own": ("POST", DEPLOYMENTS, workload("mine")),
    "a role of another account": ("PATCH", aws_node.SERVICE_ACCOUNT, {"metadata": {"annotations": {aws_node.ROLE_KEY: EVIL}}}),
    "a role of another ServiceAccount": (
        "PATCH",
        f"{ACCOUNTS}/reader",
        {"metadata": {"annotations": {aws_node.ROLE_KEY: aws_node.ROLE}}},
    ),
    "a role of the same path that another ServiceAccount is bound to": (
        "PATCH",
        f"{ACCOUNTS}/reader",
        {"metadata": {"annotations": {aws_node.ROLE_KEY: STORE_ROLE}}},
    ),
    "a role that only begins as allowed": (
        "PATCH",
        f"{ACCOUNTS}/reader",
        {"metadata": {"annotations": {aws_node.ROLE_KEY: f"{READER_ROLE}-admin"}}},
    ),
    "the name of the role in another path": (
        "PATCH",
        f"{ACCOUNTS}/reader",
        {"metadata": {"annotations": {aws_node.ROLE_KEY: "arn:aws:iam::111122223333:role/reader"}}},
    ),
    "the bound role of another partition": (
        "PATCH",
        f"{ACCOUNTS}/reader",
        {"metadata": {"annotations": {aws_node.ROLE_KEY: READER_ROLE.replace("arn:aws:", "arn:aws-cn:")}}},
    ),
    "another annotation of a ServiceAccount": ("PATCH", aws_node.SERVICE_ACCOUNT, {"metadata": {"annotations": {"x": "y"}}}),
    "a label of a ServiceAccount": ("PATCH", aws_node.SERVICE_ACCOUNT, {"metadata": {"labels": {"x": "y"}}}),
    "pull secrets of a ServiceAccount": ("PATCH", f"{ACCOUNTS}/reader", {"imagePullSecrets": [{"name": "x"}]}),
    "a ServiceAccount that is not bound": (
        "PATCH",
        f"{ACCOUNTS}/other",
        {"metadata": {"annotations": {aws_node.ROLE_KEY: "arn:aws:iam::111122223333:role/apps/a"}}},
    ),
    "a token": ("POST", f"{ACCOUNTS}/reader/token", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}),
    "a ServiceAccount of its own": ("POST", ACCOUNTS, {"metadata": {"name": "mine"}}),
    "a pod of an unbound ServiceAccount": ("DELETE", f"{APP_PODS}/other-0", None),
    "all pods of a namespace": ("DELETE", APP_PODS, None),
    "a label of a pod": ("PATCH", f"{APP_PODS}/reader-0", {"metadata": {"labels": {"x": "y"}}}),
    "an eviction": (
        "POST",
        f"{APP_PODS}/other-0/eviction",
        {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "other-0"}},
    ),
    "a secret": ("POST", "/api/v1/namespaces/apps/secrets", {"metadata": {"name": "mine"}}),
    "a role binding": (
        "POST",
        ADMIN_BINDINGS,
        {
            "metadata": {"name": "mine"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "mallory"}],
        },
    ),
    "a node": ("PATCH", "/api/v1/nodes/nowhere", {"metadata": {"labels": {"x": "y"}}}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_group_of_the_remediator_may_not_write(case: str, thief: ApiClient) -> None:
    method, path, body = REFUSED[case]
    headers = MERGE if method == "PATCH" else None
    answer = thief.ask(method, path, body, headers=headers)
    assert answer.status in ({403, 404} if case == "a node" else {403}), answer.body


def test_the_policy_names_itself_in_its_refusal(thief: ApiClient) -> None:
    answer = thief.ask("PATCH", aws_node.DAEMON_SET, template(hostPID=True), headers=MERGE)
    assert "eks-irsa-remediator: the pod spec may not change" in answer.body["message"]


def test_the_checkers_group_writes_nothing(limited: ControlPlane) -> None:
    checker = limited.client(token(CHECKER, cluster=limited.cluster_name))
    body = {"metadata": {"annotations": {aws_node.ROLE_KEY: aws_node.ROLE}}}
    assert checker.ask("PATCH", aws_node.SERVICE_ACCOUNT, body, headers=MERGE).status == 403
    assert checker.ask("DELETE", f"{APP_PODS}/reader-0").status == 403


def test_both_groups_may_create_a_self_subject_access_review(limited: ControlPlane) -> None:
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "serviceaccounts", "namespace": "kube-system"}}}
    for identity in (CHECKER, REMEDIATOR):
        client = limited.client(token(identity, cluster=limited.cluster_name))
        assert client.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review).status == 201


@pytest.fixture
def product(limited: ControlPlane) -> Cluster:
    return log_in(limited, REMEDIATOR)


def resource_version(product: Cluster, namespace: str, name: str) -> str:
    found = product.service_account(namespace, name)
    assert isinstance(found, ServiceAccountFacts)
    return found.resource_version


def test_the_product_makes_each_of_its_writes(product: Cluster, limited: ControlPlane) -> None:
    admin = limited.client()
    product.apply_annotation("kube-system", "aws-node", aws_node.ROLE, resource_version(product, "kube-system", "aws-node"))
    product.restore_annotation("kube-system", "aws-node", None, resource_version(product, "kube-system", "aws-node"))
    product.apply_annotation("apps", "reader", READER_ROLE, resource_version(product, "apps", "reader"))
    product.restart("kube-system", WorkloadKind.DAEMON_SET, "aws-node", "2026-01-02T03:04:05.000001Z")
    product.restart("kube-system", WorkloadKind.DAEMON_SET, "aws-node", "2026-01-02T03:04:05.000002Z")
    product.restart("apps", WorkloadKind.DEPLOYMENT, "reader", "2026-01-02T03:04:05Z")
    product.restart("apps", WorkloadKind.STATEFUL_SET, "store", "2026-01-02T03:04:05Z")
    uid = admin.get(f"{APP_PODS}/reader-1")["metadata"]["uid"]
    assert product.delete_pod("apps", "reader-1", uid)


def test_people_are_not_limited(limited: ControlPlane) -> None:
    admin = limited.client()
    assert admin.ask("PATCH", f"{ACCOUNTS}/other", {"metadata": {"labels": {"x": "y"}}}, headers=MERGE).status == 200


def test_the_policies_have_no_type_errors(limited: ControlPlane) -> None:
    admin = limited.client()

    def statuses() -> list[dict[str, Any]]:
        return [policy.get("status", {}) for policy in admin.get(admission.POLICIES_PATH)["items"]]

    checked = eventually(statuses, lambda found: all("observedGeneration" in status for status in found))
    assert len(checked) == len(admission.policy_names(WorkloadKind))
    assert not [warning for status in checked for warning in status.get("typeChecking", {}).get("expressionWarnings", ())]
