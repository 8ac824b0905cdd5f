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
from lambdas.notifications.message_context import Told
from lambdas.notifications.next_steps import differences
from lambdas.notifications.owners import recognise
from lambdas.notifications.principals import short_name
from lambdas.notifications.time_text import clock, duration, moment, seconds_between
from lambdas.notifications.title import meaning, values
from lambdas.notifications.wording import Phrase, join, say, sentence

Part = Callable[[Told], Phrase | None]


def paragraphs(told: Told) -> tuple[Phrase, ...]:
    """The paragraphs of this occasion, the weightiest first; what has nothing to say is left out."""
    return tuple(it for part in _PARTS[told.kind] if (it := part(told)) is not None)


def _broken(told: Told) -> Phrase:
    said = dict.fromkeys(line.sentence for line in broken_lines(told)) or {told.fault.sentence: None}
    return join([say("{words}", words=sentence(item)) for item in said], " ")


def _was(told: Told) -> Phrase:
    return say("What was broken: {words}", words=sentence(told.fault.sentence))


def means(told: Told) -> Phrase:
    """What fails now, and what still works; or what would fail one day."""
    found = meaning(told)
    return say(found.sentence if told.failing or not found.latent else found.latent, **values(told))


def _who(told: Told) -> Phrase | None:
    actor = told.fault.actor or told.now.actor
    if actor.get("who"):
        tool = recognise(signs=(actor.get("agent", ""),))
        at = moment(actor.get("at"))
        return say(
            "Last change: {what}by {who}{tool}{at}.",
            what=say("{words}, ", words=actor["what"]) if actor.get("what") else say(""),
            who=short_name(actor["who"]),
            tool=say(" with {name}", name=tool.name) if tool else say(""),
            at=say(", {time}", time=clock(at, told.at)) if at else say(""),
        )
    owner = told.fault.owner
    if not owner or owner == FIELD_MANAGER or told.fault.verdict not in REPAIRABLE | {Verdict.REVERTED} or not told.identity_broken:
        return None
    tool, at = recognise(manager=owner), moment(told.fault.owner_at)
    words = "The annotation was written by {who}{at}." if told.fault.owner_annotated else NO_TRACE
    return say(words, who=tool.name if tool else owner, at=say(", {time}", time=clock(at, told.at)) if at else say(""))


NO_TRACE: Final = (
    "Nothing on record tells who removed the annotation, if anyone did; the last known writer of the ServiceAccount is {who}{at}."
)


def _plan(told: Told) -> Phrase | None:
    steps = [say("{words}", words=action.sentence) for action in told.now.actions]
    return say("Plan: {steps}.", steps=join(steps, " · ")) if steps else None


def _proposed(told: Told) -> Phrase | None:
    steps = [say("{words}", words=action.sentence) for action in told.now.proposed]
    return say("In mode enforce this would be done: {steps}.", steps=join(steps, " · ")) if steps else None


def _done(told: Told) -> Phrase | None:
    steps = [say("{words}", words=DONE.get(kind, kind)) for kind in dict.fromkeys(told.changes)]
    return say("Done: {steps}.", steps=join(steps, " · ")) if steps else None


_SAID_OTHERWISE: Final = frozenset(
    {
        BlockReason.NOT_OURS,
        BlockReason.CONSEQUENCE,
        BlockReason.UPDATE_RUNS,
        BlockReason.GUARD_BROKEN,
        BlockReason.NO_BINDING,
        BlockReason.TOO_YOUNG,
    }
)


def _left_alone(told: Told) -> Phrase | None:
    said = dict.fromkeys(blocked.sentence for blocked in told.now.withheld if blocked.reason not in _SAID_OTHERWISE)
    return say("Left alone: {why}", why=join([say("{words}", words=sentence(item)) for item in said], " ")) if said else None


def _trouble(told: Told) -> Phrase | None:
    return say("What went wrong: {words}", words=sentence(told.trouble)) if told.trouble else None


def _answer(told: Told) -> Phrase:
    if told.answer.get("timed_out"):
        return say("Nobody answered within {time}.", time=duration(told.now.timeouts.get("approval_timeout_s", 0)))
    return say("Rejected by {who}.", who=short_name(str(told.answer.get("by") or "someone in chat")))


def _approved(told: Told) -> Phrase | None:
    """Who said yes. Chat's answer carries no name; CloudTrail has it."""
    answers = (str(line.get("words", "")) for line in reversed(told.lines) if line.get("what") == "approval")
    who = next((answer.removeprefix(_YES) for answer in answers if answer.startswith(_YES)), "")
    return say("Approved in chat.") if who == "chat" else say("Approved by {who}.", who=short_name(who)) if who else None


_YES: Final = "approved by "
"""How the workflow's line about an answer begins."""


def _waiting_for_answer(told: Told) -> Phrase:
    return say("Without an answer within {time} nothing is changed.", time=duration(told.now.timeouts.get("approval_timeout_s", 0)))


def _proof(told: Told) -> Phrase:
    at = next((found for line in reversed(told.lines) if line.get("what") == "proof" and (found := moment(line.get("at")))), None)
    took = seconds_between(told.incident.opened_at, at)
    when = (
        say(" at {time}, {took} after the first signal", time=clock(at, told.at), took=duration(took))
        if at and took is not None
        else say("")
    )
    return say("Proven{when}: {words}", when=when, words=sentence(told.proof or "every link of the identity chain holds"))


def _otherwise(told: Told) -> Phrase | None:
    return None if told.now.sound else say("Still broken: {words}", words=sentence(told.now.sentence))


def _warnings(told: Told) -> Phrase | None:
    # That permissions were not simulated is as deployed, and a guard that holds us back has been named as the reason.
    titles = [link.title for link in told.now.links if link.state == State.UNKNOWN and link.link == Link.PERMISSIONS]
    quiet = [f"{title} could not be read" for title in titles]
    if any(blocked.reason == BlockReason.GUARD_UNREAD for blocked in told.now.withheld):
        quiet += [f"{link.title} could not be read" for link in told.now.links]
    said = [warning for warning in told.now.warnings if not warning.startswith(tuple(quiet))]
    return say("Note: {words}", words=join([say("{words}", words=sentence(item)) for item in said[:3]], " ")) if said else None


_FOUND: Final[tuple[Part, ...]] = (_broken, means, _who, evidence, numbers, repair_clock)
_PARTS: Final[Mapping[NotificationKind, tuple[Part, ...]]] = {
    NotificationKind.ACTING: (*_FOUND, _plan, _approved, _left_alone, _warnings),
    NotificationKind.ASKING: (*_FOUND, _plan, _waiting_for_answer, _left_alone, _warnings),
    NotificationKind.NOT_APPROVED: (_answer, _broken, means, numbers, repair_clock),
    NotificationKind.WITHHELD: (*_FOUND, _left_alone, _proposed, _warnings, version_advice.advice),
    NotificationKind.NEEDS_YOU: (_trouble, *_FOUND, differences, ruled_out, _done, _left_alone, _warnings, version_advice.advice),
    NotificationKind.REMINDER: (_broken, numbers, repair_clock, _left_alone),
    NotificationKind.PROVEN: (_proof, _done, _approved, _otherwise, _was, _who, version_advice.advice),
    NotificationKind.RECOVERED: (_was, numbers),
}
