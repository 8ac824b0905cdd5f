"""The approval buttons in chat: what the notification must contain so that they can answer the waiting execution."""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

CALLBACK_ID: Final = "callbackId"
REGION: Final = "region"
PLAN: Final = "plan"
CONTEXT_KEYS: Final = (CALLBACK_ID, REGION, PLAN)
"""Keys of `metadata.additionalContext` in an approval request. A notification without them shows no buttons.

`metadata.enableCustomActions` must be true as well.
Source: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

NOTIFICATION_TYPE: Final = "Custom"

CALLBACK_ACTIONS: Final = ("lambda:SendDurableExecutionCallbackSuccess", "lambda:SendDurableExecutionCallbackFailure")
"""The only calls that a chat channel may make, on executions of the remediator.

Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-security.html
"""

ID: Final = "id"
"""The variable of the callback id. Its name is short, since a command has few characters."""

LONGEST_COMMAND: Final = 100
"""Source: https://docs.aws.amazon.com/chatbot/latest/APIReference/API_CustomActionDefinition.html"""


PLAN_DIGEST_LENGTH: Final = 24
"""Hexadecimal digits, 96 bits: a second plan with the same digest cannot be found by trial."""
PLAN_DIGEST: Final = re.compile(f"[0-9a-f]{{{PLAN_DIGEST_LENGTH}}}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A button below an approval request. An approval is a callback success with the plan; a rejection is a callback failure."""

    name: str
    button: str
    call: str
    carries_plan: bool = False

    @property
    def command(self) -> str:
        """The command that Amazon Q Developer runs. The notification provides the values of its variables."""
        plan = f" --result ${PLAN}" if self.carries_plan else ""
        return f"lambda {self.call} --callback-id ${ID} --region ${REGION}{plan}"

    @property
    def variables(self) -> dict[str, str]:
        """Variable of the command -> path of its value in the notification."""
        keys = {ID: CALLBACK_ID, REGION: REGION} | ({PLAN: PLAN} if self.carries_plan else {})
        return {name: f"event.metadata.additionalContext.{key}" for name, key in keys.items()}


APPROVE: Final = Answer(name="approve", button="Approve", call="send-durable-execution-callback-success", carries_plan=True)
REJECT: Final = Answer(name="reject", button="Reject", call="send-durable-execution-callback-failure")
ANSWERS: Final = (APPROVE, REJECT)


def encode_plan(digest: str) -> str:
    """The digest as the button sends it: Base64, which version 2 of the AWS command line decodes in `--result`.

    AWS does not document whether chat decodes it (unsourced). The digest survives both, since `decode_plan` reads both.
    Source: https://docs.aws.amazon.com/cli/latest/userguide/cliv2-migration-changes.html
    """
    return b64encode(digest.encode()).decode()


def decode_plan(result: str) -> str:
    """The digest that the button has sent, with or without its Base64; empty where the result is no digest."""
    if PLAN_DIGEST.fullmatch(result):
        return result
    try:
        decoded = b64decode(result, validate=True).decode("ascii")
    except ValueError:
        return ""
    return decoded if PLAN_DIGEST.fullmatch(decoded) else ""
