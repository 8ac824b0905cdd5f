"""For each fault case, the context of every notification that the workflow can send about it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from lambdas.application.remediation.watch import needs_person
from lambdas.application.remediation.workflow import TEMPORARY_REASONS
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.incidents.details import TimelineEntry, TimelineEvent
from lambdas.domain.planning.actions import (
    AnnotateServiceAccount,
    CreateAssociation,
    ReplaceCanaryPod,
    ReplaceStalePods,
    RestartWorkload,
    UpdateAddonRole,
    UpdateAssociation,
)
from lambdas.domain.ports import Message
from lambdas.domain.verification import verify
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import ApprovalAnswer, MessageContext
from lambdas.notifications.messages import message
from tests import fakes
from tests.unit.notifications.fault_cases import FaultCase, repaired_summary
from tests.unit.notifications.snapshots import NOW, incident

ENVIRONMENT: Final = replace(fakes.ENVIRONMENT, runbook_root="https://example.com/runbooks")
CALLBACK: Final = "Ab3dCallback"
_ACTION_TEXTS: Final[Mapping[str, str]] = {
    AnnotateServiceAccount.kind: "annotation set to {role}",
    ReplaceCanaryPod.kind: "{pod} deleted",
    RestartWorkload.kind: "all pods restart, 2 at a time",
    ReplaceStalePods.kind: "2 stale pods, 2 at a time",
    UpdateAddonRole.kind: "update 6f1c of the add-on record vpc-cni",
    CreateAssociation.kind: "association a-7f3a created",
    UpdateAssociation.kind: "association a-1 changed to {role}",
}


def write(context: MessageContext) -> Message:
    """The message as the workflow sends it: only an approval request has a callback."""
    callback_id = CALLBACK if context.kind is NotificationKind.APPROVAL_REQUESTED else ""
    return message(context, environment=ENVIRONMENT, callback_id=callback_id)


def message_cases(case: FaultCase) -> Iterator[tuple[str, MessageContext]]:
    """`(name, context)` of every message about this fault."""
    summary = case.assess()
    base = MessageContext(
        kind=NotificationKind.BLOCKED,
        incident=incident(case.build().target),
        current=summary,
        first=summary,
        timeline=(_assessment(summary, NOW),),
        signals=3,
    )
    if summary.actions:
        yield from _repair_messages(case, base)
    else:
        is_deferred = any(blocked.until and blocked.reason in TEMPORARY_REASONS for blocked in summary.blocked)
        kind = NotificationKind.NEEDS_ACTION if needs_person(summary) and not is_deferred else NotificationKind.BLOCKED
        yield kind.value, replace(base, kind=kind)
    later = replace(summary, began_at=(NOW + timedelta(hours=4)).isoformat())
    yield "reminder", replace(base, kind=NotificationKind.REMINDER, current=later)
    recovered = repaired_summary(case.build(), NOW + timedelta(minutes=50))
    yield "recovered", replace(base, kind=NotificationKind.RECOVERED, current=recovered)


def _repair_messages(case: FaultCase, base: MessageContext) -> Iterator[tuple[str, MessageContext]]:
    summary = base.current
    yield "repairing", replace(base, kind=NotificationKind.REPAIRING)
    yield "approval-requested", replace(base, kind=NotificationKind.APPROVAL_REQUESTED)
    yield "rejected", replace(base, kind=NotificationKind.NOT_APPROVED, answer=ApprovalAnswer(approved=False, by="jane"))
    yield "timed-out", replace(base, kind=NotificationKind.NOT_APPROVED, answer=ApprovalAnswer(approved=False, timed_out=True))
    changes = tuple(action.kind for action in summary.actions)
    timeline = (*base.timeline, *_action_entries(summary))
    failed: dict[str, Any] = {"timeline": timeline[:3], "changes": changes[:2]}
    trouble = "the replaced pod did not come back with the role"
    yield "repair-failed", replace(base, kind=NotificationKind.NEEDS_ACTION, trouble=trouble, **failed)
    at = NOW + timedelta(seconds=71)
    repaired = repaired_summary(case.build(), at)
    verification = verify(summary, repaired).sentence
    verified = TimelineEntry(at=at, event=TimelineEvent.VERIFICATION, text=verification)
    yield (
        "verified",
        replace(
            base,
            kind=NotificationKind.VERIFIED,
            current=repaired,
            timeline=(*timeline, verified, _assessment(repaired, at)),
            changes=changes,
            verification=verification,
        ),
    )


def _action_entries(summary: AssessmentSummary) -> Iterator[TimelineEntry]:
    pod = next((action.pod for action in summary.actions if isinstance(action, ReplaceCanaryPod)), "")
    for i, action in enumerate(summary.actions):
        at = NOW + timedelta(seconds=1 + 4 * i)
        text = _ACTION_TEXTS[action.kind].format(role=summary.desired_role, pod=pod)
        yield TimelineEntry(at=at, event=action.kind, text=text)
        if isinstance(action, ReplaceCanaryPod):
            yield TimelineEntry(
                at=at + timedelta(seconds=3), event=TimelineEvent.CANARY_REPLACEMENT, text=f"{pod[:-2]}x7k2p carries the role"
            )


def _assessment(summary: AssessmentSummary, at: datetime) -> TimelineEntry:
    counts = summary.counts
    numbers = (counts.pods_right, counts.pods, counts.nodes_ready, counts.nodes)
    return TimelineEntry(at=at, event=TimelineEvent.ASSESSMENT, text=str(summary.verdict), counts=numbers)
