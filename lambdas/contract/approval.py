"""Approve and reject in chat: what the question must carry, so that its buttons can answer the waiting execution."""

from dataclasses import dataclass
from typing import Final

CALLBACK_ID: Final = "callbackId"
REGION: Final = "region"
CONTEXT_KEYS: Final = (CALLBACK_ID, REGION)
"""Keys of `metadata.additionalContext` in the notification that asks; a notification without them gets no buttons.

`metadata.enableCustomActions` has to be true there as well.
Source: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

NOTIFICATION_TYPE: Final = "Custom"

CALLBACK_ACTIONS: Final = ("lambda:SendDurableExecutionCallbackSuccess", "lambda:SendDurableExecutionCallbackFailure")
"""All that a chat channel may call, on the remediator's executions.

Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-security.html
"""

LONGEST_COMMAND: Final = 100
"""Source: https://docs.aws.amazon.com/chatbot/latest/APIReference/API_CustomActionDefinition.html"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A button under the question. An approval is a callback that succeeds without a result, a rejection one that fails."""

    name: str
    button: str
    call: str

    @property
    def command(self) -> str:
        """What Amazon Q Developer runs, with the notification's values for `$callbackId` and `$region`."""
        return f"lambda {self.call} --callback-id ${CALLBACK_ID} --region ${REGION}"


APPROVE: Final = Answer(name="approve", button="Approve", call="send-durable-execution-callback-success")
REJECT: Final = Answer(name="reject", button="Reject", call="send-durable-execution-callback-failure")
ANSWERS: Final = (APPROVE, REJECT)


def variables() -> dict[str, str]:
    """Where the buttons find their values in the notification: variable name -> path."""
    return {key: f"event.metadata.additionalContext.{key}" for key in CONTEXT_KEYS}
