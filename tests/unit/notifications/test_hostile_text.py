"""Whatever stands in names, node messages and events: a message is written, fits, and has no mention, control or bidi mark in it."""

import json
import re
import unicodedata
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.contract.approval import CALLBACK_ID, REGION
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.ports import Message
from lambdas.notifications.kind import NotificationKind
from tests.unit.notifications.fault_cases import FAULT_CASES
from tests.unit.notifications.message_cases import CALLBACK, stories, write

HOSTILE = (
    "<!channel> <@U0123> <https://evil.example|AWS>",
    "@here @channel see https://evil.example",
    "`*_~ ```\n# heading\n- list [click](https://evil.example)",
    "safe\u202egnp.exe\u2066\u200b\x00\x1b[31m\r\n🔴 prod: all is well",
    "{0} {look} {} %s \ud800",
    "x" * 5_000,
    "🔴" * 1_500,
)
TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60), st.builds("".join, st.lists(st.sampled_from(HOSTILE), max_size=3)))
ALL_STORIES = [(name, *story) for name, world in FAULT_CASES.items() for story in stories(world)]
KEPT = frozenset({"verdict", "severity", "notify_from", "kind", "workload", "occasion", "state", "link", "reason"})
"""Words of ours, not of others: a closed set of values each."""


def _poisoned(value: Any, draw: Any) -> Any:
    """The same JSON with other words in some of its text fields."""
    if isinstance(value, dict):
        return {key: item if key in KEPT else _poisoned(item, draw) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_poisoned(item, draw) for item in value]
    return draw(TEXT) if isinstance(value, str) and draw(st.booleans()) else value


@st.composite
def any_story(draw: Any) -> tuple[NotificationKind, dict[str, Any], Incident]:
    _, _, occasion, about, incident = draw(st.sampled_from(ALL_STORIES))
    return occasion, _poisoned(about, draw), incident


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)]
    return [text for item in value for text in _strings(item)] if isinstance(value, list) else [value] if isinstance(value, str) else []


def _unseen(text: str, but: str = "") -> set[str]:
    return {item for item in text if item not in but and unicodedata.category(item) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")}


def assert_legal(message: Message) -> None:
    chat = json.loads(message.chat)
    content = chat["content"]
    assert set(chat) == {"version", "source", "id", "content", "metadata"}
    assert len(content["title"]) <= 250
    assert len(content["description"]) < 2_900 + 1
    assert sum(map(len, content.get("nextSteps", []))) < 3_000
    assert len(content.get("nextSteps", [])) <= 5
    assert len(message.chat.encode()) < 262_144
    assert len(message.text.encode()) < 262_144
    assert 0 < len(message.subject) < 100
    assert message.subject.isascii()
    assert message.subject.isprintable()
    assert all(value and not _unseen(value) for value in message.attributes.values())


def assert_harmless(message: Message) -> None:
    chat = json.loads(message.chat)
    assert not _unseen(message.text, but="\n")
    for text in _strings(chat):
        assert not _unseen(text, but="\n")
    for text in [*_strings(chat["content"]), chat["metadata"]["summary"]]:
        assert "<" not in text
        assert not re.search(r"(?<![A-Za-z0-9])@", text)
        assert text.count("```") % 2 == 0
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", content_text(chat), flags=re.DOTALL)
    assert set(re.findall(r"https?://\S+", prose)) <= {f"https://example.com/runbooks/{verdict}.md" for verdict in _verdicts()}


def content_text(chat: dict[str, Any]) -> str:
    """All that a chat shows."""
    content = chat["content"]
    return "\n".join([content["title"], content["description"], *content.get("nextSteps", [])])


def _verdicts() -> set[str]:
    return {str(world.verdict) for world in FAULT_CASES.values()}


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(any_story())
def test_any_words_give_a_legal_and_harmless_message(story: tuple[NotificationKind, dict[str, Any], Incident]) -> None:
    message = write(*story)
    assert_legal(message)
    assert_harmless(message)


@settings(max_examples=100)
@given(st.sampled_from([all_story for all_story in ALL_STORIES if all_story[2] is not NotificationKind.REPAIRING]), TEXT)
def test_one_value_never_makes_a_second_line(story: tuple[str, str, NotificationKind, dict[str, Any], Incident], value: str) -> None:
    _, _, occasion, about, incident = story
    changed = {**about, "proof": value, "trouble": value}
    spoken = {**about, "proof": "one word", "trouble": "one word"}
    longer = write(occasion, changed, incident).text.count("\n")
    assert longer <= write(occasion, spoken, incident).text.count("\n")


def test_only_a_question_carries_what_buttons_answer() -> None:
    for _, _, occasion, about, incident in ALL_STORIES:
        metadata = json.loads(write(occasion, about, incident).chat)["metadata"]
        asks = occasion is NotificationKind.APPROVAL_REQUESTED
        assert (metadata["additionalContext"].get(CALLBACK_ID) == CALLBACK) is asks
        assert (REGION in metadata["additionalContext"]) is asks
        assert metadata.get("enableCustomActions", False) is asks


def test_messages_of_one_incident_share_a_thread_and_differ_in_id() -> None:
    written = [json.loads(write(occasion, about, incident).chat) for _, _, occasion, about, incident in ALL_STORIES[:8]]
    assert len({item["metadata"]["threadId"] for item in written}) == 1
    assert len({(item["id"], item["content"]["title"]) for item in written}) == len(written)


def test_a_name_of_any_service_account_has_words() -> None:
    _, _, occasion, about, incident = ALL_STORIES[0]
    other = ServiceAccountRef("c" * 100, "n" * 63, "s" * 253)
    assert_legal(write(occasion, about, Incident(**{**vars(incident), "target": other})))
