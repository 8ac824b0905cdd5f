"""Judging the successor of the canary: the pod that was replaced before all others."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lambdas.application.remediation.results import CanaryResult, CanaryState
from lambdas.domain.diagnosis.pod_credentials import was_admitted_with
from lambdas.domain.planning.actions import ReplaceCanaryPod, ReplaceStalePods
from lambdas.domain.planning.planned_binding import PlannedBinding
from lambdas.domain.snapshot.snapshot import PodFacts

SHORT_PAUSES_S: Final = (0.05, 0.05, 0.05, 0.05, 0.1, 0.1, 0.15, 0.25, 0.4, 0.4, 0.4)
"""Pauses between the polls within one step. A successor usually appears within a second, and a durable wait takes at least that long."""
MAX_REPLACEMENTS: Final = 3
READY_CHECKS: Final = 12
"""Steps (up to ten seconds apart) within which a successor has to become ready."""
LOST_NODE_CHECKS: Final = 4
"""Steps without progress after which the nodes are read: a pod on a lost node is never replaced."""


@dataclass(frozen=True, kw_only=True)
class Canary:
    """The replaced pod, and whether its successor has to become ready: where pods work that the next step would replace.

    `binding` is the binding of the plan.
    """

    action: ReplaceCanaryPod
    must_be_ready: bool
    binding: PlannedBinding


def successor(pods: tuple[PodFacts, ...], action: ReplaceCanaryPod) -> PodFacts | None:
    """The newest pod that took the canary's place: on its node, or for other kinds than DaemonSets a pod that the plan did not know."""
    if action.node:
        candidates = [pod for pod in pods if pod.node == action.node and pod.uid != action.uid and not pod.deleting]
    else:
        newest = datetime.fromisoformat(action.newest)
        known = {action.uid, *action.as_new}
        candidates = [pod for pod in pods if pod.created_at >= newest and pod.uid not in known and not pod.deleting]
    return max(candidates, key=lambda pod: (pod.created_at, pod.name), default=None)


def judge(canary: Canary, pod: PodFacts | None, former: CanaryResult, at: datetime) -> CanaryResult:
    """What this successor means. A waiting result with a new `uid_without_role` requires one more poll before that pod is replaced."""
    action, result = canary.action, CanaryResult(at=at, checks=former.checks, replacements=former.replacements)
    if pod is None:
        return replace(result, message="no successor yet")
    if not was_admitted_with(pod, action.role_arn, action.mechanism, refuses_irsa=action.refuses_irsa):
        return _judge_without_role(pod, former, result)
    if pod.ready or not canary.must_be_ready:
        return replace(result, state=CanaryState.HAS_ROLE, message=f"{pod.name} has the role")
    if former.checks >= READY_CHECKS:
        message = f"{pod.name} has the role but does not become ready; the other pods were not replaced"
        return replace(result, state=CanaryState.NOT_READY, message=message)
    return replace(result, message=f"{pod.name} has the role and is starting")


def _judge_without_role(pod: PodFacts, former: CanaryResult, result: CanaryResult) -> CanaryResult:
    if former.uid_without_role != pod.uid:  # the webhook learns of an annotation with some delay
        return replace(result, uid_without_role=pod.uid, message=f"{pod.name} was admitted without the role")
    if former.replacements < MAX_REPLACEMENTS:
        return replace(result, replacements=former.replacements + 1, message=f"{pod.name} is replaced again")
    message = f"the identity webhook missed {pod.name} and {MAX_REPLACEMENTS} pods before it; the other pods were not replaced"
    return replace(result, state=CanaryState.NO_ROLE, message=message)


def needs_node_check(result: CanaryResult) -> bool:
    """Whether the canary's node may be lost: its successor is not ready, or does not come."""
    is_late = result.state is CanaryState.WAITING and result.checks % LOST_NODE_CHECKS == 0
    return result.state is CanaryState.NOT_READY or is_late


def deletion_of(pod: PodFacts, action: ReplaceCanaryPod | ReplaceStalePods) -> ReplaceCanaryPod:
    """The part of an action that deletes exactly this pod, whose successor is to have the role."""
    return ReplaceCanaryPod(
        pod=pod.name,
        uid=pod.uid,
        node=pod.node,
        newest="",
        role_arn=action.role_arn,
        mechanism=action.mechanism,
        refuses_irsa=action.refuses_irsa,
    )
