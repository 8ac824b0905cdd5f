"""The facts of a message: broken links, the evidence behind the first, pods and nodes in numbers, what was ruled out, the repair clock."""

from collections.abc import Sequence

from lambdas.domain.assessment.summary import LinkSummary
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.plurals import many
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.time_text import clock, duration, moment, seconds_between
from lambdas.notifications.wording import Phrase, join, say


def broken_lines(context: MessageContext) -> tuple[LinkSummary, ...]:
    """Broken links to speak of, in the order of the chain: symptoms after the first are context by the numbers."""
    broken = [link for link in context.fault.links if link.state == State.BROKEN]
    elsewhere = context.fault.counts.nodes_waiting == 0 and any(
        blocked.link == Link.NODES and blocked.reason == BlockReason.NEEDS_PERSON for blocked in context.fault.blocked
    )
    return tuple(item for i, item in enumerate(broken) if i == 0 or item.link < Link.PODS or (item.link == Link.NODES and elsewhere))


def numbers(context: MessageContext) -> Phrase | None:
    """Pods and nodes, but what the first broken link's sentence has counted already."""
    look = context.current if context.is_over else context.fault
    first = None if context.is_over else next((line.link for line in broken_lines(context)), None)
    parts = [
        part
        for part, said_by in ((_pods(context), (Link.PODS,)), (_unready(context), ()), (_nodes(context), (Link.NODES, Link.WORKLOAD)))
        if part and first not in (*said_by, Link.CLUSTER)
    ]
    errors = look.counts.errors_with_role + look.counts.errors_without_role
    if errors and first != Link.PERMISSION_ERRORS:
        parts.append(say("{errors} reported", errors=many(errors, "permission error")))
    return say("Now: {parts}.", parts=join(parts, " · ")) if parts else None


def _pods(context: MessageContext) -> Phrase | None:
    counts = context.current.counts
    role = context.current.desired_role.rsplit("/", 1)[-1]
    if not counts.pods or not role or context.fault.verdict is Verdict.POD_IDENTITY_IN_USE:
        return None
    verb = "carries" if counts.pods_right == 1 else "carry"
    return say("{right} of {pods} {verb} {role}", right=counts.pods_right, pods=many(counts.pods, "pod"), verb=verb, role=role)


def _unready(context: MessageContext) -> Phrase | None:
    unready = context.current.counts.pods - context.current.counts.pods_ready
    return say("{pods} not ready", pods=many(unready, "pod")) if unready > 0 else None


def _nodes(context: MessageContext) -> Phrase | None:
    counts = context.current.counts
    concerned = any(link.link == Link.NODES and link.state != State.NOT_APPLICABLE for link in context.current.links)
    if not counts.nodes or not concerned:
        return None
    apart = [
        *([say("{count} waiting for the CNI", count=counts.nodes_waiting)] if counts.nodes_waiting else []),
        *([say("{count} lost, left out", count=counts.nodes_lost)] if counts.nodes_lost else []),
    ]
    waiting = say(" ({apart})", apart=join(apart, "; ")) if apart else say("")
    return say("{ready} of {nodes} Ready{waiting}", ready=counts.nodes_ready, nodes=many(counts.nodes, "node"), waiting=waiting)


def evidence(context: MessageContext) -> Phrase | None:
    """The facts behind the first broken link that its sentence does not hold already."""
    first = next(iter(broken_lines(context)), None)
    if first is None or first.verdict == Verdict.UPDATE_IN_PROGRESS:
        return None
    alike: dict[tuple[str, str, str], list[str]] = {}
    for subject, field, value, at in first.evidence:
        if value.removesuffix(" refused") not in first.sentence and (value != "none" or at):
            alike.setdefault((field, value, at), []).append(subject)
    shown = [_fact(subjects, *fact, context) for fact, subjects in alike.items()]
    return say("Seen: {facts}.", facts=join(shown, " · ")) if shown else None


def _fact(subjects: Sequence[str], field: str, value: str, at: str, context: MessageContext) -> Phrase:
    since = moment(at)
    when = say(" (since {at})", at=clock(since, context.at)) if since else say("")
    return say("{subjects}, {field}: {value}{when}", subjects=", ".join(subjects), field=field, value=value.rstrip("."), when=when)


def ruled_out(context: MessageContext) -> Phrase | None:
    """The links that were read and hold, where the cause lies elsewhere."""
    well = [link.title for link in context.fault.links if link.state == State.OK and link.link > Link.MECHANISM]
    if context.fault.verdict not in (Verdict.NODES_NOT_READY, Verdict.ADDON_DEGRADED, Verdict.STS_UNREACHABLE) or not well:
        return None
    return say("Checked and well: {titles}.", titles=", ".join(well))


def repair_clock(context: MessageContext) -> Phrase | None:
    """When node auto repair begins to replace nodes, while some are not Ready."""
    deadline = moment(context.current.repair_deadline)
    left = seconds_between(context.at, deadline)
    if deadline is None or left is None or context.current.counts.nodes_ready >= context.current.counts.nodes:
        return None
    if left <= 0:
        return say("Node auto repair may replace nodes at any moment: its 30 minutes ended at {time}.", time=clock(deadline, context.at))
    return say("Node auto repair starts to replace nodes at {time}, in {left}.", time=clock(deadline, context.at), left=duration(left))
