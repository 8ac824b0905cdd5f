"""Telling people what happened: each occasion once, and a message that could not be sent once more before we only wait, or end."""

from lambdas.application.remediation.state import Turn
from lambdas.application.workflow_steps import SENDING, sent
from lambdas.notifications.kind import Occasion


def tell(turn: Turn, occasion: str, **more: object) -> None:
    """The message of this occasion, about the story so far and `more`."""
    key, about = f"{turn.n} {occasion}", turn.story.about(occasion=str(occasion).split()[0], **more)
    told = turn.once(f"tell {occasion}", lambda: turn.work.tell(key, about))
    turn.story.unsent = (key, about) if told.get("failed") else None
    if (told.get("sent") or told.get("failed")) and not occasion.startswith(Occasion.REMINDER):
        turn.story.told = str(occasion)


def tell_unsent(turn: Turn) -> None:
    """The last message again, where it could not be sent."""
    if unsent := turn.story.unsent:
        told = turn.until("tell again", lambda _: turn.work.tell(*unsent), sent, SENDING)
        turn.story.unsent = None if sent(told) else unsent


def escalate(turn: Turn, trouble: str) -> None:
    """Our repair did not work: from here on a person decides, and we only watch."""
    turn.story.gave_up = True
    tell(turn, Occasion.NEEDS_YOU, trouble=trouble)
