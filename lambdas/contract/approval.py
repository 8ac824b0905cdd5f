"""The approval buttons in chat: what the notification must contain so that they can answer the waiting execution."""

from dataclasses import dataclass
from typing import Final

CALLBACK_ID: Final = "callbackId"
REGION: Final = "region"
CONTEXT_KEYS: Final = (CALLBACK_ID, REGION)
"""Keys of `metadata.additionalContext` in an approval request. A notification without them shows no buttons.

`metadata.enableCustomActions` must be true as well.
Source: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

NOTIFICATION_TYPE: Final = "Custom"

CALLBACK_ACTIONS: Final = ("lambda:SendDurableExecutionCallbackSuccess", "lambda:SendDurableExecutionCallbackFailure")
"""The only calls that a chat channel may make, on executions of the remediator.

Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-security.html
"""

LONGEST_COMMAND: Final = 100
"""Source: https://docs.aws.amazon.com/chatbot/latest/APIReference/API_CustomActionDefinition.html"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A button below an approval request. An approval is a callback success without a result; a rejection is a callback failure."""

    name: str
    button: str
    call: str

    @property
    def command(self) -> str:
        """The command that Amazon Q Developer runs. The notification provides the values of `$callbackId` and `$region`."""
        return f"lambda {self.call} --callback-id ${CALLBACK_ID} --region ${REGION}"


APPROVE: Final = Answer(name="approve", button="Approve", call="send-durable-execution-callback-success")
REJECT: Final = Answer(name="reject", button="Reject", call="send-durable-execution-callback-failure")
ANSWERS: Final = (APPROVE, REJECT)


def variables() -> dict[str, str]:
    """Variable name -> path of its value in the notification."""
    return {key: f"event.metadata.additionalContext.{key}" for key in CONTEXT_KEYS}
