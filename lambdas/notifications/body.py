"""The paragraphs of a message: fault, consequence, cause, counts, and what the remediator did or did not do."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Final

from lambdas.contract.names import FIELD_MANAGER
from lambdas.contract.timeouts import CANARY_TIMEOUT_S
from lambdas.contract.workloads import AWS_NODE
from lambdas.domain.assessment.summary import LinkSummary
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.verdict import ASSOCIATION_VERDICTS, REPAIRABLE, Verdict
from lambdas.domain.incidents.details import TimelineEvent
from lambdas.domain.planning.actions import ReplaceCanaryPod, ReplaceStalePods
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.snapshot.bindings import ROLE_ARN
from lambdas.notifications import version_advice
from lambdas.notifications.facts import auto_repair_deadline, broken_links, counts, evidence, healthy_links
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.next_steps import differences, has_harmful_remedy
from lambdas.notifications.owners import recognize, short_name
from lambdas.notifications.time_text import clock, duration, moment, seconds_between
from lambdas.notifications.title import values, verdict_text
from lambdas.notifications.wording import Code, Phrase, join, phrase, sentence

Paragraph = Callable[[MessageContext], Phrase | None]


def paragraphs(context: MessageContext) -> tuple[Phrase, ...]:
    """The paragraphs of a notification, the most important one first."""
    return tuple(text for paragraph in _PARAGRAPHS[context.kind] if (text := paragraph(context)) is not None)


def _fault(context: MessageContext) -> Phrase:
    if context.is_fault_former:
        return join([_former_fault(context), sentence(context.current.sentence)], " ")
    sentences = dict.fromkeys(link.sentence for link in broken_links(context)) or {context.fault.sentence: None}
    return join([sentence(text) for text in sentences], " ")


def _former_fault(context: MessageContext) -> Phrase:
    return phrase("What was broken: {fault}", fault=sentence(context.fault.sentence))


def consequence(context: MessageContext) -> Phrase:
    """What fails now and what still works, or what would fail later."""
    text = verdict_text(context)
    return phrase(text.sentence if context.is_failing or not text.latent_sentence else text.latent_sentence, **values(context))


def _present_consequence(context: MessageContext) -> Phrase | None:
    """The consequence of a fault that still exists. None says that replacing pods is the fix where a new pod may not start."""
    return None if context.is_fault_former or has_harmful_remedy(context) else consequence(context)


def _present_evidence(context: MessageContext) -> Phrase | None:
    return None if context.is_fault_former else evidence(context)


def _present_change(context: MessageContext) -> Phrase | None:
    return None if context.is_fault_former else _last_change(context)


UNKNOWN_REMOVER: Final = (
    "The API server does not record who removed an annotation. The last known writer of the ServiceAccount is {writer}{at}."
)


def _last_change(context: MessageContext) -> Phrase | None:
    actor = context.fault.actor or context.current.actor
    if actor:
        tool = recognize(markers=(actor.agent,))
        return phrase(
            "Last change: {what}by {who}{tool}{at}.",
            what=phrase("{what}, ", what=actor.what) if actor.what else phrase(""),
            who=short_name(actor.who),
            tool=phrase(" with {name}", name=tool.name) if tool else phrase(""),
            at=_comma_time(actor.at, context),
        )
    owner, verdicts = context.fault.owner, (REPAIRABLE - ASSOCIATION_VERDICTS - {Verdict.PODS_WITHOUT_CREDENTIALS}) | {Verdict.FLAPPING}
    if not owner or owner == FIELD_MANAGER or context.fault.verdict not in verdicts or not context.is_identity_broken:
        return None
    tool = recognize(manager=owner)
    template = "The annotation was last written by {writer}{at}." if context.fault.owner_annotated else UNKNOWN_REMOVER
    return phrase(template, writer=tool.name if tool else owner, at=_comma_time(context.fault.owner_at, context))


def _comma_time(time: str | None, context: MessageContext) -> Phrase:
    at = moment(time)
    return phrase(", {time}", time=clock(at, context.at)) if at else phrase("")


def _refused_calls(context: MessageContext) -> Phrase | None:
    refusals = context.current.refusals
    return join([sentence(text) for text in refusals], " ") if refusals else None


def _plan(context: MessageContext) -> Phrase | None:
    actions = [action.sentence for action in context.current.actions]
    return phrase("Plan: {actions}.", actions=join(actions, " · ")) if actions else None


def _next_message(context: MessageContext) -> Phrase | None:
    """By when the next message comes. Calls that are refused for a while are repeated, which takes longer."""
    if context.at is None or not context.current.actions:
        return None
    kinds = {action.kind for action in context.current.actions}
    step = timedelta(seconds=context.current.time_limits.verification_timeout_s)
    at = context.at + step + timedelta(seconds=CANARY_TIMEOUT_S if ReplaceCanaryPod.kind in kinds else 0)
    at += step if ReplaceStalePods.kind in kinds else timedelta()
    return phrase(
        "Next message: when the repair is verified, or by {time} if it is not; later only while AWS or the cluster is busy.",
        time=clock(at, context.at),
    )


def _role(context: MessageContext) -> Phrase | None:
    """The full ARN that a person approves."""
    return phrase("Role: {role}", role=_full(context.current.desired_role))


def _scope(context: MessageContext) -> Phrase | None:
    """The source of the role, where it is written, and what it replaces."""
    current, target = context.current, context.incident.target
    old = [arn for action in current.actions for arn in (getattr(action, "old_value", None), getattr(action, "old_role_arn", None)) if arn]
    return phrase(
        "For {namespace}/{name}, from {path} version {version}.{old}",
        namespace=target.namespace,
        name=target.name,
        path=current.binding_path,
        version=str(current.binding_version),
        old=phrase(" Replaces: {roles}.", roles=join([_full(arn) for arn in dict.fromkeys(old)], ", ")) if old else phrase(""),
    )


def _full(arn: str) -> Phrase:
    """A role's ARN, never cut. Any other text is cut and escaped as all texts of a cluster are."""
    return phrase("{arn}", arn=Code(arn) if ROLE_ARN.match(arn) else arn)


