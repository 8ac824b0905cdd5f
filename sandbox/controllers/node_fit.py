"""Which nodes a pod may run on: node selector, node affinity, taints and tolerations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.cluster.selectors import matches_selector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.controllers.client import View

# The DaemonSet controller adds these tolerations to each pod.
# Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/daemon/util/daemonset_util.go
DAEMON_TOLERATIONS = (
    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/disk-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/pid-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"},
)


def fits(spec: Mapping[str, Any], node: View) -> bool:
    """Whether a pod with this spec may be scheduled to the node."""
    labels = node["metadata"].get("labels") or {}
    return (
        matches_selector({"matchLabels": spec.get("nodeSelector")}, labels)
        and _affine(spec, labels)
        and all(_tolerated(taint, spec.get("tolerations") or ()) for taint in (node.get("spec") or {}).get("taints") or ())
    )


def _affine(spec: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    if not affinity:
        return True
    return any(matches_selector({"matchExpressions": term.get("matchExpressions")}, labels) for term in affinity["nodeSelectorTerms"])


def _tolerated(taint: Mapping[str, Any], tolerations: Any) -> bool:
    if taint["effect"] == "PreferNoSchedule":
        return True
    return any(_tolerates(each, taint) for each in tolerations)


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    return toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", "")
