"""Report: what people are told, in chat and by mail, from the workflow's story. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lambdas.contract.environment import Environment
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.ports import Message
from lambdas.notifications import chat, escape, mail
from lambdas.notifications.body import means
from lambdas.notifications.content import compose
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import Told, read_story
from lambdas.notifications.wording import PLAIN


def message(
    kind: NotificationKind, about: Mapping[str, Any], incident: Incident, *, environment: Environment, callback_id: str = ""
) -> Message:
    """Write one message.

    Args:
        occasion: why people are told.
        about: the workflow's story: `look` and `first` (looks as JSON), `lines` (`{"at", "what", "words", "counts"}`), `changes` (kinds
            of actions), and, where the occasion has them, `proof` and `trouble` (sentences) and `answer`
            (`{"approved", "by"}` or `{"timed_out"}`).
        incident: its id names the thread.
        environment: where we are, and where the runbooks stand.
        callback_id: what the buttons of a question answer; empty where there are none.
    """
    content = compose(read_story(kind, about, incident), environment)
    attributes = {name: content.context[name] for name in ("severity", "cluster", "verdict", "outcome")}
    return Message(
        thread=content.thread,
        subject=mail.subject(content),
        chat=chat.notification(content, callback_id=callback_id, region=environment.region),
        text=mail.text(content),
        attributes={name: escape.plain(value) for name, value in attributes.items()},
    )


def meaning_of(look: AssessmentSummary) -> str:
    """What a look that shows something broken means, in plain text: what fails now, and what still works."""
    at = datetime.fromisoformat(look.began_at)
    nobodys = Incident(id="", target=look.service_account, opened_at=at, signals=1, request={})
    return means(Told(kind=NotificationKind.WITHHELD, incident=nobodys, now=look, fault=look, lines=(), changes=(), answer={})).render(
        PLAIN
    )
