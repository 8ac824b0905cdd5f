"""Every command's terminal sessions, good and bad, word for word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.cli.sessions import SESSIONS, Session
from tests.unit.cli.terminal import fakes_of, transcript, typed

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(("name", "session"), SESSIONS.items(), ids=SESSIONS)
def test_the_terminal_shows_what_it_showed_when_somebody_looked(name: str, session: Session, tmp_path: Path) -> None:
    """Set UPDATE_GOLDEN=1 to write the files anew, then look at what changed."""
    shown = transcript(session, tmp_path).replace(str(tmp_path), "/events")
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown)
    assert shown == file.read_text()
    assert "Traceback" not in shown
    assert "\x1b" not in shown


def test_no_session_is_left_from_earlier() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(SESSIONS)


@pytest.mark.parametrize("name", ["check-trust", "plan", "history", "settings-describe", "access-check"])
def test_no_line_ends_in_spaces_which_would_follow_a_commands_backslash(name: str, tmp_path: Path) -> None:
    session = SESSIONS[name]
    fakes = fakes_of(session)
    for line in session.typed:
        assert [item for item in typed(line, fakes, session, tmp_path).stdout.splitlines() if item != item.rstrip()] == []