def _plan_digest(context: MessageContext) -> Phrase:
    return phrase("The approval applies to this plan only ({digest}).", digest=context.current.plan_digest)


def _proposed(context: MessageContext) -> Phrase | None:
    actions = [action.sentence for action in context.current.proposed]
    return phrase("Mode enforce would: {actions}.", actions=join(actions, " · ")) if actions else None


def _changes(context: MessageContext) -> Phrase | None:
    changes = context.change_texts
    return phrase("Done: {changes}.", changes=join(changes, " · ")) if changes else None


_SHOWN_ELSEWHERE: Final = frozenset(
    {
        BlockReason.NEEDS_PERSON,
        BlockReason.CONSEQUENCE,
        BlockReason.UPDATE_IN_PROGRESS,
        BlockReason.PRECONDITION_FAILED,
        BlockReason.NO_BINDING,
        BlockReason.GRACE_PERIOD,
    }
)
"""Block reasons that the fault, the title or the next steps explain."""


def _blockers(context: MessageContext) -> Phrase | None:
    sentences = dict.fromkeys(blocked.sentence for blocked in context.current.blocked if blocked.reason not in _SHOWN_ELSEWHERE)
    return phrase("Not repaired: {reasons}", reasons=join([sentence(text) for text in sentences], " ")) if sentences else None


def _deleted_pod(context: MessageContext) -> Phrase | None:
    """The pod that our deletion left without a ready successor, and what that means."""
    pod = context.deleted_pod
    if pod is None:
        return None
    is_cni = (context.incident.target.namespace, context.incident.target.name) == (AWS_NODE.namespace, AWS_NODE.service_account)
    place = phrase(" on node {node}", node=pod.node) if pod.node else phrase("")
    effect = phrase(" New pods on this node get no IP address until it has one.") if is_cni and pod.node else phrase("")
    return phrase("The remediator deleted pod {name}{place}, and no successor is ready.{effect}", name=pod.name, place=place, effect=effect)


def _trouble(context: MessageContext) -> Phrase | None:
    return phrase("Problem: {trouble}", trouble=sentence(context.trouble)) if context.trouble else None


def _refusal(context: MessageContext) -> Phrase:
    if context.answer is None or context.answer.timed_out:
        return phrase("No answer within {time}.", time=_approval_timeout(context))
    return phrase("Rejected by {who}.", who=short_name(context.answer.by)) if context.answer.by else phrase("Rejected in chat.")


