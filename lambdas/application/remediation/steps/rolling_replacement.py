"""Choosing the next stale pods to replace: a batch follows when the one before is ready, and pods on lost nodes are not waited for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import filterfalse
from typing import Final

from lambdas.application.remediation.results import ReplacementResult, ReplacementState
from lambdas.domain.diagnosis.links.annotation import sort_by_age
from lambdas.domain.diagnosis.pod_credentials import was_admitted_with
from lambdas.domain.planning.actions import ReplaceStalePods
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.snapshot import PodFacts

MAX_IDLE: Final = timedelta(minutes=3)
"""How long a replacement may make no progress before it counts as stuck."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """The nodes that are lost, and how many pods the controller can run at all; None where that was not read."""

    lost_nodes: frozenset[str] = frozenset()
    capacity: int | None = None


def next_batch(
    action: ReplaceStalePods, pods: tuple[PodFacts, ...], reach: Reach, former: ReplacementResult, at: datetime
) -> tuple[tuple[PodFacts, ...], ReplacementResult]:
    """The pods to delete now, and the progress.

    Args:
        action: the role that pods must have, and how many may be unavailable at a time.
        pods: every pod of the ServiceAccount.
        reach: pods on the lost nodes are left out.
        former: the progress so far.
        at: the time of this check.
    """
    remaining = [pod for pod in pods if not pod.deleting and pod.node not in reach.lost_nodes]
    has_role = partial(was_admitted_with, role_arn=action.role_arn, mechanism=action.mechanism, refuses_irsa=action.refuses_irsa)
    with_role, stale = list(filter(has_role, remaining)), sort_by_age(filterfalse(has_role, remaining))
    ready = sum(pod.ready for pod in with_role)
    goal = ready if former.goal is None else former.goal
    if reach.capacity is not None:
        goal = min(goal, reach.capacity - len(stale))  # the controller cannot start more pods than that
    if ready < goal:
        message = f"{pluralize(goal - ready, 'replaced pod has', 'replaced pods have')} not become ready"
        return (), _idle(former, goal, message, at)
    unavailable = len(with_role) - ready
    chosen = batch(stale, action.at_a_time, unavailable)
    if stale and not chosen:
        blocked = pluralize(unavailable, "pod that has the role is", "pods that have the role are")
        return (), _idle(former, goal, f"{blocked} not ready, so no other pod is replaced", at)
    message = f"{pluralize(len(stale), 'stale pod')}, {len(chosen)} being replaced" if chosen else "every reachable pod has the role"
    state = ReplacementState.WAITING if chosen else ReplacementState.DONE
    return chosen, replace(former, state=state, goal=ready + len(chosen), progress_at=at, is_idle=False, message=message)


def _idle(former: ReplacementResult, goal: int, message: str, at: datetime) -> ReplacementResult:
    progress_at = former.progress_at or at
    state = ReplacementState.STUCK if at - progress_at >= MAX_IDLE else ReplacementState.WAITING
    return replace(former, state=state, goal=goal, progress_at=progress_at, is_idle=True, message=message)


def batch(stale: Sequence[PodFacts], at_a_time: int, unavailable: int) -> tuple[PodFacts, ...]:
    """The stale pods to delete now, where `unavailable` others are missing or not ready.

    At most `at_a_time` pods, those first that are not ready. A ready pod is replaced only while fewer pods are unavailable, stale ones
    included.

    The controllers count in the same way: a pod that is not ready uses up `maxUnavailable`, and its own replacement needs no further place.
    Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/daemon/update.go (rollingUpdate)
    """
    unready, ready = [pod for pod in stale if not pod.ready], [pod for pod in stale if pod.ready]
    return (*unready, *ready[: max(0, at_a_time - unavailable - len(unready))])[:at_a_time]
