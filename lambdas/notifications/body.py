"""What is said under the headline: what is broken, what it means, who changed it, what the numbers show, what was done and why not more."""

from collections.abc import Callable, Mapping
from typing import Final

from lambdas.contract.names import FIELD_MANAGER
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.verdict import REPAIRABLE, Verdict
from lambdas.domain.planning.actions import DONE
from lambdas.domain.planning.plan import BlockReason
from lambdas.notifications import version_advice
from lambdas.notifications.facts import broken_lines, evidence, numbers, repair_clock, ruled_out
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext, TimelineEvent
from lambdas.notifications.next_steps import differences
from lambdas.notifications.owners import recognise
from lambdas.notifications.principals import short_name
from lambdas.notifications.time_text import clock, duration, moment, seconds_between
from lambdas.notifications.title import meaning, values
from lambdas.notifications.wording import Phrase, join, say, sentence

Part = Callable[[MessageContext], Phrase | None]


def paragraphs(context: MessageContext) -> tuple[Phrase, ...]:
    """The paragraphs of this occasion, the weightiest first; what has nothing to say is left out."""
    return tuple(it for part in _PARTS[context.kind] if (it := part(context)) is not None)


def _broken(context: MessageContext) -> Phrase:
    said = dict.fromkeys(line.sentence for line in broken_lines(context)) or {context.fault.sentence: None}
    return join([say("{words}", words=sentence(item)) for item in said], " ")


def _was(context: MessageContext) -> Phrase:
    return say("What was broken: {words}", words=sentence(context.fault.sentence))


def means(context: MessageContext) -> Phrase:
    """What fails now, and what still works; or what would fail one day."""
    found = meaning(context)
    return say(found.sentence if context.is_failing or not found.latent else found.latent, **values(context))


def _who(context: MessageContext) -> Phrase | None:
    actor = context.fault.actor or context.current.actor
    if actor.get("who"):
        tool = recognise(signs=(actor.get("agent", ""),))
        at = moment(actor.get("at"))
        return say(
            "Last change: {what}by {who}{tool}{at}.",
            what=say("{words}, ", words=actor["what"]) if actor.get("what") else say(""),
            who=short_name(actor["who"]),
            tool=say(" with {name}", name=tool.name) if tool else say(""),
            at=say(", {time}", time=clock(at, context.at)) if at else say(""),
        )
    owner = context.fault.owner
    if (
        not owner
        or owner == FIELD_MANAGER
        or context.fault.verdict not in REPAIRABLE | {Verdict.FLAPPING}
        or not context.is_identity_broken
    ):
        return None
    tool, at = recognise(manager=owner), moment(context.fault.owner_at)
    words = "The annotation was written by {who}{at}." if context.fault.owner_annotated else NO_TRACE
    return say(words, who=tool.name if tool else owner, at=say(", {time}", time=clock(at, context.at)) if at else say(""))


NO_TRACE: Final = (
    "Nothing on record tells who removed the annotation, if anyone did; the last known writer of the ServiceAccount is {who}{at}."
)


def _plan(context: MessageContext) -> Phrase | None:
    steps = [say("{words}", words=action.sentence) for action in context.current.actions]
    return say("Plan: {steps}.", steps=join(steps, " · ")) if steps else None


def _proposed(context: MessageContext) -> Phrase | None:
    steps = [say("{words}", words=action.sentence) for action in context.current.proposed]
    return say("In mode enforce this would be done: {steps}.", steps=join(steps, " · ")) if steps else None


def _done(context: MessageContext) -> Phrase | None:
    steps = [say("{words}", words=DONE.get(kind, kind)) for kind in dict.fromkeys(context.changes)]
    return say("Done: {steps}.", steps=join(steps, " · ")) if steps else None


_SAID_OTHERWISE: Final = frozenset(
    {
        BlockReason.NEEDS_PERSON,
        BlockReason.CONSEQUENCE,
        BlockReason.UPDATE_IN_PROGRESS,
        BlockReason.PRECONDITION_FAILED,
        BlockReason.NO_BINDING,
        BlockReason.GRACE_PERIOD,
    }
)


