"""The first line of a message: urgency, cluster, fault, and who has to act."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from lambdas.contract.settings import Severity
from lambdas.contract.workloads import impact_of
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.incidents.incident import FormerRepair
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.plurals import pluralize
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.owners import short_name
from lambdas.notifications.time_text import clock, duration, moment, seconds_between
from lambdas.notifications.verdict_texts import (
    GONE_WITHOUT_BINDING,
    ROLE_LOST_ON_RESTART,
    SOME_PODS_REFUSED_WITH_ROLE,
    SOME_PODS_WITHOUT_ROLE,
    VERDICT_TEXTS,
    WITHOUT_ROLE,
    VerdictText,
)
from lambdas.notifications.wording import Phrase, phrase


class Mark(StrEnum):
    """The urgency of a message. Mail subjects are ASCII, so they carry the name instead of the symbol."""

    URGENT = "🔴"
    ACTION = "🟠"
    NOTE = "🟡"
    OK = "🟢"


def mark(context: MessageContext) -> Mark:
    """Red while something fails, orange where a person has to act, yellow for what can wait, green for the end of an incident.

    An end without a repair is yellow where the role, the OIDC provider or the trust policy could not be read.
    """
    if context.is_over:
        return Mark.NOTE if context.kind is NotificationKind.RECOVERED and context.unread_preconditions else Mark.OK
    if context.is_failing:
        is_deferred = context.kind is NotificationKind.BLOCKED and context.main_blocker is not None and context.main_blocker.until
        return Mark.ACTION if is_deferred else Mark.URGENT
    if context.kind is NotificationKind.REPAIRING or context.severity is Severity.INFO:
        return Mark.NOTE
    if context.kind is NotificationKind.BLOCKED or (context.kind is NotificationKind.REMINDER and not _needs_person(context)):
        return Mark.NOTE
    return Mark.ACTION


def _needs_person(context: MessageContext) -> bool:
    return context.main_blocker is None or context.main_blocker.reason not in _BLOCKED


def verdict_text(context: MessageContext) -> VerdictText:
    """The texts of the fault. Pods without their role outweigh a wrong add-on record; how many pods have the role refines the text."""
    verdict = context.fault.verdict
    if verdict is Verdict.CLUSTER_GONE and not context.fault.binding_path:
        return GONE_WITHOUT_BINDING
    text = WITHOUT_ROLE if verdict is Verdict.ADDON_ROLE_MISSING and context.is_identity_broken else VERDICT_TEXTS[verdict]
    if text.cleared_title and context.fault.is_role_cleared:
        return VerdictText(title=text.cleared_title, sentence=text.cleared_sentence)
    if text is not WITHOUT_ROLE or not context.has_pods_with_role:
        return text
    if context.has_role_on_all_pods:
        return ROLE_LOST_ON_RESTART
    return SOME_PODS_REFUSED_WITH_ROLE if context.fault.counts.errors_with_role else SOME_PODS_WITHOUT_ROLE


def titles(context: MessageContext) -> tuple[Phrase, ...]:
    """The title, then shorter forms of it for channels with little room.

    Example: `prod-blue: aws-node lost its AWS permissions · repair in progress, no action needed yet`.
    """
    fault = phrase("{cluster}: {fault}", cluster=context.cluster, fault=_fault(context))
    state, detail = _state(context)
    short = phrase("{fault} · {state}", fault=fault, state=state)
    full = (phrase("{short}, {detail}", short=short, detail=detail),) if detail else ()
    return (*full, short, fault)


def _fault(context: MessageContext) -> Phrase:
    match context.kind:
        case NotificationKind.RECOVERED if context.unread_preconditions:
            template = "no fault of {workload} is found any more"
        case NotificationKind.RECOVERED if context.incident.former_repair or context.has_begun_repair:
            template = "{workload} recovered"
        case NotificationKind.RECOVERED:
            template = "{workload} recovered without a repair"
        case NotificationKind.VERIFIED if context.is_identity_broken:
            template = "{workload} has its role again"
        case NotificationKind.VERIFIED if context.fault.verdict is Verdict.ANNOTATION_UNCLAIMED:
            template = "the annotation of {workload} is claimed"
        case NotificationKind.VERIFIED if context.has_changed_identity:
            template = "{workload} has its role again"
        case NotificationKind.VERIFIED:
            template = "the {addon} add-on record has the role of {workload} again"
        case _ if context.deleted_pod and context.deleted_pod.node:
            return phrase("node {node} has no ready {workload} pod", node=context.deleted_pod.node, workload=context.workload)
        case _ if context.deleted_pod:
            return phrase("{workload} lacks a ready pod", workload=context.workload)
        case _:
            text = verdict_text(context)
            template = text.title if context.is_failing or not text.latent_title else text.latent_title
    return phrase(template, **values(context))


def values(context: MessageContext) -> dict[str, object]:
    """The values of the fields that templates in `verdict_texts` have."""
    impact = impact_of(context.incident.target.namespace, context.incident.target.name)
    counts = context.fault.counts
    without = counts.pods - counts.pods_right
    return {
        "workload": context.workload,
        "addon": context.fault.addon.name if context.fault.addon else "EKS",
        "who": short_name(context.fault.actor.who) if context.fault.actor else "someone",
        "impact": phrase(impact.failing if context.is_failing else impact.latent),
        "status": impact.latent_status,
        "some": without,
        "pods": pluralize(counts.pods, "pod"),
        "unproven": ", ".join(context.fault.unproven),
        "run": "runs without its role" if without == 1 else "run without their role",
    }


_FORMER_REPAIR: Final[Mapping[FormerRepair, str]] = {
    FormerRepair.NONE: "nothing was changed",
    FormerRepair.UNFINISHED: "an earlier repair was stopped",
    FormerRepair.FAILED: "an earlier repair failed",
}
"""What the remediator has achieved where this incident has no change of its own."""


def _state(context: MessageContext) -> tuple[Phrase, Phrase | None]:
    """The state of the incident, and a detail that can be left out where room is short."""
    result = _result(context)
    match context.kind:
        case NotificationKind.REPAIRING:
            return phrase("repair in progress"), phrase("a part needs a person" if context.is_part_left else "no action needed yet")
        case NotificationKind.APPROVAL_REQUESTED:
            return phrase("approval needed"), _result(context)
        case NotificationKind.NOT_APPROVED:
            rejected = context.answer is not None and not context.answer.timed_out
            return phrase("rejected" if rejected else "approval timed out"), result
        case NotificationKind.BLOCKED:
            return _blocked(context), None
        case NotificationKind.NEEDS_ACTION:
            return phrase("action needed now" if context.is_failing else "action needed"), result
        case NotificationKind.REMINDER:
            age = duration(seconds_between(context.incident.opened_at, context.latest_at or context.at) or 0)
            return phrase("not fixed after {age}", age=age), phrase("action needed") if _needs_person(context) else None
        case NotificationKind.VERIFIED:
            unread = _not_checked(context)
            return phrase("repaired, {unread}", unread=unread) if unread else phrase("repaired and verified"), _remainder(context)
        case NotificationKind.RECOVERED:
            return _not_checked(context) or phrase("no action needed"), None


def _result(context: MessageContext) -> Phrase:
    """What the remediator has achieved, where the fault is left to a person. A verified repair has not failed: this fault came later."""
    if not context.changes:
        former = context.incident.former_repair
        return phrase("no change is on record" if context.has_begun_repair and not former else _FORMER_REPAIR[former])
    return phrase("the last repair was verified") if context.is_verified else phrase("the repair failed")


_BLOCKED: Final[Mapping[str, str]] = {
    BlockReason.OBSERVE_MODE: "not repaired in observe mode",
    BlockReason.NO_BINDING: "not repaired without a binding",
    BlockReason.ADDON_RECORD_NOTIFY_ONLY: "for the owner of the add-on to change",
    BlockReason.ROLE_NOT_ALLOWED: "the add-on record is not changed",
    BlockReason.COOLDOWN: "cooldown before the next repair",
    BlockReason.TOO_MANY_REPAIRS: "too many repairs within an hour",
    BlockReason.MAINTENANCE_WINDOW: "waits for the maintenance window",
    BlockReason.GRACE_PERIOD: "checked again soon",
}
"""Block reasons that do not need a person, with the state that the title shows."""


def _blocked(context: MessageContext) -> Phrase:
    blocker = context.main_blocker
    if blocker is None or blocker.reason not in _BLOCKED:
        return _result(context)
    is_over = verdict_text(context) is GONE_WITHOUT_BINDING
    state = phrase("no action needed" if is_over else _BLOCKED[blocker.reason])
    until = moment(blocker.until)
    return phrase("{state} (until {time})", state=state, time=clock(until, context.at)) if until else state


def _not_checked(context: MessageContext) -> Phrase | None:
    """What could not be read about the role at the end of an incident, so that the title claims nothing about it."""
    parts = context.unread_preconditions
    return phrase("not checked: {parts}", parts=", ".join(parts)) if parts else None


def _remainder(context: MessageContext) -> Phrase | None:
    """What is left after a repair; None where the state of the incident says what was not read."""
    counts = context.current.counts
    not_ready = counts.nodes - counts.nodes_ready
    if not_ready and not_ready == counts.nodes_lost:
        return phrase("but {nodes} lost", nodes=pluralize(not_ready, "node is", "nodes are"))
    if not context.current.is_healthy and not_ready:
        return phrase("but {nodes} NotReady for another reason", nodes=pluralize(not_ready, "node is", "nodes are"))
    if not context.current.is_healthy:
        return phrase("but something else is broken")
    return None if context.unread_preconditions else phrase("nothing urgent is left")
