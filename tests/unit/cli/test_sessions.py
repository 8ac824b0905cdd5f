"""Terminal sessions against golden files, and the main views at other widths."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.cli.sessions import SESSIONS, Session
from tests.unit.cli.terminal import fakes_of, run, transcript

GOLDEN = Path(__file__).parent / "golden"
LONGEST_NAME = 48
"""A longer ARN may be folded."""
VIEWS = (
    "check-trust",
    "check-all",
    "check-mechanisms",
    "plan",
    "history",
    "settings-describe",
    "access-check",
    "bindings-fleet",
    "adopt",
    "verify-faults",
    "fleet",
    "fleet-check",
    "fleet-plan",
    "fleet-preflight",
    "fleet-access",
)


@pytest.mark.parametrize(("name", "session"), SESSIONS.items(), ids=SESSIONS)
def test_output_equals_the_golden_file(name: str, session: Session, tmp_path: Path) -> None:
    """Set UPDATE_GOLDEN=1 to rewrite the files, then review the diff."""
    output = transcript(session, tmp_path).replace(str(tmp_path), "/events")
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(output)
    assert output == file.read_text()
    assert "Traceback" not in output
    assert "\x1b" not in output


def test_every_golden_file_has_a_session() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(SESSIONS)


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("name", VIEWS)
def test_views_fit_the_terminal_without_cutting_words(name: str, columns: int, tmp_path: Path) -> None:
    session = SESSIONS[name]
    fakes, wide_fakes = fakes_of(session), fakes_of(session)
    for command in session.commands:
        output = run(command, fakes, session, tmp_path, columns=columns).stdout
        wide_output = run(command, wide_fakes, session, tmp_path, columns=1000).stdout
        assert "".join(sorted("".join(output.split()))) == "".join(sorted("".join(wide_output.split()))), "text was cut"
        assert all(len(word) > LONGEST_NAME for word in set(wide_output.split()) - set(output.split())), "a name was folded"
        lines = output.splitlines()
        assert [line for line in lines if line != line.rstrip()] == [], "a backslash of a command must be the last character of its line"
        copied = {line.strip() for line in wide_output.splitlines()}  # commands and policies to copy are never wrapped
        assert [line for line in lines if len(line) > columns and line.strip() not in copied] == []


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_prose_of_a_result_is_wrapped_between_words_and_lines_to_copy_are_not(columns: int, tmp_path: Path) -> None:
    session = SESSIONS["fix-answered-yes"]
    output = run("fix", fakes_of(session), session, tmp_path, columns=columns).stdout
    address = next(line for line in output.splitlines() if line.startswith("Incident "))
    assert address.endswith("addon-role-missing.md")
    prose = [line for line in output.splitlines() if not line.startswith((" ", "Incident "))]
    assert max(map(len, prose)) <= columns
    cut = [
        line
        for line in output.splitlines()
        if len(line) > columns and not any(mark in line for mark in ('= "', "https://", "irsa-remediator "))
    ]
    assert cut == []
    assert "What was broken: The vpc-cni add-on has no role, so its next update removes the annotation." in " ".join(output.split())
