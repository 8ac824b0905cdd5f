"""The subscription filter passes every line with a finding, and few others."""

from typing import Any

import pytest

from lambdas.contract.audit import FILTER_PATTERN, STREAM_PREFIX, cluster_of, log_group
from lambdas.domain.audit import findings
from lambdas.domain.audit.identity import watched
from tests.unit.node_watcher.audit_records import (
    LOG_STREAM,
    NODE,
    created_pod,
    kubelet_patch,
    record,
    registration,
    service_account_write,
    silent_node,
)
from tests.unit.node_watcher.log_filter import compiled

RELEVANT: dict[str, dict[str, Any]] = {
    **{f"kubelet waits for the CNI, condition {item}": kubelet_patch(at_index=item) for item in range(6)},
    "kubelet not ready otherwise": kubelet_patch(message="PLEG is not healthy"),
    "node silent": silent_node(),
    "node registered": registration(),
    **{f"{item} of the ServiceAccount": service_account_write(item) for item in ("create", "update", "patch", "delete")},
    "all ServiceAccounts deleted": service_account_write("deletecollection", ""),
    "DaemonSet patched": record("patch", "daemonsets", "aws-node", namespace="kube-system"),
    "pod created without the webhook": created_pod("aws-node-x7k2p", "iam-for-pods.example.com"),
    "Deployment updated": record("update", "deployments", "ebs-csi-controller", namespace="kube-system"),
}
IRRELEVANT: dict[str, dict[str, Any]] = {
    "heartbeat of a Ready node": kubelet_patch(ready="True", message="kubelet is posting ready status"),
    "token of the ServiceAccount": service_account_write("create", subresource="token"),
    "ServiceAccount read": service_account_write("get"),
    "ServiceAccounts watched": service_account_write("watch", ""),
    "DaemonSet status": record("update", "daemonsets", "aws-node", namespace="kube-system", subresource="status"),
    "pod created": record("create", "pods", "web", namespace="shop"),
    "lease renewed": record("update", "leases", NODE, namespace="kube-node-lease"),
    "pod of another namespace": created_pod("web-1", "iam-for-pods.example.com", account="web", namespace="shop"),
    "node patched": record("patch", "nodes", NODE),
    "config map written": record("update", "configmaps", "aws-auth", namespace="kube-system"),
}
WIDER = {
    "another ServiceAccount": service_account_write("create", "default"),
    "pod created with every webhook": created_pod(),
    "pod of another ServiceAccount": created_pod("coredns-1", "iam-for-pods.example.com", account="coredns"),
    "another Deployment": record("patch", "deployments", "web", namespace="shop"),
}
PASSES = compiled(FILTER_PATTERN)


def _found(line: dict[str, Any]) -> bool:
    found = findings([line], watching=watched([]), our_roles=())
    return bool(found.nodes or found.identities)


def test_the_pattern_fits_the_api() -> None:
    assert len(FILTER_PATTERN) <= 1_024
    assert "%" not in FILTER_PATTERN  # a log group allows five patterns with a regular expression, and its owner may need them


@pytest.mark.parametrize("name", RELEVANT)
def test_a_line_with_a_finding_passes(name: str) -> None:
    assert _found(RELEVANT[name])
    assert PASSES(RELEVANT[name])


@pytest.mark.parametrize("others", range(1, 12))
def test_a_silent_node_passes_after_any_number_of_conditions_of_other_programs(others: int) -> None:
    line = silent_node()
    first = [{"type": f"Other{item}", "status": "False", "reason": "NoProblem"} for item in range(others)]
    line["requestObject"]["status"]["conditions"] = first + line["requestObject"]["status"]["conditions"]
    assert _found(line)
    assert PASSES(line)


@pytest.mark.parametrize("name", IRRELEVANT)
def test_other_lines_do_not_pass(name: str) -> None:
    assert not _found(IRRELEVANT[name])
    assert not PASSES(IRRELEVANT[name])


@pytest.mark.parametrize("name", WIDER)
def test_lines_of_unwatched_identities_pass_without_a_finding(name: str) -> None:
    assert PASSES(WIDER[name])
    assert not _found(WIDER[name])


@pytest.mark.parametrize("pattern", ["", "{ }", "{ $.a = }", '{ $.a = "b" ', '{ ($.a = "b" }', '{ $.a = "b" } x', '{ "a" = "b" }'])
def test_an_invalid_pattern_raises(pattern: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        compiled(pattern)


def test_log_groups_name_their_clusters() -> None:
    assert cluster_of(log_group("prod-blue")) == "prod-blue"
    assert [cluster_of(item) for item in ("/aws/eks//cluster", "/aws/eks/a/b/cluster", "/aws/lambda/x", "prod-blue", "")] == [None] * 5
    assert LOG_STREAM.startswith(STREAM_PREFIX)
