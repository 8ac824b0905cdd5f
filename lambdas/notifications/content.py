"""The content of a message before a channel renders it. Values are still unescaped."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lambdas.contract.environment import Environment
from lambdas.contract.names import PROJECT
from lambdas.domain.incidents.details import TimelineEvent
from lambdas.notifications.body import paragraphs
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.next_steps import steps
from lambdas.notifications.timeline import TimelineRow, timeline
from lambdas.notifications.title import Mark, mark, titles
from lambdas.notifications.trust_correction import Document, documents
from lambdas.notifications.wording import Code, Link, Phrase, phrase


@dataclass(frozen=True, kw_only=True)
class Content:
    """One message.

    `titles` holds the title and its shorter forms, the longest first. `heading` precedes the steps, and `long_step` replaces a step
    that a channel has no room for. `context`, `keywords` and `resources` are for programs and for searching.
    """

    thread: str
    id: str
    event_type: str
    mark: Mark
    titles: tuple[Phrase, ...]
    paragraphs: tuple[Phrase, ...]
    heading: str
    steps: tuple[Phrase, ...]
    long_step: Phrase
    footer: Phrase
    timeline: tuple[TimelineRow, ...] = ()
    documents: tuple[Document, ...] = ()
    keywords: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    context: Mapping[str, str]


_HEADINGS: Final[Mapping[NotificationKind, str]] = {
    NotificationKind.REPAIRING: "Left for a person:",
    NotificationKind.APPROVAL_REQUESTED: "Your answer:",
    NotificationKind.VERIFIED: "To keep it from coming back:",
}


def compose(context: MessageContext, environment: Environment) -> Content:
    """The content of one notification."""
    verdict, target = context.fault.verdict, context.incident.target
    return Content(
        thread=context.incident.id,
        id=f"{context.incident.id}:{context.kind}:{context.current.began_at}"[:200],
        event_type=f"{PROJECT}:{context.kind}",
        mark=mark(context),
        titles=tuple(_in_environment(title, environment.environment_name) for title in titles(context)),
        paragraphs=paragraphs(context),
        heading=_HEADINGS.get(context.kind, "Next steps:"),
        steps=steps(context),
        long_step=phrase(
            "This step is too long for a chat message. To print it: {command}",
            command=Code(f"irsa-remediator check --cluster {context.cluster}"),
        ),
        footer=phrase(
            "Incident {id} · {account} {region} · runbook {link}",
            id=context.short_id,
            account=environment.account,
            region=environment.region,
            link=Link(f"{environment.runbook_root}/{verdict}.md"),
        ),
        timeline=_timeline(context),
        documents=_documents(context),
        keywords=(verdict, context.cluster, context.workload),
        resources=tuple(filter(None, (context.fault.desired_role, context.fault.binding_path))),
        context={
            "incident": context.incident.id,
            "cluster": context.cluster,
            "serviceAccount": f"{target.namespace}/{target.name}",
            "verdict": verdict,
            "severity": context.severity,
            "outcome": context.kind,
        },
    )


def _in_environment(title: Phrase, name: str) -> Phrase:
    """The title with the name of the environment before the cluster: `prod-eu/prod-blue: ...`. Environments without a name add nothing."""
    return phrase("{environment}/{title}", environment=name, title=title) if name else title


def _timeline(context: MessageContext) -> tuple[TimelineRow, ...]:
    """The timeline of an incident with changes. A message that begins with the verification does not repeat it."""
    if not context.changes:
        return ()
    first = TimelineEvent.VERIFICATION if context.kind is NotificationKind.VERIFIED else ""
    return tuple(row for row in timeline(context.timeline) if row.event != first)


def _documents(context: MessageContext) -> tuple[Document, ...]:
    """The corrected trust policy, in the first message that asks for the correction; reminders do not repeat it."""
    if context.kind not in (NotificationKind.NEEDS_ACTION, NotificationKind.BLOCKED):
        return ()
    return documents(context.current.corrected_trust, context.current.desired_role.rsplit("/", 1)[-1])
