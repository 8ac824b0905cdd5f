"""Faults of pods that no role explains: not created, with a role in the template, stuck, or not ready."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from lambdas.contract.names import CNI_ADDON
from lambdas.contract.settings import Severity
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, Remedy, broken, object_name, unknown
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.node_reachability import reachable_pods
from lambdas.domain.snapshot.snapshot import ControllerError, PodFacts, Snapshot, WorkloadFacts

STUCK_AFTER: Final = timedelta(minutes=5)
"""How long a pod is Pending, or Terminating after its grace period, before it counts as stuck. The value is a choice: image pulls and
preemption take less on most nodes.
"""
CREATION_ERRORS_COUNT_FOR: Final = timedelta(minutes=15)
"""How long a `FailedCreate` event counts. A DaemonSet controller retries with a back-off of at most 15 minutes.

Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/daemon/daemon_controller.go (BackoffGCInterval, failedPodsBackoff)
"""
MOST_EVIDENCE: Final = 3


def not_created(snapshot: Snapshot) -> Finding | None:
    """The controller wants more pods than exist: it reports why, or no pod exists although a roll-out would keep some.

    A DaemonSet creates a pod at once when one is gone, so that a node without its pod is a finding in a cluster of one node, too.
    Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/daemon/daemon_controller.go (podsShouldBeOnNode)
    """
    workload = snapshot.workload
    if not isinstance(workload, WorkloadFacts) or not isinstance(snapshot.pods, tuple) or len(snapshot.pods) >= workload.desired:
        return None
    if workload.service_account not in ("", snapshot.target.name):
        return None  # its pods run under another ServiceAccount
    errors = _recent_errors(snapshot)
    may_replace_all = workload.kind is not WorkloadKind.DAEMON_SET and workload.desired <= workload.max_unavailable
    if not errors and (snapshot.pods or may_replace_all):
        return None
    existing_pods, desired_pods = len(snapshot.pods), workload.desired
    reason = f": {errors[0].message[:200]}" if errors else ", and no event names the reason"
    return broken(
        Link.PODS,
        Verdict.PODS_NOT_CREATED,
        f"{workload.kind} {workload.name} wants {pluralize(desired_pods, 'pod')} and has {existing_pods}{reason}",
        *(Evidence(f"{workload.kind} {workload.name}", "FailedCreate", error.message[:300], error.at) for error in errors[:MOST_EVIDENCE]),
        remedies=(
            Remedy(
                "read why the controller creates no pod",
                f"kubectl -n {snapshot.target.namespace} describe {workload.kind.lower()} {object_name(workload.name)}",
            ),
        ),
    )


def no_pod(snapshot: Snapshot) -> Finding:
    """Pods were read, and there is none, which shows nothing about the role."""
    pods = Evidence(f"ServiceAccount {snapshot.target.namespace}/{snapshot.target.name}", "pods", "0")
    return replace(unknown(Link.PODS, "no pod exists"), evidence=(pods,))


def too_few(snapshot: Snapshot) -> Finding | None:
    """A DaemonSet has fewer pods than it wants, and no event says why: a pod is just being created, or a node stays without one."""
    workload, pods = snapshot.workload, snapshot.pods
    if not isinstance(workload, WorkloadFacts) or not isinstance(pods, tuple) or workload.kind is not WorkloadKind.DAEMON_SET:
        return None
    if len(pods) >= workload.desired:
        return None
    found = unknown(Link.PODS, f"{len(pods)} of {pluralize(workload.desired, 'pod')} that {workload.kind} {workload.name} wants exist")
    return replace(found, evidence=(Evidence(f"{workload.kind} {workload.name}", "pods", str(len(pods))),))


def _recent_errors(snapshot: Snapshot) -> tuple[ControllerError, ...]:
    if not isinstance(snapshot.controller_errors, tuple):
        return ()
    return tuple(error for error in snapshot.controller_errors if snapshot.began_at - error.at < CREATION_ERRORS_COUNT_FOR)


def role_in_template(snapshot: Snapshot, severity: Severity) -> Finding | None:
    """The pod template sets the role itself: another one, which new pods would have, too, or the right one without a token.

    The identity webhook keeps such a value, and sets no variable for the token file then.
    Source: https://github.com/aws/amazon-eks-pod-identity-webhook/blob/HEAD/pkg/handler/handler.go (reservedKeysDefined)
    """
    workload = snapshot.workload
    if not isinstance(workload, WorkloadFacts) or workload.template_role_arn is None:
        return None
    is_right = workload.template_role_arn == snapshot.desired_role
    if is_right and all(pod.has_token_file for pod in reachable_pods(snapshot)):
        return None
    subject = f"{workload.kind} {workload.name}"
    effect = "adds no token file then, so pods cannot use the role" if is_right else "keeps that value"
    return broken(
        Link.PODS,
        Verdict.ROLE_IN_POD_TEMPLATE,
        f"The pod template of {subject} sets AWS_ROLE_ARN to {workload.template_role_arn}, and the identity webhook {effect}.",
        Evidence(subject, "AWS_ROLE_ARN", workload.template_role_arn or ""),
        severity=severity,
        remedies=(
            Remedy(
                "remove the variable from the code that declares the workload, and from the workload",
                f"kubectl -n {snapshot.target.namespace} set env {workload.kind.lower()}/{object_name(workload.name)} AWS_ROLE_ARN-",
            ),
        ),
    )


def stuck(snapshot: Snapshot, severity: Severity) -> Finding | None:
    """Pods that stay Pending, or stay Terminating on a node that is Ready."""
    pods = snapshot.pods if isinstance(snapshot.pods, tuple) else ()
    now = snapshot.began_at
    ready = {node.name for node in snapshot.nodes if node.ready} if isinstance(snapshot.nodes, tuple) else set()
    pending = [(pod, "Pending", pod.created_at) for pod in _by_age(pods) if pod.phase == "Pending" and not pod.deleting]
    leaving = [(pod, "Terminating", pod.deleting_since) for pod in _by_age(pods) if pod.deleting_since and pod.node in ready]
    late = [(pod, word, since) for pod, word, since in (*pending, *leaving) if since and now - since >= STUCK_AFTER]
    if not late:
        return None
    first, word, since = late[0]
    besides = f"; {pluralize(len(late) - 1, 'other pod is', 'other pods are')} stuck, too" if len(late) > 1 else ""
    return broken(
        Link.PODS,
        Verdict.PODS_STUCK,
        f"{first.name} has been {word}{_on_node(first)} for {_minutes(now - since)}{besides}.",
        *(Evidence(f"Pod {pod.name}", word, f"{_on_node(pod).strip() or 'no node'}", at) for pod, word, at in late[:MOST_EVIDENCE]),
        severity=severity,
        remedies=(Remedy("read why the pod is stuck", f"kubectl -n {snapshot.target.namespace} describe pod {object_name(first.name)}"),),
    )


def _on_node(pod: PodFacts) -> str:
    if pod.node:
        return f" on node {pod.node}"
    return f" for node {pod.intended_node}" if pod.intended_node else ""


def _minutes(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return pluralize(minutes, "minute") if minutes < 120 else pluralize(minutes // 60, "hour")  # noqa: PLR2004  # two hours in minutes


def not_ready(snapshot: Snapshot, *, preconditions_known: bool) -> Finding | None:
    """Pods that do not become ready although no link explains it.

    Every pod of the CNI counts, since its node depends on it. Pods of other workloads count only if none is ready. Where the preconditions
    of the role were read, their containers must have run and failed: some programs exit where STS gives them no credentials.
    """
    pods = reachable_pods(snapshot)
    grace = timedelta(seconds=snapshot.settings.node_grace_s)
    late = _by_age(pod for pod in pods if not pod.ready and snapshot.began_at - pod.created_at >= grace)
    is_cni = snapshot.addon_name == CNI_ADDON
    have_failed = all(pod.has_run and (pod.waiting or pod.termination_message) for pod in late)
    if not late or (not is_cni and (len(late) < len(pods) or (preconditions_known and not have_failed))):
        return None
    return broken(
        Link.PODS,
        Verdict.PODS_NOT_READY,
        f"{len(late)} of {pluralize(len(pods), 'pod')} {'does' if len(late) == 1 else 'do'} not become ready.",
        *(Evidence(f"Pod {pod.name}", "state", _state(pod), pod.created_at) for pod in late[:MOST_EVIDENCE]),
        severity=Severity.CRITICAL if is_cni or not preconditions_known else Severity.WARNING,
    )


def _state(pod: PodFacts) -> str:
    container = f"container {pod.failing_container}" if pod.failing_container else ""
    place = f"node {pod.node}" if pod.node else ""
    return ", ".join(filter(None, (pod.waiting or "not ready", pod.termination_message[:200], container, place)))


def _by_age(pods: Iterable[PodFacts]) -> tuple[PodFacts, ...]:
    return tuple(sorted(pods, key=lambda pod: (pod.created_at, pod.name)))
