"""Verifies a repair: compares a later assessment with the one that the plan was made from. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from lambdas.domain.assessment.summary import AssessmentSummary, Counts
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.actions import ReplaceCanaryPod, ReplaceStalePods, RestartWorkload
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.plurals import pluralize, pluralize_share

UNRELATED_VERDICTS: Final = frozenset({Verdict.NODES_NOT_READY, Verdict.ADDON_DEGRADED})
"""Verdicts that do not contradict a verified identity."""
LEFT_TO_OWNER: Final = frozenset({BlockReason.ADDON_RECORD_NOTIFY_ONLY, BlockReason.ROLE_NOT_ALLOWED})
"""Reasons for which the add-on record may stay unchanged after a repair. Its owner is notified."""


class VerificationState(StrEnum):
    """The state of a verification."""

    VERIFIED = "verified"
    WAITING = "waiting"
    WORSE = "worse"
    STALLED = "stalled"
    ROLE_INSUFFICIENT = "role-insufficient"  # pods have the role, and the role lacks permissions
    PARTIAL = "partial"  # a node was lost, and the rest can be repaired in another way
    MORE_STALE_PODS = "more-stale-pods"  # pods started without the role after the plan was made, so the plan does not replace them


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The state, and a sentence with the counts that show it."""

    state: VerificationState
    sentence: str


def verify(before: AssessmentSummary, now: AssessmentSummary, *, idle: timedelta = timedelta()) -> Verification:
    """Compare the current assessment with the one before the repair.

    Args:
        before: the assessment that the plan was made from.
        now: the current assessment, with nodes and events read.
        idle: how long no count has changed. It separates a slow rollout from a stalled one.
    """
    counts = now.counts
    if now.counts.errors_with_role and not before.counts.errors_with_role and not before.counts.errors_without_role:
        return Verification(
            state=VerificationState.WORSE,
            sentence=f"AWS refuses calls of pods with the role and did not refuse calls before: {now.sentence}",
        )
    if counts.errors_with_role:
        return Verification(state=VerificationState.ROLE_INSUFFICIENT, sentence=now.sentence)
    if is_verified(now):
        return Verification(state=VerificationState.VERIFIED, sentence=_counts_text(now))
    if _has_action(now, ReplaceCanaryPod) and not _has_action(before, RestartWorkload, ReplaceStalePods):
        missed = pluralize(counts.pods - counts.pods_right, "pod")
        return Verification(
            state=VerificationState.MORE_STALE_PODS,
            sentence=f"{_counts_text(now)}; {missed} started without it before the annotation was restored",
        )
    if now.actions and counts.pods_lost > before.counts.pods_lost and idle >= LOST_NODE_PATIENCE:
        return Verification(state=VerificationState.PARTIAL, sentence=f"{_counts_text(now)}; a lost node blocks the rest")
    if counts.pods_not_starting > before.counts.pods_not_starting and idle >= PATIENCE:
        return Verification(
            state=VerificationState.STALLED,
            sentence=f"{pluralize(counts.pods_not_starting, 'pod does', 'pods do')} not start for another reason; {_counts_text(now)}",
        )
    return Verification(state=VerificationState.WAITING, sentence=_counts_text(now))


PATIENCE: Final = timedelta(minutes=6)
"""Time without a change after which pods that have the role and do not start count as stalled. A kubelet retries at least every 5 minutes.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
"""

LOST_NODE_PATIENCE: Final = timedelta(minutes=1)
"""Time without a change after a node was lost. Then the remaining pods are replaced without the rollout that stops at the lost node."""


def is_verified(now: AssessmentSummary) -> bool:
    """Whether the identity is correct and effective in every reachable pod, and every node that waited for it is Ready."""
    counts = now.counts
    is_left_to_owner = any(blocked.link == Link.ADDON_RECORD and blocked.reason in LEFT_TO_OWNER for blocked in now.blocked)
    reached = counts.pods > 0 or (counts.pods_wanted == 0 and not counts.pods_lost)  # no pod shows nothing
    all_exist = counts.pods + counts.pods_lost >= counts.pods_wanted
    identity = now.is_healthy or set(now.verdicts) <= (
        UNRELATED_VERDICTS | {Verdict.ADDON_ROLE_MISSING} if is_left_to_owner else UNRELATED_VERDICTS
    )
    right = counts.rolled_out and counts.pods_ready == counts.pods == counts.pods_right and counts.nodes_waiting == 0
    return identity and right and reached and all_exist


def _has_action(summary: AssessmentSummary, *kinds: type) -> bool:
    return any(isinstance(action, kinds) for action in summary.actions)


def progress(counts: Counts) -> tuple[int, ...]:
    """The counts that change while a repair works. Equal values mean that nothing changed."""
    return (counts.pods_right, counts.pods_ready, counts.nodes_ready, counts.rolled_out)


def remaining_time(before: int, missing: int, took: timedelta) -> timedelta | None:
    """How long the rest of a repair takes at the rate of its progress; None where nothing came nearer.

    Args:
        before: what was missing at an earlier look.
        missing: what is missing at the latest look.
        took: the time between the two.
    """
    return took * (missing / (before - missing)) if missing < before else None


def missing_parts(counts: Counts) -> int:
    """How many pods or nodes a repair still waits for."""
    wanted = counts.pods_wanted - counts.pods - counts.pods_lost
    return max(counts.pods - counts.pods_right, counts.pods - counts.pods_ready, counts.nodes_waiting, wanted, 0)


def _counts_text(now: AssessmentSummary) -> str:
    counts = now.counts
    share = pluralize_share(counts.pods_right, counts.pods, "pod", "carries", "carry")
    wanted = f"none of {pluralize(counts.pods_wanted, 'wanted pod')} exists" if counts.pods_wanted else "no pod is wanted"
    pods = f"{share} the role, {counts.pods_ready} ready" if counts.pods else wanted
    nodes = f", {counts.nodes_ready} of {pluralize(counts.nodes, 'node')} Ready" if counts.nodes else ""
    nodes += f" ({left_out})" if (left_out := lost_note(counts)) else ""
    return pods + nodes + _events_text(now)


def _events_text(now: AssessmentSummary) -> str:
    """What the events show about refused calls: none was sent, with the calls that send none, or that they could not be read."""
    link = next((link for link in now.links if link.link == Link.PERMISSION_ERRORS), None)
    match link.state if link else "":
        case State.OK:
            return f", {link.sentence}" if link else ""
        case State.UNKNOWN:
            return ", events of refused calls could not be read"
    return ""


def lost_note(counts: Counts) -> str:
    """`1 node is lost, left out`: what a verification does not wait for; empty where it waits for everything."""
    if counts.nodes_lost:
        return f"{pluralize(counts.nodes_lost, 'node is', 'nodes are')} lost, left out"
    return f"{pluralize(counts.pods_lost, 'pod is on a lost node', 'pods are on lost nodes')}, left out" if counts.pods_lost else ""
