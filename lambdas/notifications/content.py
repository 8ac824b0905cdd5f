"""A message before it is written for a channel: phrases with values still unescaped, and what the channels need around them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lambdas.contract.environment import Environment
from lambdas.contract.names import PROJECT
from lambdas.notifications.body import paragraphs
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext, TimelineEvent
from lambdas.notifications.next_steps import steps
from lambdas.notifications.timeline import TimelineRow, timeline
from lambdas.notifications.title import Mark, mark, title
from lambdas.notifications.trust_correction import Document, documents
from lambdas.notifications.wording import Code, Link, Phrase, say


@dataclass(frozen=True, kw_only=True)
class Content:
    """One message. `heading` stands above the steps; `context`, `keywords` and `resources` are for machines and for searching."""

    thread: str
    id: str
    event_type: str
    mark: Mark
    title: Phrase
    paragraphs: tuple[Phrase, ...]
    heading: str
    steps: tuple[Phrase, ...]
    instead_of_long_step: Phrase
    moments: tuple[TimelineRow, ...]
    foot: Phrase
    keywords: tuple[str, ...]
    resources: tuple[str, ...]
    context: Mapping[str, str]
    documents: tuple[Document, ...] = ()


def _documents(context: MessageContext) -> tuple[Document, ...]:
    """In full where people are context first what they have to do, and not again in each reminder."""
    first = context.kind in (NotificationKind.NEEDS_ACTION, NotificationKind.BLOCKED)
    return documents(context.current.corrected_trust, context.current.desired_role.rsplit("/", 1)[-1]) if first else ()


def _moments(context: MessageContext) -> tuple[TimelineRow, ...]:
    """What happened, where something was done; a proof that the message begins with is not said again."""
    first = TimelineEvent.VERIFICATION if context.kind is NotificationKind.VERIFIED else ""
    return tuple(item for item in timeline(context.timeline) if item.event != first) if context.changes else ()


_HEADINGS: Final[Mapping[NotificationKind, str]] = {
    NotificationKind.APPROVAL_REQUESTED: "Your answer:",
    NotificationKind.VERIFIED: "Left for you, so that it does not come back:",
}


def compose(context: MessageContext, environment: Environment) -> Content:
    """Everything that one occasion has to say."""
    verdict = context.fault.verdict
    return Content(
        thread=context.incident.id,
        id=f"{context.incident.id}:{context.kind}:{context.current.began_at}"[:200],
        event_type=f"{PROJECT}:{context.kind}",
        mark=mark(context),
        title=title(context),
        paragraphs=paragraphs(context),
        heading=_HEADINGS.get(context.kind, "For you to do:"),
        steps=steps(context),
        instead_of_long_step=say(
            "Too long for a chat: {command} prints it", command=Code(f"irsa-remediator check --cluster {context.cluster}")
        ),
        documents=_documents(context),
        moments=_moments(context),
        foot=say(
            "Incident {id} · {account} {region} · runbook {link}",
            id=context.short_id,
            account=environment.account,
            region=environment.region,
            link=Link(f"{environment.runbook_root}/{verdict}.md"),
        ),
        keywords=(verdict, context.cluster, context.workload),
        resources=tuple(filter(None, (context.fault.desired_role, context.fault.binding_path))),
        context={
            "incident": context.incident.id,
            "cluster": context.cluster,
            "serviceAccount": f"{context.incident.target.namespace}/{context.incident.target.name}",
            "verdict": verdict,
            "severity": context.fault.severity,
            "outcome": context.kind,
        },
    )
