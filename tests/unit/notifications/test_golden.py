"""The text of every message. After a wanted change, set `UPDATE_GOLDEN=1` for this test and read the difference."""

import json
import os
from pathlib import Path
from typing import Final

import pytest

from lambdas.domain.diagnosis.verdict import WITHOUT_FAULT, Verdict
from lambdas.notifications.kind import NotificationKind
from tests.unit.notifications.fault_cases import FAULT_CASES
from tests.unit.notifications.message_cases import message_cases, write

GOLDEN: Final = Path(__file__).parent / "golden"
EVERY_KIND: Final = ("addon-role-missing", "addon-role-missing-latent", "lost-node", "trust-other-issuer")
"""Cases with every message. The messages of the other cases differ from these only in the texts that `FIRST_AND_LAST` shows."""
FIRST_AND_LAST: Final = frozenset({"repairing", "blocked", "needs-action", "verified"})
IN_CHAT: Final = ("addon-role-missing", "trust-other-issuer")
"""Cases whose chat messages are pinned, too: chat has the same texts with other markup."""


@pytest.mark.parametrize("name", FAULT_CASES)
def test_each_case_has_its_golden_text(name: str) -> None:
    messages = {
        title: write(context) for title, context in message_cases(FAULT_CASES[name]) if name in EVERY_KIND or title in FIRST_AND_LAST
    }
    texts = "\n".join(f"######## {title}\nSubject: {message.subject}\n\n{message.text}\n" for title, message in messages.items())
    assert_golden(GOLDEN / f"{name}.txt", texts)
    if name in IN_CHAT:
        chats = {title: json.loads(message.chat) for title, message in messages.items()}
        assert_golden(GOLDEN / f"{name}.chat.json", json.dumps(chats, indent=2, ensure_ascii=False) + "\n")


def assert_golden(path: Path, text: str) -> None:
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs; UPDATE_GOLDEN=1 rewrites it"


@pytest.mark.parametrize("name", FAULT_CASES)
def test_each_case_has_its_verdict(name: str) -> None:
    assert FAULT_CASES[name].assess().verdict is FAULT_CASES[name].verdict


def test_every_verdict_with_a_message_has_a_case() -> None:
    without_message = WITHOUT_FAULT | {Verdict.NOT_APPLICABLE, Verdict.POD_IDENTITY_IN_USE}
    assert {case.verdict for case in FAULT_CASES.values()} == set(Verdict) - without_message


def test_every_notification_kind_has_a_case() -> None:
    assert {context.kind for case in FAULT_CASES.values() for _, context in message_cases(case)} == set(NotificationKind)


def test_every_golden_file_has_a_case() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}.txt" for name in FAULT_CASES} | {f"{name}.chat.json" for name in IN_CHAT}
