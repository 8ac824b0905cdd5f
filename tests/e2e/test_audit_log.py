"""Audit records of a real API server with the audit policy of EKS, through the filter and the node watcher."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from lambdas.contract.audit import FAILED_OPEN, FILTER_PATTERN, NODE_UNKNOWN
from lambdas.contract.names import FIELD_MANAGER
from lambdas.domain.audit import Findings, NodeCause, findings
from lambdas.domain.audit.identity import watched
from lambdas.domain.audit.prefilter import prefilter
from lambdas.node_watcher.log_batch import open_batch
from sandbox.control_plane import commands
from sandbox.control_plane.api_client import MERGE_PATCH
from sandbox.control_plane.binaries import Binaries
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e import aws_node
from tests.e2e.identities import REMEDIATOR, sts
from tests.e2e.product import ACCESS_ENTRIES, log_in, logged_in
from tests.unit.node_watcher.audit_records import WAITS_FOR_CNI, payload
from tests.unit.node_watcher.log_filter import compiled
from tests.waiting import eventually

POLICY = Path(__file__).parent / "eks-audit-policy.yaml"
ACCOUNTS = "/api/v1/namespaces/kube-system/serviceaccounts"
ROLE = "arn:aws:iam::111122223333:role/demo-vpc-cni"
LINUX = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1", "labels": LINUX}}

UNREACHABLE_WEBHOOK = {
    "metadata": {"name": "pod-identity-webhook"},
    "webhooks": [
        {
            "name": "pods.identity.example.com",
            "clientConfig": {"url": "https://127.0.0.1:1/mutate"},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Ignore",
            "timeoutSeconds": 1,
        }
    ],
}


@pytest.fixture(scope="module")
def audited(binaries: Binaries) -> Iterator[ControlPlane]:
    """A control plane of its own, since the audit policy is another one."""
    with pytest.MonkeyPatch.context() as patched:
        original = commands.api_server
        patched.setattr(commands, "api_server", lambda *args: [_with_policy(flag) for flag in original(*args)])
        patched.setattr(commands, "KUBELETS_LEASE_S", 5)  # the node controller waits ten seconds longer than a lease
        with ControlPlane(binaries, sts=sts) as running:
            running.allow(ACCESS_ENTRIES)
            yield running


def _with_policy(flag: str) -> str:
    return f"--audit-policy-file={POLICY}" if flag.startswith("--audit-policy-file=") else flag


def _is_webhook_called(control_plane: ControlPlane) -> bool:
    """Whether the API server calls a new webhook already, shown by a pod of another namespace that is not kept."""
    pod = {"metadata": {"generateName": "probe-"}, "spec": {"containers": [{"name": "probe", "image": "probe"}]}}
    control_plane.client().ask("POST", "/api/v1/namespaces/default/pods", pod, query={"dryRun": "All"})
    return FAILED_OPEN in control_plane.audit_log.read_text()


def _act(control_plane: ControlPlane) -> None:
    """What people, kubelets and we do to a cluster, some of it without effect."""
    admin = control_plane.client()
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "aws-node"}}
    admin.create(ACCOUNTS, account)
    admin.merge(f"{ACCOUNTS}/aws-node", {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": ROLE}}}, dryRun="All")
    admin.ask("POST", ACCOUNTS, account)  # exists already: 409
    admin.create("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", UNREACHABLE_WEBHOOK)
    eventually(lambda: _is_webhook_called(control_plane))
    admin.create(aws_node.DAEMON_SETS, aws_node.daemon_set())
    template = {"spec": {"template": {"metadata": {"annotations": {"example.com/revision": "2"}}}}}
    headers = {"Content-Type": MERGE_PATCH, "User-Agent": "Helm/3.19.0"}
    admin.do("PATCH", f"{aws_node.DAEMON_SETS}/aws-node", template, headers=headers)
    admin.create("/api/v1/nodes", NODE)
    ready = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": WAITS_FOR_CNI}
    admin.merge("/api/v1/nodes/node-1/status", {"status": {"conditions": [ready]}})
    rules = [{"apiGroups": [""], "resources": ["serviceaccounts", "nodes"], "verbs": ["get", "list", "patch"]}]
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    admin.create(f"{rbac}/clusterroles", {"metadata": {"name": "repair"}, "rules": rules})
    subject = {"kind": "Group", "name": "eks-irsa-remediator:remediator", "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"kind": "ClusterRole", "name": "repair", "apiGroup": "rbac.authorization.k8s.io"}
    admin.create(f"{rbac}/clusterrolebindings", {"metadata": {"name": "repair"}, "roleRef": reference, "subjects": [subject]})
    port = log_in(control_plane, REMEDIATOR)
    eventually(lambda: logged_in(port))
    seen = admin.get(f"{ACCOUNTS}/aws-node")
    port.apply_annotation("kube-system", "aws-node", ROLE, seen["metadata"]["resourceVersion"])
    control_plane.silence_kubelets()


def _fallen_silent(line: dict[str, Any]) -> bool:
    conditions = (line.get("requestObject") or {}).get("status", {}).get("conditions") or []
    return any(condition.get("reason") == NODE_UNKNOWN for condition in conditions)


@pytest.fixture(scope="module")
def lines(audited: ControlPlane) -> list[dict[str, Any]]:
    """The whole audit log, from the start of the control plane to our own repair."""
    _act(audited)

    def logged() -> list[dict[str, Any]]:
        return [json.loads(line) for line in audited.audit_log.read_text().splitlines()]

    return eventually(logged, lambda seen: any(map(_fallen_silent, seen)), within_s=60)


def _watched(lines: list[dict[str, Any]], our_roles: tuple[str, ...]) -> Findings:
    watching = watched([])
    batch = open_batch(payload(lines), orjson.loads)
    return findings(batch.records(prefilter(watching), orjson.loads), watching=watching, our_roles=our_roles)


def _written(lines: list[dict[str, Any]], resource: str, verb: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["verb"] == verb and line.get("objectRef", {}).get("resource") == resource]


def test_the_audit_log_contains_joined_waiting_and_lost_nodes(lines: list[dict[str, Any]]) -> None:
    found = _watched(lines, (REMEDIATOR.role_arn,))
    signs = (NodeCause.NETWORK, NodeCause.SILENT, NodeCause.REGISTERED)
    assert {node.cause: node.nodes for node in found.nodes} == dict.fromkeys(signs, ("node-1",))


def test_only_successful_writes_of_other_users_are_reported(lines: list[dict[str, Any]]) -> None:
    (changed,) = _watched(lines, (REMEDIATOR.role_arn,)).identities
    assert (changed.watched.service_account, changed.changes) == ("aws-node", 3)


@pytest.mark.parametrize(
    ("resource", "verb", "what", "agent"),
    [
        ("serviceaccounts", "create", "create of ServiceAccount kube-system/aws-node, which left it without a role", ""),
        ("daemonsets", "create", "create of DaemonSet kube-system/aws-node", ""),
        ("daemonsets", "patch", "patch of DaemonSet kube-system/aws-node", "Helm/3.19.0"),
    ],
)
def test_the_audit_log_shows_user_agent_and_address_of_a_write(
    lines: list[dict[str, Any]], resource: str, verb: str, what: str, agent: str
) -> None:
    (changed,) = _watched(_written(lines, resource, verb), (REMEDIATOR.role_arn,)).identities
    assert (changed.actor.who, changed.actor.what) == ("control-plane", what)
    assert (changed.actor.agent, changed.actor.address) == (agent, "127.0.0.1")


def test_a_pod_that_a_webhook_failed_open_for_is_reported_with_the_webhook(lines: list[dict[str, Any]]) -> None:
    (changed,) = _watched(_written(lines, "pods", "create"), (REMEDIATOR.role_arn,)).identities
    assert changed.watched.service_account == "aws-node"
    assert changed.actor.who == "control-plane"  # this controller manager has one identity for all its controllers
    assert changed.actor.what.startswith("create of aws-node-")
    assert changed.actor.what.endswith("for which webhook pods.identity.example.com failed open")


def test_the_role_counts_as_another_user_for_a_foreign_deployment(lines: list[dict[str, Any]]) -> None:
    (changed,) = _watched(_written(lines, "serviceaccounts", "patch"), ("arn:aws:iam::111122223333:role/another",)).identities
    assert (changed.actor.who, changed.actor.agent) == (REMEDIATOR.arn, FIELD_MANAGER)
    assert changed.actor.what == "patch of ServiceAccount kube-system/aws-node"


def test_the_filter_passes_every_record_that_the_watcher_reports(lines: list[dict[str, Any]]) -> None:
    passes = compiled(FILTER_PATTERN)
    passed = [line for line in lines if passes(line)]
    assert _watched(passed, ()) == _watched(lines, ())
    assert len(passed) < len(lines) / 2
