"""Messages for people, in chat and by mail."""

from datetime import datetime

from lambdas.contract.environment import Environment
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.ports import Message
from lambdas.notifications import chat, escape, mail
from lambdas.notifications.body import consequence
from lambdas.notifications.content import Content, compose
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.wording import PLAIN


def message(context: MessageContext, *, environment: Environment, callback_id: str = "") -> Message:
    """The message of one notification.

    Args:
        context: the notification. The id of its incident names the thread.
        environment: account, region and the address of the runbooks.
        callback_id: the callback that the buttons of an approval request answer; empty for every other notification.
    """
    plan = context.current.plan_digest if callback_id else ""
    return render(compose(context, environment), environment=environment, callback_id=callback_id, plan=plan)


def render(content: Content, *, environment: Environment, callback_id: str = "", plan: str = "") -> Message:
    """A message from its content. An approval request has a callback and the digest of its plan.

    The attributes are those values of the content's context that subscriptions filter by.
    """
    attributes = {name: content.context[name] for name in ("severity", "cluster", "verdict", "outcome") if name in content.context}
    return Message(
        thread=content.thread,
        subject=mail.subject(content),
        chat=chat.notification(content, callback_id=callback_id, plan=plan, region=environment.region),
        text=mail.text(content),
        attributes={name: escape.plain(value) for name, value in attributes.items()},
    )


def consequence_text(summary: AssessmentSummary) -> str:
    """The consequence of a fault as plain text: what fails now, and what still works."""
    at = datetime.fromisoformat(summary.began_at)
    incident = Incident(id="", target=summary.service_account, opened_at=at, signals=1, request={})
    context = MessageContext(kind=NotificationKind.BLOCKED, incident=incident, current=summary, first=summary)
    return consequence(context).render(PLAIN)
