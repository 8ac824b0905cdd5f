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
from lambdas.notifications.message_context import Told
from lambdas.notifications.time_text import clock, duration, moment, seconds_between
from lambdas.notifications.verdict_texts import MEANINGS, PARTLY, STILL_CARRIED, WITHOUT_ROLE, Meaning, loss_of
from lambdas.notifications.wording import Phrase, say


class Mark(StrEnum):
    """How urgent it is, at a glance; a subject line, which is ASCII, takes the name."""

    URGENT = "🔴"
    ACTION = "🟠"
    NOTE = "🟡"
    OK = "🟢"


def mark(told: Told) -> Mark:
    """Red while something fails, orange where a person is needed, yellow for what can wait, green when it is over."""
    if told.ended:
        return Mark.OK
    if told.failing:
        waits = told.kind is NotificationKind.WITHHELD and told.held is not None and told.held.until
        return Mark.ACTION if waits else Mark.URGENT
    if told.kind is NotificationKind.ACTING or told.fault.severity is Severity.INFO:
        return Mark.NOTE
    if told.kind is NotificationKind.WITHHELD or (told.kind is NotificationKind.REMINDER and not _needs_a_person(told)):
        return Mark.NOTE
    return Mark.ACTION


def _needs_a_person(told: Told) -> bool:
    return told.held is None or told.held.reason not in (*_HELD, BlockReason.TOO_YOUNG)


def meaning(told: Told) -> Meaning:
    """The verdict's meaning. What pods lack already weighs more than what the add-on record lacks, and less where all still have it."""
    verdict = told.fault.verdict
    found = WITHOUT_ROLE if verdict is Verdict.ADDON_ROLE_MISSING and told.identity_broken else MEANINGS[verdict]
    if found is not WITHOUT_ROLE or not told.some_carry_it:
        return found
    return STILL_CARRIED if told.all_carry_it else PARTLY


def title(told: Told) -> Phrase:
    """`prod-blue: aws-node lost its AWS permissions · repairing now, nothing for you to do yet`."""
    return say("{cluster}: {meaning} · {state}", cluster=told.cluster, meaning=_meaning(told), state=_state(told))


def _meaning(told: Told) -> Phrase:
    if told.kind is NotificationKind.RECOVERED:
        return say("well again", workload=told.workload)
    if told.kind is NotificationKind.PROVEN:
        fixed = "{workload} has its role again" if told.identity_broken else "the {addon} add-on record carries the role of {workload}"
        return say(fixed, **values(told))
    found = meaning(told)
    return say(found.title if told.failing or not found.latent_title else found.latent_title, **values(told))


def values(told: Told) -> dict[str, object]:
    """What the meanings' templates have places for."""
    loss = loss_of(told.incident.target.namespace, told.incident.target.name)
    words, counts = loss.failing if told.failing else loss.latent, told.fault.counts
    return {
        "workload": told.workload,
        "addon": told.fault.addon.get("name") or "EKS",
        "loss": say(words),
        "calm": loss.calm,
        **_without(counts),
    }


def _without(counts: Counts) -> dict[str, object]:
    some = counts.pods - counts.pods_right
    verb = "runs without its role" if some == 1 else "run without their role"
    return {"some": some, "pods": many(counts.pods, "pod"), "run": verb}


def _state(told: Told) -> Phrase:
    match told.kind:
        case NotificationKind.ACTING:
            return say("repairing now, nothing for you to do yet")
        case NotificationKind.ASKING:
            return say("waits for your approval")
        case NotificationKind.NOT_APPROVED:
            return say("nobody answered, {so}" if told.answer.get("timed_out") else "rejected, {so}", so=_changed_so_far(told))
        case NotificationKind.WITHHELD:
            return _withheld(told)
        case NotificationKind.NEEDS_YOU:
            return say("needs you now, {so}" if told.failing else "needs you, {so}", so=_changed_so_far(told))
        case NotificationKind.REMINDER:
            return say("still so after {time}, needs you" if _needs_a_person(told) else "still so after {time}", time=_open_for(told))
        case NotificationKind.PROVEN:
            return say("repaired and proven, {rest}", rest=_rest(told))
        case NotificationKind.RECOVERED:
            return say("without a write of ours, nothing for you to do")


def _changed_so_far(told: Told) -> Phrase:
    return say("the repair did not work" if told.changes else "nothing was changed")


_HELD: Final[Mapping[str, str]] = {
    BlockReason.OBSERVE_MODE: "not repaired in observe mode",
    BlockReason.NO_BINDING: "not repaired, no parameter asks for it",
    BlockReason.ADDON_RECORD_TELL: "left to the owner of the add-on",
    BlockReason.ROLE_NOT_PASSABLE: "the add-on record is left as it is",
    BlockReason.COOLDOWN: "waits a moment before the next repair",
    BlockReason.TOO_MANY_REPAIRS: "waits, too many repairs within an hour",
    BlockReason.WINDOW: "waits for the maintenance window",
    BlockReason.TOO_YOUNG: "looked at again soon",
}


def _withheld(told: Told) -> Phrase:
    held = told.held
    if held is None:
        return say("nothing was changed")
    until = moment(held.until)
    words = say(_HELD.get(held.reason, "nothing was changed"))
    return say("{words} ({time})", words=words, time=clock(until, told.at)) if until else words


def _open_for(told: Told) -> str:
    return duration(seconds_between(told.incident.opened_at, told.at) or 0)


def _rest(told: Told) -> Phrase:
    counts = told.now.counts
    unready = counts.nodes - counts.nodes_ready
    if unready and unready == counts.nodes_lost:
        return say("but {nodes} lost", nodes=many(unready, "node is", "nodes are"))
    if not told.now.sound and unready:
        return say("but {nodes} NotReady for another reason", nodes=many(unready, "node is", "nodes are"))
    return say("nothing urgent is left" if told.now.sound else "but something else is broken")
