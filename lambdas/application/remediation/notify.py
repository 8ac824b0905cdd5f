"""Telling people what happened: each occasion once, and a message that could not be sent once more before we only wait, or end."""

from lambdas.application.remediation.state import Iteration
from lambdas.application.workflow_steps import SENDING, sent
from lambdas.notifications.kind import NotificationKind


def tell(iteration: Iteration, occasion: str, **more: object) -> None:
    """The message of this occasion, about the story so far and `more`."""
    key, about = f"{iteration.n} {occasion}", iteration.story.about(occasion=str(occasion).split()[0], **more)
    told = iteration.once(f"tell {occasion}", lambda: iteration.work.tell(key, about))
    iteration.story.unsent = (key, about) if told.get("failed") else None
    if (told.get("sent") or told.get("failed")) and not occasion.startswith(NotificationKind.REMINDER):
        iteration.story.told = str(occasion)


def tell_unsent(iteration: Iteration) -> None:
    """The last message again, where it could not be sent."""
    if unsent := iteration.story.unsent:
        told = iteration.until("tell again", lambda _: iteration.work.tell(*unsent), sent, SENDING)
        iteration.story.unsent = None if sent(told) else unsent


def escalate(iteration: Iteration, trouble: str) -> None:
    """Our repair did not work: from here on a person decides, and we only watch."""
    iteration.story.gave_up = True
    tell(iteration, NotificationKind.NEEDS_ACTION, trouble=trouble)
