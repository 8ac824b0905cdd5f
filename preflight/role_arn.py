"""Texts in the place of a role ARN."""

import re
from typing import Final

_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_PLACEHOLDER: Final = re.compile(
    r"<[^>]*>|\b(?:replace|change|fill)[_-]?(?:me|this|in)\b|\byour[_-]|placeholder|\btodo\b|fixme|\bx{3,}\b|account[_-]?id|(?<!\d)0{12}(?!\d)",
    re.IGNORECASE,
)


def fault_of_arn(text: str) -> str:
    """Return why the text is not the ARN of a role that can exist; "" where it is one. Undecided parts are `${...}`."""
    plain = re.sub(r"\$\{[^}]*\}", "", text)
    if _PLACEHOLDER.search(plain.replace("arn:aws", "")):
        return f"{text!r} is a placeholder"
    if "${" in text:
        return _fault_of_open(text)
    if not text.startswith("arn:"):
        return f"{text!r} is not an ARN"
    return "" if _ROLE_ARN.fullmatch(text) else f"{text!r} is not the ARN of an IAM role"


_NO_ARN: Final = re.compile(r"\$\{AWS::(?:StackName|Region|AccountId|URLSuffix)\}")
_RESOURCE: Final = 5
"""Position of the resource among the parts of an ARN."""


def _fault_of_open(text: str) -> str:
    """Return why a text with undecided parts can be no ARN of a role, by its decided parts."""
    masked = re.sub(r"\$\{[^}]*\}", "*", text)
    if not masked.startswith(("arn:", "*")) or _NO_ARN.match(text):
        return f"{text!r} is not an ARN"
    parts = masked.split(":", _RESOURCE)
    if len(parts) > _RESOURCE and ("*" not in parts[2] + parts[5].partition("/")[0]):
        return "" if parts[2] == "iam" and parts[5].startswith("role/") else f"{text!r} is not the ARN of an IAM role"
    return ""
