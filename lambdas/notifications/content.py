"""A message before it is written for a channel: phrases with values still unescaped, and what the channels need around them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lambdas.contract.environment import Environment
from lambdas.contract.names import PROJECT
from lambdas.notifications.body import paragraphs
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import Told
from lambdas.notifications.next_steps import steps
from lambdas.notifications.timeline import Moment, timeline
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
    moments: tuple[Moment, ...]
    foot: Phrase
    keywords: tuple[str, ...]
    resources: tuple[str, ...]
    context: Mapping[str, str]
    documents: tuple[Document, ...] = ()


def _documents(told: Told) -> tuple[Document, ...]:
    """In full where people are told first what they have to do, and not again in each reminder."""
    first = told.kind in (NotificationKind.NEEDS_YOU, NotificationKind.WITHHELD)
    return documents(told.now.corrected_trust, told.now.desired_role.rsplit("/", 1)[-1]) if first else ()


def _moments(told: Told) -> tuple[Moment, ...]:
    """What happened, where something was done; a proof that the message begins with is not said again."""
    first = "proof" if told.kind is NotificationKind.PROVEN else ""
    return tuple(item for item in timeline({"lines": told.lines}) if item.what != first) if told.changes else ()


_HEADINGS: Final[Mapping[NotificationKind, str]] = {
    NotificationKind.ASKING: "Your answer:",
    NotificationKind.PROVEN: "Left for you, so that it does not come back:",
}


def compose(told: Told, environment: Environment) -> Content:
    """Everything that one occasion has to say."""
    verdict = told.fault.verdict
    return Content(
        thread=told.incident.id,
        id=f"{told.incident.id}:{told.kind}:{told.now.began_at}"[:200],
        event_type=f"{PROJECT}:{told.kind}",
        mark=mark(told),
        title=title(told),
        paragraphs=paragraphs(told),
        heading=_HEADINGS.get(told.kind, "For you to do:"),
        steps=steps(told),
        instead_of_long_step=say(
            "Too long for a chat: {command} prints it", command=Code(f"irsa-remediator check --cluster {told.cluster}")
        ),
        documents=_documents(told),
        moments=_moments(told),
        foot=say(
            "Incident {id} · {account} {region} · runbook {link}",
            id=told.short_id,
            account=environment.account,
            region=environment.region,
            link=Link(f"{environment.runbook_root}/{verdict}.md"),
        ),
        keywords=(verdict, told.cluster, told.workload),
        resources=tuple(filter(None, (told.fault.desired_role, told.fault.binding_path))),
        context={
            "incident": told.incident.id,
            "cluster": told.cluster,
            "serviceAccount": f"{told.incident.target.namespace}/{told.incident.target.name}",
            "verdict": verdict,
            "severity": told.fault.severity,
            "outcome": told.kind,
        },
    )