def _approval(context: MessageContext) -> Phrase | None:
    """The approver. An answer in chat does not name the person; CloudTrail does."""
    if context.answer is None or not context.answer.approved:
        return None
    return phrase("Approved by {who}.", who=short_name(context.answer.by)) if context.answer.by else phrase("Approved in chat.")


def _approval_deadline(context: MessageContext) -> Phrase:
    return phrase("The request expires after {time}. Without approval nothing is changed.", time=_approval_timeout(context))


def _approval_timeout(context: MessageContext) -> str:
    return duration(context.current.time_limits.approval_timeout_s)


def _verification(context: MessageContext) -> Phrase:
    times = (entry.at for entry in reversed(context.timeline) if entry.event == TimelineEvent.VERIFICATION)
    at = next((time for time in times if time), None)
    took = seconds_between(context.incident.opened_at, at)
    when = (
        phrase(" at {time}, {took} after the first signal", time=clock(at, context.at), took=duration(took))
        if at and took is not None
        else phrase("")
    )
    return phrase("Verified{when}: {result}", when=when, result=sentence(context.verification or context.current.sentence))


def _unproven(context: MessageContext) -> Phrase | None:
    """What the last assessment did not show, so that the end of an incident claims no more than was read."""
    parts = context.current.unproven
    return phrase("Not checked: {parts}.", parts=", ".join(parts)) if parts else None


def _unseen_pool_change(context: MessageContext) -> Phrase | None:
    """The calls that no pod was seen to make: they come only when the pool of addresses of a node changes.

    Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/docs/eni-and-ip-target.md
    """
    calls = ", ".join(context.current.later_calls)
    return phrase("The verification saw no node get more or fewer addresses, which needs {calls}.", calls=calls) if calls else None


def _other_fault(context: MessageContext) -> Phrase | None:
    return None if context.current.is_healthy else phrase("Still broken: {fault}", fault=sentence(context.current.sentence))


def _notes(context: MessageContext) -> Phrase | None:
    notes = [f"{link.title} could not be read: {link.sentence}" for link in _unread_links(context)]
    notes = [sentence(note) for note in (*notes, *context.current.warnings)]
    return phrase("Note: {notes}", notes=join(notes[:3], " ")) if notes else None


def _unread_links(context: MessageContext) -> Iterator[LinkSummary]:
    """The links that could not be read. Permissions that were not simulated are a deployment option, and so need no note."""
    if any(blocked.reason == BlockReason.PRECONDITION_UNKNOWN for blocked in context.current.blocked):
        return  # the block reason names them
    unknown = (link for link in context.current.links if link.state == State.UNKNOWN and link.link != Link.PERMISSIONS)
    yield from (link for link in unknown if not link.evidence)  # what has evidence was read, and does not decide


_DIAGNOSIS: Final[tuple[Paragraph, ...]] = (
    _fault,
    consequence,
    _last_change,
    evidence,
    _refused_calls,
    counts,
    auto_repair_deadline,
)
_PARAGRAPHS: Final[Mapping[NotificationKind, tuple[Paragraph, ...]]] = {
    NotificationKind.REPAIRING: (*_DIAGNOSIS, _plan, _next_message, _approval, _blockers, _notes),
    NotificationKind.APPROVAL_REQUESTED: (*_DIAGNOSIS, _plan, _role, _scope, _plan_digest, _approval_deadline, _blockers, _notes),
    NotificationKind.NOT_APPROVED: (_refusal, _fault, consequence, _refused_calls, counts, auto_repair_deadline),
    NotificationKind.BLOCKED: (*_DIAGNOSIS, _blockers, _proposed, _notes, version_advice.advice),
    NotificationKind.NEEDS_ACTION: (
        _deleted_pod,
        _trouble,
        _fault,
        _present_consequence,
        _present_change,
        _present_evidence,
        _refused_calls,
        counts,
        auto_repair_deadline,
        differences,
        healthy_links,
        _changes,
        _blockers,
        _notes,
        version_advice.advice,
    ),
    NotificationKind.REMINDER: (_fault, _refused_calls, counts, auto_repair_deadline, _blockers),
    NotificationKind.VERIFIED: (
        _verification,
        _changes,
        _unproven,
        _unseen_pool_change,
        _approval,
        _other_fault,
        _former_fault,
        _last_change,
        version_advice.advice,
    ),
    NotificationKind.RECOVERED: (_former_fault, counts, _unproven),
}
