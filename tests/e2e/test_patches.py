"""What our two patches do to real objects, and what they leave alone."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.control_plane.cluster import ControlPlane
from sandbox.control_plane.http_client import MERGE_PATCH, ApiClient
from tests.e2e import aws_node

MANAGER = "test-remediator"


@pytest.fixture
def account(admin: ApiClient) -> Iterator[dict[str, Any]]:
    """The ServiceAccount as its add-on's server-side apply left it, with an annotation that somebody else added."""
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    document = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "aws-node", "labels": labels}}
    admin.apply(aws_node.SERVICE_ACCOUNT, document, manager="eks")
    yield admin.merge(aws_node.SERVICE_ACCOUNT, {"metadata": {"annotations": {"team": "network"}}}, fieldManager="kubectl-annotate")
    admin.delete(aws_node.SERVICE_ACCOUNT)


def _annotate(client: ApiClient, value: str | None, version: str | None = None) -> tuple[int, dict[str, Any]]:
    metadata: dict[str, Any] = {"annotations": {aws_node.ROLE_KEY: value}} | ({"resourceVersion": version} if version else {})
    query = {"fieldManager": MANAGER}
    answer = client.ask("PATCH", aws_node.SERVICE_ACCOUNT, {"metadata": metadata}, query=query, headers={"Content-Type": MERGE_PATCH})
    return answer.status, answer.body


def test_only_our_key_changes(admin: ApiClient, account: dict[str, Any]) -> None:
    status, after = _annotate(admin, aws_node.ROLE, account["metadata"]["resourceVersion"])
    assert status == 200
    assert after["metadata"]["annotations"] == {"team": "network", aws_node.ROLE_KEY: aws_node.ROLE}
    changing = {"annotations", "resourceVersion", "managedFields"}
    assert {k: v for k, v in after["metadata"].items() if k not in changing} == {
        k: v for k, v in account["metadata"].items() if k not in changing
    }


def test_managed_fields_name_us_for_our_key_and_the_others_for_theirs(admin: ApiClient, account: dict[str, Any]) -> None:
    _, after = _annotate(admin, aws_node.ROLE)
    owners = {entry["manager"]: entry for entry in after["metadata"]["managedFields"]}
    assert owners[MANAGER]["operation"] == "Update"
    assert owners[MANAGER]["fieldsV1"] == {"f:metadata": {"f:annotations": {f"f:{aws_node.ROLE_KEY}": {}}}}
    for other in ("eks", "kubectl-annotate"):
        assert owners[other] == next(it for it in account["metadata"]["managedFields"] if it["manager"] == other)


def test_a_concurrent_writer_gives_a_conflict_and_a_fresh_look_goes_through(admin: ApiClient, account: dict[str, Any]) -> None:
    admin.merge(aws_node.SERVICE_ACCOUNT, {"metadata": {"labels": {"changed": "meanwhile"}}})
    status, refusal = _annotate(admin, aws_node.ROLE, account["metadata"]["resourceVersion"])
    assert (status, refusal["reason"]) == (409, "Conflict")
    fresh = admin.get(aws_node.SERVICE_ACCOUNT)
    assert aws_node.ROLE_KEY not in fresh["metadata"]["annotations"]
    assert _annotate(admin, aws_node.ROLE, fresh["metadata"]["resourceVersion"])[0] == 200


def test_null_takes_our_key_away_and_nothing_else(admin: ApiClient, account: dict[str, Any]) -> None:
    _annotate(admin, aws_node.ROLE)
    _, after = _annotate(admin, None)
    assert after["metadata"]["annotations"] == account["metadata"]["annotations"]


def test_the_same_value_again_changes_nothing(admin: ApiClient, account: dict[str, Any]) -> None:
    _, once = _annotate(admin, aws_node.ROLE)
    _, twice = _annotate(admin, aws_node.ROLE)
    assert twice["metadata"]["resourceVersion"] == once["metadata"]["resourceVersion"]


def test_an_apply_owner_is_told_of_a_conflict_over_our_value_and_keeps_its_other_fields(admin: ApiClient, account: dict[str, Any]) -> None:
    _annotate(admin, aws_node.ROLE)
    wanted = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": "aws-node",
            "labels": account["metadata"]["labels"],
            "annotations": {aws_node.ROLE_KEY: "arn:aws:iam::1:role/old"},
        },
    }
    applying = {"query": {"fieldManager": "eks"}, "headers": {"Content-Type": "application/apply-patch+yaml"}}
    answer = admin.ask("PATCH", aws_node.SERVICE_ACCOUNT, wanted, **applying)
    assert answer.status == 409
    assert MANAGER in answer.body["message"]
    assert admin.get(aws_node.SERVICE_ACCOUNT)["metadata"]["labels"] == account["metadata"]["labels"]


def test_our_restart_is_kubectls_restart(admin: ApiClient, control_plane: ControlPlane, tmp_path: Path) -> None:
    """Two DaemonSets, one stamped by kubectl, one by us: equal but for the moment and the name."""
    for name in ("by-kubectl", "by-us"):
        admin.create(aws_node.DAEMON_SETS, aws_node.daemon_set(name))
    kubectl = [control_plane.binaries.path("kubectl"), f"--kubeconfig={control_plane.kubeconfig(tmp_path / 'config')}"]
    subprocess.run([*kubectl, "rollout", "restart", "daemonset/by-kubectl", "-n", "kube-system"], check=True, capture_output=True)
    theirs = admin.get(f"{aws_node.DAEMON_SETS}/by-kubectl")
    at = theirs["spec"]["template"]["metadata"]["annotations"][aws_node.RESTARTED_AT]
    stamp = {"spec": {"template": {"metadata": {"annotations": {aws_node.RESTARTED_AT: at}}}}}
    ours = admin.merge(f"{aws_node.DAEMON_SETS}/by-us", stamp, fieldManager=MANAGER)
    try:
        assert _nameless(ours, "by-us") == _nameless(theirs, "by-kubectl")
        assert ours["metadata"]["generation"] == theirs["metadata"]["generation"] == 2
    finally:
        for name in ("by-kubectl", "by-us"):
            admin.delete(f"{aws_node.DAEMON_SETS}/{name}")


def _nameless(daemon: dict[str, Any], name: str) -> str:
    """What a person wrote of the object, with its name blotted out."""
    return str(
        {"annotations": daemon["metadata"].get("annotations"), "labels": daemon["metadata"]["labels"], "spec": daemon["spec"]}
    ).replace(name, "NAME")