def _left_alone(context: MessageContext) -> Phrase | None:
    said = dict.fromkeys(blocked.sentence for blocked in context.current.blocked if blocked.reason not in _SAID_OTHERWISE)
    return say("Left alone: {why}", why=join([say("{words}", words=sentence(item)) for item in said], " ")) if said else None


def _trouble(context: MessageContext) -> Phrase | None:
    return say("What went wrong: {words}", words=sentence(context.trouble)) if context.trouble else None


def _answer(context: MessageContext) -> Phrase:
    if context.answer is None or context.answer.timed_out:
        return say("Nobody answered within {time}.", time=duration(context.current.timeouts.get("approval_timeout_s", 0)))
    return say("Rejected by {who}.", who=short_name(context.answer.by or "someone in chat"))


def _approved(context: MessageContext) -> Phrase | None:
    """The approver. An answer in chat carries no name; CloudTrail has it."""
    if context.answer is None or not context.answer.approved:
        return None
    return say("Approved by {who}.", who=short_name(context.answer.by)) if context.answer.by else say("Approved in chat.")


def _waiting_for_answer(context: MessageContext) -> Phrase:
    return say("Without an answer within {time} nothing is changed.", time=duration(context.current.timeouts.get("approval_timeout_s", 0)))


def _proof(context: MessageContext) -> Phrase:
    at = next(
        (found for entry in reversed(context.timeline) if entry.event == TimelineEvent.VERIFICATION and (found := moment(entry.at))), None
    )
    took = seconds_between(context.incident.opened_at, at)
    when = (
        say(" at {time}, {took} after the first signal", time=clock(at, context.at), took=duration(took))
        if at and took is not None
        else say("")
    )
    return say("Proven{when}: {words}", when=when, words=sentence(context.verification or "every link of the identity chain holds"))


def _otherwise(context: MessageContext) -> Phrase | None:
    return None if context.current.sound else say("Still broken: {words}", words=sentence(context.current.sentence))


def _warnings(context: MessageContext) -> Phrase | None:
    # That permissions were not simulated is as deployed, and a guard that holds us back has been named as the reason.
    titles = [link.title for link in context.current.links if link.state == State.UNKNOWN and link.link == Link.PERMISSIONS]
    quiet = [f"{title} could not be read" for title in titles]
    if any(blocked.reason == BlockReason.PRECONDITION_UNKNOWN for blocked in context.current.blocked):
        quiet += [f"{link.title} could not be read" for link in context.current.links]
    said = [warning for warning in context.current.warnings if not warning.startswith(tuple(quiet))]
    return say("Note: {words}", words=join([say("{words}", words=sentence(item)) for item in said[:3]], " ")) if said else None


_FOUND: Final[tuple[Part, ...]] = (_broken, means, _who, evidence, numbers, repair_clock)
_PARTS: Final[Mapping[NotificationKind, tuple[Part, ...]]] = {
    NotificationKind.REPAIRING: (*_FOUND, _plan, _approved, _left_alone, _warnings),
    NotificationKind.APPROVAL_REQUESTED: (*_FOUND, _plan, _waiting_for_answer, _left_alone, _warnings),
    NotificationKind.NOT_APPROVED: (_answer, _broken, means, numbers, repair_clock),
    NotificationKind.BLOCKED: (*_FOUND, _left_alone, _proposed, _warnings, version_advice.advice),
    NotificationKind.NEEDS_ACTION: (_trouble, *_FOUND, differences, ruled_out, _done, _left_alone, _warnings, version_advice.advice),
    NotificationKind.REMINDER: (_broken, numbers, repair_clock, _left_alone),
    NotificationKind.VERIFIED: (_proof, _done, _approved, _otherwise, _was, _who, version_advice.advice),
    NotificationKind.RECOVERED: (_was, numbers),
}
