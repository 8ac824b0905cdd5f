"""The generated RBAC on a real API server: it grants everything that is needed and nothing else."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from lambdas.adapters.cluster import Cluster
from lambdas.contract import access, admission, guard
from lambdas.contract.environment import Function
from lambdas.contract.guard import PolicyKind
from lambdas.contract.parameters import binding_path
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.snapshot.snapshot import Missing
from sandbox.control_plane.api_client import MERGE_PATCH, ApiClient
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e import aws_node, rbac
from tests.e2e.identities import CHECKER, REMEDIATOR, Session, token
from tests.e2e.product import ACCESS_ENTRIES, log_in
from tests.waiting import eventually

SESSIONS = {Function.CHECKER: CHECKER, Function.REMEDIATOR: REMEDIATOR}
READER = access.BoundWorkload("apps", "reader", WorkloadKind.DEPLOYMENT, "reader")
MANIFESTS = access.manifests([access.BoundWorkload("kube-system", "aws-node", WorkloadKind.DAEMON_SET, "aws-node"), READER])
POLICIES = [
    manifest
    for namespace, name in (("kube-system", "aws-node"), ("apps", "reader"))
    for kind in PolicyKind
    for manifest in guard.manifests(kind, namespace, name, aws_node.ROLE, binding_path("demo", namespace, name))
]
ROLES = [manifest for manifest in MANIFESTS if "rules" in manifest]
DEPLOYMENT = {
    "metadata": {"name": "reader"},
    "spec": {
        "selector": {"matchLabels": {"app": "reader"}},
        "template": {
            "metadata": {"labels": {"app": "reader"}},
            "spec": {"serviceAccountName": "reader", "containers": [{"name": "reader", "image": "reader:1"}]},
        },
    },
}


@pytest.fixture(scope="module")
def world(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """A node, aws-node and a Deployment with a bound ServiceAccount, and our access to them."""
    admin = control_plane.client()
    control_plane.allow(ACCESS_ENTRIES)
    admin.create("/api/v1/namespaces", {"metadata": {"name": "apps"}})
    admin.create("/api/v1/namespaces/apps/serviceaccounts", {"metadata": {"name": "reader"}})
    admin.create("/apis/apps/v1/namespaces/apps/deployments", DEPLOYMENT)
    admin.create(aws_node.SERVICE_ACCOUNTS, aws_node.service_account())
    admin.create(aws_node.DAEMON_SETS, aws_node.daemon_set())
    aws_node.add_nodes(admin, ["only-node"])
    rbac.put(admin, MANIFESTS)
    for manifest in POLICIES:
        admin.apply(admission.path_of(manifest), manifest, manager="administrator")
    eventually(lambda: aws_node.pods(admin), lambda pods: len(pods) == 1)
    eventually(lambda: admin.get("/apis/apps/v1/namespaces/apps/replicasets")["items"], lambda found: len(found) == 1)
    yield control_plane
    for manifest in reversed(POLICIES):
        admin.delete(admission.path_of(manifest))
    rbac.remove(admin, MANIFESTS)
    for path in (aws_node.DAEMON_SET, aws_node.SERVICE_ACCOUNT, "/api/v1/namespaces/apps"):
        admin.delete(path)
    aws_node.forget_pods(admin)
    aws_node.remove_nodes(admin)


Call = Callable[[Cluster], object]
_moments = itertools.count()


def _version(port: Cluster, namespace: str, name: str) -> str:
    found = port.service_account(namespace, name)
    assert not isinstance(found, Missing)
    return found.resource_version


def _calls(function: Function, admin: ApiClient) -> Iterator[Call]:
    """Everything the function asks of a cluster through its adapter."""
    for namespace, kind, name in (("kube-system", WorkloadKind.DAEMON_SET, "aws-node"), ("apps", WorkloadKind.DEPLOYMENT, "reader")):
        yield lambda port, namespace=namespace, name=name: port.service_account(namespace, name)  # type: ignore[misc]
        yield lambda port, namespace=namespace, kind=kind, name=name: port.workload(namespace, kind, name)  # type: ignore[misc]
        yield lambda port, namespace=namespace, name=name: port.pods(namespace, name)  # type: ignore[misc]
        yield lambda port, namespace=namespace: port.plugin_errors(namespace)  # type: ignore[misc]
        yield lambda port, namespace=namespace, name=name: port.guards(namespace, name)  # type: ignore[misc]
        if function is Function.REMEDIATOR:
            yield lambda port, namespace=namespace, name=name: port.apply_annotation(  # type: ignore[misc]
                namespace, name, f"{aws_node.ROLE}-{next(_moments)}", _version(port, namespace, name)
            )
            yield lambda port, namespace=namespace, kind=kind, name=name: port.restart(namespace, kind, name, "2026-01-02T03:04:05Z")  # type: ignore[misc]
            yield lambda port, namespace=namespace: port.delete_pod(namespace, "no-such-pod", "no-such-uid")  # type: ignore[misc]
    yield lambda port: port.nodes()
    yield lambda port: port.compute_types()
    yield lambda port: port.agent_pods()
    if function is Function.REMEDIATOR:
        yield lambda port: port.has_identity_webhook()
    replica_set = admin.get("/apis/apps/v1/namespaces/apps/replicasets")["items"][0]["metadata"]["name"]
    yield lambda port: port.owner("apps", "ReplicaSet", replica_set)


def _refusals(world: ControlPlane, function: Function) -> list[str]:
    """The calls of the function that are denied."""
    port = log_in(world, SESSIONS[function])
    return [words for call in _calls(function, world.client()) if (words := _refusal(call, port))]


def _refusal(call: Call, port: Cluster) -> str | None:
    try:
        call(port)
    except AccessDenied as denied:
        if denied.denial is not Denial.FORBIDDEN:
            raise
        return str(denied)
    return None


@pytest.mark.parametrize("function", SESSIONS, ids=str)
def test_every_call_of_a_function_is_granted(world: ControlPlane, function: Function) -> None:
    eventually(lambda: _refusals(world, function), lambda refused: not refused)


POORER = list(rbac.with_one_verb_less(ROLES))


@pytest.mark.parametrize(("verb", "role"), [(item.verb, item.role) for item in POORER], ids=[item.title for item in POORER])
def test_every_granted_verb_is_used(world: ControlPlane, verb: str, role: dict[str, object]) -> None:
    admin = world.client()
    (whole,) = [item for item in ROLES if rbac.path_of(item) == rbac.path_of(role)]
    function = next(session for session in SESSIONS if whole["metadata"]["name"].endswith(f"-{session}"))
    try:
        rbac.put(admin, [role])
        refused = eventually(lambda: _refusals(world, function), bool)
        assert any(f"cannot {verb} resource" in words for words in refused)
    finally:
        rbac.put(admin, [whole])


KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
FORBIDDEN: dict[str, tuple[str, str, object]] = {
    "read secrets": ("GET", f"{KUBE_SYSTEM}/secrets", None),
    "read config maps": ("GET", f"{KUBE_SYSTEM}/configmaps/aws-auth", None),
    "list ServiceAccounts": ("GET", f"{KUBE_SYSTEM}/serviceaccounts", None),
    "read another ServiceAccount": ("GET", f"{KUBE_SYSTEM}/serviceaccounts/default", None),
    "annotate another ServiceAccount": ("PATCH", f"{KUBE_SYSTEM}/serviceaccounts/default", {"metadata": {"annotations": {"a": "b"}}}),
    "annotate one of the same name elsewhere": ("PATCH", "/api/v1/namespaces/default/serviceaccounts/aws-node", {"metadata": {}}),
    "create a ServiceAccount": ("POST", f"{KUBE_SYSTEM}/serviceaccounts", {"metadata": {"name": "mine"}}),
    "take a ServiceAccount's token": ("POST", f"{KUBE_SYSTEM}/serviceaccounts/aws-node/token", {"spec": {}}),
    "delete the ServiceAccount": ("DELETE", aws_node.SERVICE_ACCOUNT, None),
    "read another DaemonSet": ("GET", f"{aws_node.DAEMON_SETS}/kube-proxy", None),
    "change another DaemonSet": ("PATCH", f"{aws_node.DAEMON_SETS}/kube-proxy", {"metadata": {}}),
    "create a DaemonSet": ("POST", aws_node.DAEMON_SETS, aws_node.daemon_set("mine")),
    "delete the DaemonSet": ("DELETE", aws_node.DAEMON_SET, None),
    "create a pod": ("POST", aws_node.PODS, {"metadata": {"name": "mine"}, "spec": {"containers": [{"name": "a", "image": "b"}]}}),
    "change a pod": ("PATCH", f"{aws_node.PODS}/some-pod", {"metadata": {}}),
    "run a command in a pod": ("POST", f"{aws_node.PODS}/some-pod/exec", None),
    "read a pod's log": ("GET", f"{aws_node.PODS}/some-pod/log", None),
    "delete all pods at once": ("DELETE", aws_node.PODS, None),
    "list pods elsewhere": ("GET", "/api/v1/namespaces/default/pods", None),
    "delete a pod elsewhere": ("DELETE", "/api/v1/namespaces/default/pods/some-pod", None),
    "list pods everywhere": ("GET", "/api/v1/pods", None),
    "read another webhook": ("GET", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/another", None),
    "change the webhook": ("PATCH", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/pod-identity-webhook", {}),
    "read another admission policy": ("GET", admission.collection_of("MutatingAdmissionPolicy") + "/another", None),
    "list admission policies": ("GET", admission.collection_of("ValidatingAdmissionPolicy"), None),
    "change the guard": ("PATCH", admission.path_of(POLICIES[0]), {}),
    "delete the guard": ("DELETE", admission.path_of(POLICIES[0]), None),
    "create a policy": ("POST", admission.collection_of("MutatingAdmissionPolicy"), POLICIES[0]),
    "change a node": ("PATCH", "/api/v1/nodes/only-node", {"spec": {"unschedulable": True}}),
    "delete a node": ("DELETE", "/api/v1/nodes/only-node", None),
    "create a node": ("POST", "/api/v1/nodes", {"metadata": {"name": "mine"}}),
    "give itself more": ("PATCH", f"{rbac.RBAC}/clusterroles/eks-irsa-remediator-remediator", {"metadata": {}}),
    "bind itself to cluster-admin": (
        "POST",
        f"{rbac.RBAC}/clusterrolebindings",
        {
            "metadata": {"name": "mine"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [],
        },
    ),
}
WRITES: dict[str, tuple[str, str, object]] = {
    "annotate the ServiceAccount": ("PATCH", aws_node.SERVICE_ACCOUNT, {"metadata": {"annotations": {aws_node.ROLE_KEY: aws_node.ROLE}}}),
    "restart the DaemonSet": ("PATCH", aws_node.DAEMON_SET, {"metadata": {}}),
    "delete a pod": ("DELETE", f"{aws_node.PODS}/some-pod", None),
}


def _asked(world: ControlPlane, session: Session, method: str, path: str, body: object) -> int:
    headers = {"Content-Type": MERGE_PATCH} if method == "PATCH" else {}
    client = world.client(token(session, cluster=world.cluster_name))
    return client.ask(method, path, body, query={"dryRun": "All"} if method != "GET" else None, headers=headers).status


@pytest.mark.parametrize("request_", FORBIDDEN.values(), ids=FORBIDDEN)
@pytest.mark.parametrize("session", SESSIONS.values(), ids=list(SESSIONS))
def test_a_function_has_no_other_permission(world: ControlPlane, session: Session, request_: tuple[str, str, object]) -> None:
    assert _asked(world, session, *request_) == 403


@pytest.mark.parametrize("request_", WRITES.values(), ids=WRITES)
def test_the_checker_may_not_write_and_the_remediator_may(world: ControlPlane, request_: tuple[str, str, object]) -> None:
    assert _asked(world, CHECKER, *request_) == 403
    assert _asked(world, REMEDIATOR, *request_) in (200, 404)


def test_impersonation_is_not_granted(world: ControlPlane) -> None:
    client = world.client(token(REMEDIATOR, cluster=world.cluster_name))
    assert client.ask("GET", "/api/v1/nodes", headers={"Impersonate-User": "control-plane"}).status == 403
