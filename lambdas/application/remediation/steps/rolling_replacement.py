"""Choosing the next stale pods to replace: a batch follows when the one before is ready, and pods on lost nodes are not waited for."""

from typing import Final

from lambdas.application.remediation.results import ReplacementResult, ReplacementState
from lambdas.domain.diagnosis.links.annotation import sort_by_age
from lambdas.domain.planning.actions import ReplaceStalePods
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.snapshot import PodFacts

MAX_IDLE_CHECKS: Final = 60
MAX_LOST_NODES: Final = 500
"""Names of lost nodes in a checkpoint (25 KB). Pods on further lost nodes are waited for, until the replacement counts as stuck."""


def next_batch(
    action: ReplaceStalePods, pods: tuple[PodFacts, ...], lost_nodes: tuple[str, ...], capacity: int | None, former: ReplacementResult
) -> tuple[tuple[PodFacts, ...], ReplacementResult]:
    """The pods to delete now, and the progress.

    Args:
        action: the role that pods must have, and how many may be unavailable at a time.
        pods: every pod of the ServiceAccount.
        lost_nodes: pods on these nodes are left out.
        capacity: how many pods the controller can run at all; None where it was not read.
        former: the progress so far.
    """
    remaining = [pod for pod in pods if not pod.deleting and pod.node not in lost_nodes]
    with_role = [pod for pod in remaining if pod.role_arn == action.role_arn]
    stale = sort_by_age(pod for pod in remaining if pod.role_arn != action.role_arn)
    ready = sum(pod.ready for pod in with_role)
    goal = ready if former.goal is None else former.goal
    if capacity is not None:
        goal = min(goal, capacity - len(stale))  # the controller cannot start more pods than that
    if ready < goal:
        message = f"{pluralize(goal - ready, 'replaced pod has', 'replaced pods have')} not become ready"
        return (), _idle(former, lost_nodes, goal, message)
    unavailable = len(with_role) - ready
    batch = _batch(stale, action.at_a_time, unavailable)
    if stale and not batch:
        blocked = pluralize(unavailable, "pod that has the role is", "pods that have the role are")
        return (), _idle(former, lost_nodes, goal, f"{blocked} not ready, so no other pod is replaced")
    message = f"{pluralize(len(stale), 'stale pod')}, {len(batch)} being replaced" if batch else "every reachable pod has the role"
    state = ReplacementState.WAITING if batch else ReplacementState.DONE
    return batch, ReplacementResult(state=state, goal=ready + len(batch), lost_nodes=lost_nodes, message=message)


def _idle(former: ReplacementResult, lost_nodes: tuple[str, ...], goal: int, message: str) -> ReplacementResult:
    is_stuck = former.idle_checks >= MAX_IDLE_CHECKS
    state = ReplacementState.STUCK if is_stuck else ReplacementState.WAITING
    return ReplacementResult(state=state, goal=goal, idle_checks=former.idle_checks + 1, lost_nodes=lost_nodes, message=message)


def _batch(stale: tuple[PodFacts, ...], at_a_time: int, unavailable: int) -> tuple[PodFacts, ...]:
    """At most `at_a_time` pods, those first that are not ready. A ready pod is replaced only while fewer pods are unavailable.

    The controllers count in the same way: a pod that is not ready uses up `maxUnavailable`, and its own replacement needs no further place.
    Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/daemon/update.go (rollingUpdate)
    """
    unready, ready = [pod for pod in stale if not pod.ready], [pod for pod in stale if pod.ready]
    return (*unready, *ready[: max(0, at_a_time - unavailable)])[:at_a_time]
