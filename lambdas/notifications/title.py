"""The first line: must you get up, which cluster, what does it mean, and in whose hands is it?"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from lambdas.contract.settings import Severity
from lambdas.domain.assessment.summary import Counts
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.plurals import many
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.time_text import clock, duration, moment, seconds_between
from lambdas.notifications.verdict_texts import MEANINGS, PARTLY, STILL_CARRIED, WITHOUT_ROLE, Meaning, loss_of
from lambdas.notifications.wording import Phrase, say


class Mark(StrEnum):
    """How urgent it is, at a glance; a subject line, which is ASCII, takes the name."""

    URGENT = "🔴"
    ACTION = "🟠"
    NOTE = "🟡"
    OK = "🟢"


def mark(context: MessageContext) -> Mark:
    """Red while something fails, orange where a person is needed, yellow for what can wait, green when it is over."""
    if context.is_over:
        return Mark.OK
    if context.is_failing:
        waits = context.kind is NotificationKind.BLOCKED and context.main_blocker is not None and context.main_blocker.until
        return Mark.ACTION if waits else Mark.URGENT
    if context.kind is NotificationKind.REPAIRING or context.fault.severity is Severity.INFO:
        return Mark.NOTE
    if context.kind is NotificationKind.BLOCKED or (context.kind is NotificationKind.REMINDER and not _needs_a_person(context)):
        return Mark.NOTE
    return Mark.ACTION


def _needs_a_person(context: MessageContext) -> bool:
    return context.main_blocker is None or context.main_blocker.reason not in (*_HELD, BlockReason.GRACE_PERIOD)


def meaning(context: MessageContext) -> Meaning:
    """The verdict's meaning. What pods lack already weighs more than what the add-on record lacks, and less where all still have it."""
    verdict = context.fault.verdict
    found = WITHOUT_ROLE if verdict is Verdict.ADDON_ROLE_MISSING and context.is_identity_broken else MEANINGS[verdict]
    if found is not WITHOUT_ROLE or not context.has_pods_with_role:
        return found
    return STILL_CARRIED if context.has_role_on_all_pods else PARTLY


def title(context: MessageContext) -> Phrase:
    """`prod-blue: aws-node lost its AWS permissions · repairing now, nothing for you to do yet`."""
    return say("{cluster}: {meaning} · {state}", cluster=context.cluster, meaning=_meaning(context), state=_state(context))


def _meaning(context: MessageContext) -> Phrase:
    if context.kind is NotificationKind.RECOVERED:
        return say("well again", workload=context.workload)
    if context.kind is NotificationKind.VERIFIED:
        fixed = (
            "{workload} has its role again" if context.is_identity_broken else "the {addon} add-on record carries the role of {workload}"
        )
        return say(fixed, **values(context))
    found = meaning(context)
    return say(found.title if context.is_failing or not found.latent_title else found.latent_title, **values(context))


def values(context: MessageContext) -> dict[str, object]:
    """What the meanings' templates have places for."""
    loss = loss_of(context.incident.target.namespace, context.incident.target.name)
    words, counts = loss.failing if context.is_failing else loss.latent, context.fault.counts
    return {
        "workload": context.workload,
        "addon": context.fault.addon.get("name") or "EKS",
        "loss": say(words),
        "calm": loss.calm,
        **_without(counts),
    }


def _without(counts: Counts) -> dict[str, object]:
    some = counts.pods - counts.pods_right
    verb = "runs without its role" if some == 1 else "run without their role"
    return {"some": some, "pods": many(counts.pods, "pod"), "run": verb}


def _state(context: MessageContext) -> Phrase:
    match context.kind:
        case NotificationKind.REPAIRING:
            return say("repairing now, nothing for you to do yet")
        case NotificationKind.APPROVAL_REQUESTED:
            return say("waits for your approval")
        case NotificationKind.NOT_APPROVED:
            return say(
                "nobody answered, {so}" if context.answer is None or context.answer.timed_out else "rejected, {so}",
                so=_changed_so_far(context),
            )
        case NotificationKind.BLOCKED:
            return _blocked(context)
        case NotificationKind.NEEDS_ACTION:
            return say("needs you now, {so}" if context.is_failing else "needs you, {so}", so=_changed_so_far(context))
        case NotificationKind.REMINDER:
            return say("still so after {time}, needs you" if _needs_a_person(context) else "still so after {time}", time=_open_for(context))
        case NotificationKind.VERIFIED:
            return say("repaired and proven, {rest}", rest=_rest(context))
        case NotificationKind.RECOVERED:
            return say("without a write of ours, nothing for you to do")


def _changed_so_far(context: MessageContext) -> Phrase:
    return say("the repair did not work" if context.changes else "nothing was changed")


_HELD: Final[Mapping[str, str]] = {
    BlockReason.OBSERVE_MODE: "not repaired in observe mode",
    BlockReason.NO_BINDING: "not repaired, no parameter asks for it",
    BlockReason.ADDON_RECORD_NOTIFY_ONLY: "left to the owner of the add-on",
    BlockReason.ROLE_NOT_ALLOWED: "the add-on record is left as it is",
    BlockReason.COOLDOWN: "waits a moment before the next repair",
    BlockReason.TOO_MANY_REPAIRS: "waits, too many repairs within an hour",
    BlockReason.MAINTENANCE_WINDOW: "waits for the maintenance window",
    BlockReason.GRACE_PERIOD: "looked at again soon",
}


def _blocked(context: MessageContext) -> Phrase:
    held = context.main_blocker
    if held is None:
        return say("nothing was changed")
    until = moment(held.until)
    words = say(_HELD.get(held.reason, "nothing was changed"))
    return say("{words} ({time})", words=words, time=clock(until, context.at)) if until else words


def _open_for(context: MessageContext) -> str:
    return duration(seconds_between(context.incident.opened_at, context.at) or 0)


def _rest(context: MessageContext) -> Phrase:
    counts = context.current.counts
    unready = counts.nodes - counts.nodes_ready
    if unready and unready == counts.nodes_lost:
        return say("but {nodes} lost", nodes=many(unready, "node is", "nodes are"))
    if not context.current.sound and unready:
        return say("but {nodes} NotReady for another reason", nodes=many(unready, "node is", "nodes are"))
    return say("nothing urgent is left" if context.current.sound else "but something else is broken")
