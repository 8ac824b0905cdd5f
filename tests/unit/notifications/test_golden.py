"""Every message, word for word. After a wanted change: `UPDATE_GOLDEN=1 pytest tests/unit/notifications/test_golden.py`, then read the diff."""

import json
import os
from pathlib import Path

import pytest

from lambdas.domain.diagnosis.verdict import HEALTHY_VERDICTS, Verdict
from lambdas.notifications.kind import NotificationKind
from tests.unit.notifications.fault_cases import FAULT_CASES
from tests.unit.notifications.message_cases import stories, write

GOLDEN = Path(__file__).parent / "golden"
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"


@pytest.mark.parametrize("name", FAULT_CASES)
def test_each_world_is_told_in_the_same_words(name: str) -> None:
    written = {story: write(occasion, about, incident) for story, occasion, about, incident in stories(FAULT_CASES[name])}
    texts = "\n".join(f"######## {story}\nSubject: {item.subject}\n\n{item.text}\n" for story, item in written.items())
    chats = json.dumps({story: json.loads(item.chat) for story, item in written.items()}, indent=2, ensure_ascii=False) + "\n"
    for suffix, now in ((".txt", texts), (".chat.json", chats)):
        path = GOLDEN / f"{name}{suffix}"
        if UPDATE:
            path.parent.mkdir(exist_ok=True)
            path.write_text(now, encoding="utf-8")
        assert now == path.read_text(encoding="utf-8"), f"{path.name} differs; UPDATE_GOLDEN=1 writes it anew"


@pytest.mark.parametrize("name", FAULT_CASES)
def test_each_world_has_the_verdict_that_it_stands_for(name: str) -> None:
    assert FAULT_CASES[name].look().verdict is FAULT_CASES[name].verdict


def test_every_verdict_that_is_told_has_a_world() -> None:
    assert {world.verdict for world in FAULT_CASES.values()} == set(Verdict) - (HEALTHY_VERDICTS - {Verdict.POD_IDENTITY_IN_USE})


def test_every_occasion_is_told_in_some_world() -> None:
    assert {occasion for world in FAULT_CASES.values() for _, occasion, _, _ in stories(world)} == set(NotificationKind)


def test_no_golden_file_is_left_over() -> None:
    assert {path.name.split(".")[0] for path in GOLDEN.iterdir()} == set(FAULT_CASES)
