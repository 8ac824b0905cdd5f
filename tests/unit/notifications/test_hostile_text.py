"""Any text in names, node messages and events gives a message of legal size without mentions, control characters or bidi marks."""

import json
import re
import unicodedata
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.contract.approval import CALLBACK_ID, REGION
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.ports import Message
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from tests.unit.notifications.fault_cases import FAULT_CASES
from tests.unit.notifications.message_cases import CALLBACK, message_cases, write

HOSTILE: Final = (
    "<!channel> <@U0123> <https://evil.example|AWS>",
    "@here @channel see https://evil.example",
    "`*_~ ```\n# heading\n- list [click](https://evil.example)",
    "safe\u202egnp.exe\u2066\u200b\x00\x1b[31m\r\n🔴 prod: all is well",
    "{0} {look} {} %s \ud800",
    "x" * 5_000,
    "🔴" * 1_500,
)
TEXT: Final = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60), st.builds("".join, st.lists(st.sampled_from(HOSTILE), max_size=3)))
CONTEXTS: Final = [context for case in FAULT_CASES.values() for _, context in message_cases(case)]
CLOSED_SETS: Final = frozenset({"incident", "target", "state", "reason", "verdicts"})
"""Fields whose values are enumerations or checked names, though their type is text."""


def _poisoned(value: Any, draw: Any) -> Any:
    """The same value with other text in some of its text fields."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return draw(TEXT) if draw(st.booleans()) else value
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value) if field.name not in CLOSED_SETS]
        return replace(value, **{name: _poisoned(getattr(value, name), draw) for name in names})
    if isinstance(value, dict):
        return {key: _poisoned(item, draw) for key, item in value.items()}
    return tuple(_poisoned(item, draw) for item in value) if isinstance(value, tuple) else value


@st.composite
def any_context(draw: Any) -> MessageContext:
    context: MessageContext = _poisoned(draw(st.sampled_from(CONTEXTS)), draw)
    return context


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)]
    return [text for item in value for text in _strings(item)] if isinstance(value, list) else [value] if isinstance(value, str) else []


def _invisible(text: str, but: str = "") -> set[str]:
    return {char for char in text if char not in but and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")}


def assert_legal(message: Message) -> None:
    chat = json.loads(message.chat)
    content = chat["content"]
    assert set(chat) == {"version", "source", "id", "content", "metadata"}
    assert len(content["title"]) <= 250
    assert len(content["description"]) <= 2_900
    assert sum(map(len, content.get("nextSteps", []))) < 3_000
    assert len(content.get("nextSteps", [])) <= 5
    assert len(message.chat.encode()) < 262_144
    assert len(message.text.encode()) < 262_144
    assert 0 < len(message.subject) < 100
    assert message.subject.isascii()
    assert message.subject.isprintable()
    assert all(value and not _invisible(value) for value in message.attributes.values())


def assert_harmless(message: Message) -> None:
    chat = json.loads(message.chat)
    assert not _invisible(message.text, but="\n")
    for text in _strings(chat):
        assert not _invisible(text, but="\n")
    for text in [*_strings(chat["content"]), chat["metadata"]["summary"]]:
        assert "<" not in text
        assert not re.search(r"(?<![A-Za-z0-9])@", text)
        assert text.count("```") % 2 == 0
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", _visible_text(chat), flags=re.DOTALL)
    assert set(re.findall(r"https?://\S+", prose)) <= {f"https://example.com/runbooks/{case.verdict}.md" for case in FAULT_CASES.values()}


def _visible_text(chat: dict[str, Any]) -> str:
    content = chat["content"]
    return "\n".join([content["title"], content["description"], *content.get("nextSteps", [])])


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(any_context())
def test_any_text_gives_a_legal_and_harmless_message(context: MessageContext) -> None:
    message = write(context)
    assert_legal(message)
    assert_harmless(message)


@pytest.mark.parametrize("role", HOSTILE)
def test_the_name_of_a_role_cannot_harm_the_title_of_its_trust_policy(role: str) -> None:
    context = next(one for one in CONTEXTS if one.current.corrected_trust and one.kind is NotificationKind.NEEDS_ACTION)
    assert "Corrected trust policy of" in write(context).text
    assert_harmless(write(replace(context, current=replace(context.current, desired_role=f"role/{role}"))))


@settings(max_examples=100)
@given(st.sampled_from(CONTEXTS), TEXT)
def test_one_value_never_makes_a_second_line(context: MessageContext, value: str) -> None:
    message, short = (write(replace(context, verification=text, trouble=text)) for text in (value, "one word"))
    assert message.text.count("\n") <= short.text.count("\n")


def test_only_an_approval_request_has_a_callback() -> None:
    for context in CONTEXTS:
        metadata = json.loads(write(context).chat)["metadata"]
        is_request = context.kind is NotificationKind.APPROVAL_REQUESTED
        assert (metadata["additionalContext"].get(CALLBACK_ID) == CALLBACK) is is_request
        assert (REGION in metadata["additionalContext"]) is is_request
        assert metadata.get("enableCustomActions", False) is is_request


def test_messages_of_one_incident_share_a_thread_and_differ_in_id() -> None:
    written = [json.loads(write(context).chat) for context in CONTEXTS[:8]]
    assert len({chat["metadata"]["threadId"] for chat in written}) == 1
    assert len({(chat["id"], chat["content"]["title"]) for chat in written}) == len(written)


def test_a_service_account_with_the_longest_names_has_a_legal_message() -> None:
    context = CONTEXTS[0]
    longest = ServiceAccountRef("c" * 100, "n" * 63, "s" * 253)
    assert_legal(write(replace(context, incident=replace(context.incident, target=longest))))
