"""The facts of a message: broken links, evidence, counts of pods and nodes, healthy links, and the deadline of node auto repair."""

from collections.abc import Mapping, Sequence
from typing import Final

from lambdas.domain.assessment.summary import LinkSummary
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.verdict import REPAIRABLE, Verdict
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.plurals import pluralize
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.time_text import clock, duration, moment, seconds_between
from lambdas.notifications.wording import Phrase, join, phrase


def broken_links(context: MessageContext) -> tuple[LinkSummary, ...]:
    """The broken links to report, in the order of the chain. Symptoms after the first link are left out: the counts report them.

    Pods that are not created or stuck are no symptom of an earlier link, since no new role creates or ends them. Refused calls of pods
    with the role are no symptom either: they are evidence against the role.
    """
    broken = [link for link in context.fault.links if link.state == State.BROKEN]
    has_other_node_fault = context.fault.counts.nodes_waiting == 0 and any(
        blocked.link == Link.NODES and blocked.reason == BlockReason.NEEDS_PERSON for blocked in context.fault.blocked
    )
    return tuple(
        link
        for i, link in enumerate(broken)
        if i == 0
        or link.link < Link.PODS
        or (link.link == Link.PODS and link.verdict not in REPAIRABLE)
        or (link.link == Link.PERMISSION_ERRORS and link.verdict == Verdict.PERMISSIONS_MISSING)
        or (link.link == Link.NODES and has_other_node_fault)
    )


def counts(context: MessageContext) -> Phrase | None:
    """The counts of pods, nodes and permission errors, without those that the sentence of the first broken link contains."""
    summary = context.current if context.is_over else context.fault
    broken = None if context.is_over else next(iter(broken_links(context)), None)
    first = broken.link if broken and broken.verdict != Verdict.SERVICE_ACCOUNT_MISMATCH else None
    errors = summary.counts.errors_with_role + summary.counts.errors_without_role
    parts = (
        (_pods(context), (Link.PODS, Link.CLUSTER)),
        (_pods_not_ready(context), (Link.CLUSTER,)),
        (_nodes(context), (Link.NODES, Link.WORKLOAD, Link.CLUSTER)),
        (phrase("{errors} reported", errors=pluralize(errors, "permission error")) if errors else None, (Link.PERMISSION_ERRORS,)),
    )
    shown = [part for part, links_with_part in parts if part and first not in links_with_part]
    return phrase("{time}: {parts}.", time=_time_of_counts(context), parts=join(shown, " · ")) if shown else None


MAX_AGE_OF_NOW_S: Final = 60
"""Maximum age of an assessment whose counts are called those of now. Where nothing answers, a message repeats an older one."""


def _time_of_counts(context: MessageContext) -> str:
    if context.at is None or (seconds_between(context.at, context.latest_at) or 0) <= MAX_AGE_OF_NOW_S:
        return "Now"
    return f"At {clock(context.at, context.latest_at)}"


_NO_CREDENTIALS: Final = frozenset(
    {Verdict.POD_IDENTITY_AGENT_MISSING, Verdict.POD_IDENTITY_AGENT_NOT_ON_NODE, Verdict.POD_IDENTITY_NOT_TRUSTED}
)
"""Verdicts with which pods were admitted with the association's credentials and do not get them."""


def _pods(context: MessageContext) -> Phrase | None:
    numbers = context.current.counts
    role = context.current.desired_role.rsplit("/", 1)[-1]
    if not numbers.pods or not role or context.fault.verdict in _NO_CREDENTIALS:
        return None
    verb = "has" if numbers.pods_right == 1 else "have"
    return phrase("{right} of {pods} {verb} {role}", right=numbers.pods_right, pods=pluralize(numbers.pods, "pod"), verb=verb, role=role)


def _pods_not_ready(context: MessageContext) -> Phrase | None:
    not_ready = context.current.counts.pods - context.current.counts.pods_ready
    return phrase("{pods} not ready", pods=pluralize(not_ready, "pod")) if not_ready > 0 else None


def _nodes(context: MessageContext) -> Phrase | None:
    numbers = context.current.counts
    is_concerned = any(link.link == Link.NODES and link.state != State.NOT_APPLICABLE for link in context.current.links)
    if not numbers.nodes or not is_concerned:
        return None
    details = [
        *([phrase("{count} waiting for the CNI", count=numbers.nodes_waiting)] if numbers.nodes_waiting else []),
        *([phrase("{count} lost, left out", count=numbers.nodes_lost)] if numbers.nodes_lost else []),
    ]
    detail = phrase(" ({details})", details=join(details, "; ")) if details else phrase("")
    return phrase("{ready} of {nodes} Ready{detail}", ready=numbers.nodes_ready, nodes=pluralize(numbers.nodes, "node"), detail=detail)


def evidence(context: MessageContext) -> Phrase | None:
    """The evidence of the first broken link, without the values that its sentence contains."""
    first = next(iter(broken_links(context)), None)
    if first is None or first.verdict == Verdict.UPDATE_IN_PROGRESS:
        return None
    subjects: dict[tuple[str, str, str], list[str]] = {}
    for subject, field, value, at in first.evidence:
        if value not in first.sentence and (value != "none" or at):
            subjects.setdefault((field, value, at), []).append(subject)
    facts = [_fact(names, *fact, context) for fact, names in subjects.items()]
    return phrase("Evidence: {facts}.", facts=join(facts, " · ")) if facts else None


def _fact(subjects: Sequence[str], field: str, value: str, at: str, context: MessageContext) -> Phrase:
    since = moment(at)
    when = phrase(" (since {at})", at=clock(since, context.at)) if since else phrase("")
    return phrase("{subjects}, {field}: {value}{when}", subjects=", ".join(subjects), field=field, value=value.rstrip("."), when=when)


_WITH_HEALTHY_LINKS: Final = frozenset(
    {
        Verdict.NODES_NOT_READY,
        Verdict.NODES_WAITING_FOR_CNI,
        Verdict.PODS_NOT_READY,
        Verdict.ADDON_DEGRADED,
        Verdict.STS_UNREACHABLE,
    }
)


_CORRECT: Final[Mapping[int, str]] = {Link.PODS: "role of each pod", Link.PERMISSION_ERRORS: "events (no refused call)"}
"""What a correct link shows, where its title says more: pods with the right role need not be ready."""


def healthy_links(context: MessageContext) -> Phrase | None:
    """The links that were read and hold, for verdicts that no broken link explains."""
    correct = [link for link in context.fault.links if link.state == State.OK and link.link > Link.MECHANISM]
    if context.fault.verdict not in _WITH_HEALTHY_LINKS or not correct:
        return None
    return phrase("Checked and correct: {titles}.", titles=", ".join(_CORRECT.get(link.link, link.title) for link in correct))


def auto_repair_deadline(context: MessageContext) -> Phrase | None:
    """The time at which node auto repair starts to replace nodes, while some nodes are not Ready."""
    deadline = moment(context.current.repair_deadline)
    remaining_s = seconds_between(context.at, deadline)
    if deadline is None or remaining_s is None or context.current.counts.nodes_ready >= context.current.counts.nodes:
        return None
    time = clock(deadline, context.at)
    if remaining_s <= 0:
        return phrase("Node auto repair may replace nodes at any time: its 30 minutes ended at {time}.", time=time)
    return phrase("Node auto repair starts to replace nodes at {time}, in {left}.", time=time, left=duration(remaining_s))
