"""The effect of the adapter's patches and deletion on real objects."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdas.adapters.cluster import Cluster
from lambdas.contract import access
from lambdas.contract.names import FIELD_MANAGER
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import Conflict, NotFound
from sandbox.cluster.manifests import deployment
from sandbox.control_plane.api_client import ApiClient
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e import aws_node, rbac
from tests.e2e.product import ACCESS_ENTRIES, allowed
from tests.waiting import eventually

AWS_NODE = ("kube-system", "aws-node")
AT = "2026-01-02T03:04:05Z"


@pytest.fixture
def account(admin: ApiClient) -> Iterator[dict[str, Any]]:
    """The ServiceAccount after the server-side apply of its add-on, with an annotation of another manager."""
    admin.apply(aws_node.SERVICE_ACCOUNT, aws_node.service_account(), manager="eks")
    yield admin.merge(aws_node.SERVICE_ACCOUNT, {"metadata": {"annotations": {"team": "network"}}}, fieldManager="kubectl-annotate")
    admin.ask("DELETE", aws_node.SERVICE_ACCOUNT)


def _version(account: dict[str, Any]) -> str:
    version: str = account["metadata"]["resourceVersion"]
    return version


def test_an_annotation_changes_no_other_field(admin: ApiClient, account: dict[str, Any], remediator: Cluster) -> None:
    remediator.apply_annotation(*AWS_NODE, aws_node.ROLE, _version(account))
    after = admin.get(aws_node.SERVICE_ACCOUNT)
    assert after["metadata"]["annotations"] == {"team": "network", aws_node.ROLE_KEY: aws_node.ROLE}
    changing = {"annotations", "resourceVersion", "managedFields"}
    for kept in account["metadata"].keys() - changing:
        assert after["metadata"][kept] == account["metadata"][kept]
    assert after.keys() == account.keys()


def test_managed_fields_name_each_field_manager(admin: ApiClient, account: dict[str, Any], remediator: Cluster) -> None:
    remediator.apply_annotation(*AWS_NODE, aws_node.ROLE, _version(account))
    owners = {entry["manager"]: entry for entry in admin.get(aws_node.SERVICE_ACCOUNT)["metadata"]["managedFields"]}
    assert owners[FIELD_MANAGER]["operation"] == "Apply"
    assert owners[FIELD_MANAGER]["fieldsV1"] == {"f:metadata": {"f:annotations": {f"f:{aws_node.ROLE_KEY}": {}}}}
    for other in ("eks", "kubectl-annotate"):
        assert owners[other] == next(
            managedfield for managedfield in account["metadata"]["managedFields"] if managedfield["manager"] == other
        )


def test_a_concurrent_write_gives_a_conflict_and_a_new_read_succeeds(
    admin: ApiClient, account: dict[str, Any], remediator: Cluster
) -> None:
    admin.merge(aws_node.SERVICE_ACCOUNT, {"metadata": {"labels": {"changed": "meanwhile"}}})
    with pytest.raises(Conflict):
        remediator.apply_annotation(*AWS_NODE, aws_node.ROLE, _version(account))
    fresh = admin.get(aws_node.SERVICE_ACCOUNT)
    assert aws_node.ROLE_KEY not in fresh["metadata"]["annotations"]
    remediator.apply_annotation(*AWS_NODE, aws_node.ROLE, _version(fresh))
    assert admin.get(aws_node.SERVICE_ACCOUNT)["metadata"]["annotations"][aws_node.ROLE_KEY] == aws_node.ROLE


def test_a_recreated_service_account_is_not_patched(admin: ApiClient, account: dict[str, Any], remediator: Cluster) -> None:
    admin.delete(aws_node.SERVICE_ACCOUNT)
    with pytest.raises(NotFound):
        remediator.apply_annotation(*AWS_NODE, aws_node.ROLE, _version(account))
    admin.apply(aws_node.SERVICE_ACCOUNT, aws_node.service_account(), manager="eks")
    with pytest.raises(Conflict):
        remediator.apply_annotation(*AWS_NODE, aws_node.ROLE, _version(account))


def test_removing_the_annotation_keeps_the_other_fields(admin: ApiClient, account: dict[str, Any], remediator: Cluster) -> None:
    remediator.apply_annotation(*AWS_NODE, aws_node.ROLE, _version(account))
    remediator.restore_annotation(*AWS_NODE, None, _version(admin.get(aws_node.SERVICE_ACCOUNT)))
    assert admin.get(aws_node.SERVICE_ACCOUNT)["metadata"]["annotations"] == account["metadata"]["annotations"]


def test_the_fields_of_an_apply_owner_are_kept(admin: ApiClient, account: dict[str, Any], remediator: Cluster) -> None:
    """Its fields stay its own; it learns of ours when it wants another value, and may still take it by force."""
    remediator.apply_annotation(*AWS_NODE, aws_node.ROLE, _version(account))
    wanted = aws_node.service_account(role_arn="arn:aws:iam::111122223333:role/old")
    headers = {"Content-Type": "application/apply-patch+yaml"}
    polite = admin.ask("PATCH", aws_node.SERVICE_ACCOUNT, wanted, query={"fieldManager": "eks"}, headers=headers)
    assert polite.status == 409
    assert FIELD_MANAGER in polite.body["message"]
    forced = admin.apply(aws_node.SERVICE_ACCOUNT, wanted, manager="eks")
    assert forced["metadata"]["annotations"][aws_node.ROLE_KEY].endswith("/old")


@pytest.fixture
def kubectl(control_plane: ControlPlane, tmp_path: Path) -> Callable[..., None]:
    """Runs kubectl in kube-system as the administrator."""
    command = [control_plane.binaries.path("kubectl"), f"--kubeconfig={control_plane.kubeconfig(tmp_path / 'config')}", "-n", "kube-system"]

    def run(*arguments: str) -> None:
        subprocess.run([*command, *arguments], check=True, capture_output=True)

    return run


def test_the_annotation_equals_that_of_kubectl(admin: ApiClient, kubectl: Callable[..., None], remediator: Cluster) -> None:
    """One ServiceAccount annotated by kubectl, then made anew and annotated by us: equal but for uid, times and field ownership."""
    admin.apply(aws_node.SERVICE_ACCOUNT, aws_node.service_account(), manager="eks")
    kubectl("annotate", "serviceaccount/aws-node", f"{aws_node.ROLE_KEY}={aws_node.ROLE}")
    theirs = admin.get(aws_node.SERVICE_ACCOUNT)
    admin.delete(aws_node.SERVICE_ACCOUNT)
    before = admin.apply(aws_node.SERVICE_ACCOUNT, aws_node.service_account(), manager="eks")
    remediator.apply_annotation(*AWS_NODE, aws_node.ROLE, _version(before))
    ours = admin.get(aws_node.SERVICE_ACCOUNT)
    admin.delete(aws_node.SERVICE_ACCOUNT)
    assert {key: item for key, item in ours.items() if key != "metadata"} == {
        key: item for key, item in theirs.items() if key != "metadata"
    }
    assert _settled(ours["metadata"]) == _settled(theirs["metadata"])
    assert _fields(ours, FIELD_MANAGER) == [{"f:metadata": {"f:annotations": {f"f:{aws_node.ROLE_KEY}": {}}}}]


@pytest.mark.parametrize("force", [True, False])
def test_an_apply_of_the_add_on_manager_without_a_role_leaves_the_applied_annotation(
    admin: ApiClient, account: dict[str, Any], remediator: Cluster, force: bool
) -> None:
    remediator.apply_annotation(*AWS_NODE, aws_node.ROLE, _version(account))
    admin.apply(aws_node.SERVICE_ACCOUNT, aws_node.service_account(role_arn=aws_node.ROLE), manager="eks")
    query = {"fieldManager": "eks", "force": str(force).lower()}
    headers = {"Content-Type": "application/apply-patch+yaml"}
    left = admin.do("PATCH", aws_node.SERVICE_ACCOUNT, aws_node.service_account(), query=query, headers=headers)
    assert left["metadata"]["annotations"][aws_node.ROLE_KEY] == aws_node.ROLE


def test_a_missing_service_account_is_not_created(admin: ApiClient, account: dict[str, Any], remediator: Cluster) -> None:
    admin.delete(aws_node.SERVICE_ACCOUNT)
    with pytest.raises(NotFound):
        remediator.apply_annotation(*AWS_NODE, aws_node.ROLE, _version(account))
    assert admin.ask("GET", aws_node.SERVICE_ACCOUNT).status == 404


NAME = "restarted"
BOUND = [access.BoundWorkload("kube-system", NAME, kind, NAME) for kind in WorkloadKind]
APPS = "/apis/apps/v1/namespaces/kube-system"
WORKLOADS = {
    WorkloadKind.DAEMON_SET: (f"{APPS}/daemonsets", aws_node.daemon_set(NAME)),
    WorkloadKind.DEPLOYMENT: (f"{APPS}/deployments", deployment(NAME, account=NAME, replicas=2)),
}


@pytest.fixture
def granted(control_plane: ControlPlane) -> ControlPlane:
    """The cluster with access entries and RBAC, without admission policies: these tests write to workloads that are not bound."""
    control_plane.allow(ACCESS_ENTRIES)
    rbac.put(control_plane.client(), access.manifests())
    return control_plane


@pytest.mark.parametrize("kind", WORKLOADS, ids=str)
def test_the_restart_equals_that_of_kubectl(
    admin: ApiClient, kubectl: Callable[..., None], remediator: Cluster, kind: WorkloadKind
) -> None:
    """One workload stamped by kubectl, then made anew and stamped by us: equal, field by field, but for uid and times."""
    folder, manifest = WORKLOADS[kind]
    rbac.put(admin, access.manifests(BOUND))
    admin.create(folder, manifest)
    kubectl("rollout", "restart", f"{kind}/{NAME}".lower())
    theirs = admin.get(f"{folder}/{NAME}")
    admin.delete(f"{folder}/{NAME}")
    before = admin.create(folder, manifest)
    stamp = theirs["spec"]["template"]["metadata"]["annotations"][aws_node.RESTARTED_AT]
    eventually(lambda: allowed(lambda: remediator.restart("kube-system", kind, NAME, stamp)))
    ours = admin.get(f"{folder}/{NAME}")
    admin.delete(f"{folder}/{NAME}")
    assert ours["spec"] == theirs["spec"]
    assert _settled(ours["metadata"]) == _settled(theirs["metadata"])
    assert _fields(ours, FIELD_MANAGER) == _fields(theirs, "kubectl-rollout")
    assert _without_stamp(ours["spec"]) == before["spec"]


def _fields(of: dict[str, Any], manager: str) -> list[dict[str, Any]]:
    """The fields of an object that a manager owns."""
    return [managedfield["fieldsV1"] for managedfield in of["metadata"]["managedFields"] if managedfield["manager"] == manager]


def _settled(metadata: dict[str, Any]) -> dict[str, Any]:
    """The object without fields that differ by object, managed fields and the revision of the Deployment controller."""
    kept = {key: value for key, value in metadata.items() if key not in {"uid", "creationTimestamp", "resourceVersion", "managedFields"}}
    annotations = kept.pop("annotations", {})
    return kept | {"annotations": {key: item for key, item in annotations.items() if key != "deployment.kubernetes.io/revision"}}


def _without_stamp(spec: dict[str, Any]) -> dict[str, Any]:
    del spec["template"]["metadata"]["annotations"]
    return spec


def test_a_repeated_restart_changes_nothing(admin: ApiClient, remediator: Cluster) -> None:
    admin.create(aws_node.DAEMON_SETS, aws_node.daemon_set())
    generations = []
    for _ in range(2):
        remediator.restart("kube-system", WorkloadKind.DAEMON_SET, "aws-node", AT)
        generations.append(admin.get(aws_node.DAEMON_SET)["metadata"]["generation"])
    admin.delete(aws_node.DAEMON_SET)
    assert generations == [2, 2]


def test_only_the_pod_with_the_expected_uid_is_deleted(admin: ApiClient, remediator: Cluster) -> None:
    pod = {"metadata": {"name": "meant"}, "spec": {"containers": [{"name": "a", "image": "b"}]}}
    created = eventually(lambda: admin.ask("POST", aws_node.PODS, pod), lambda answer: answer.status == 201).body
    assert not remediator.delete_pod("kube-system", "meant", "somebody-else")
    assert admin.ask("GET", f"{aws_node.PODS}/meant").status == 200
    assert remediator.delete_pod("kube-system", "meant", created["metadata"]["uid"])
    assert not remediator.delete_pod("kube-system", "gone-long-ago", created["metadata"]["uid"])
    admin.ask("DELETE", f"{aws_node.PODS}/meant")
