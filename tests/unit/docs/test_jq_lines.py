"""The lines for jq in the documentation select something from the documents that the commands write."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.sessions import BROKEN, SESSIONS, Session
from tests.unit.cli.terminal import fakes_of, run
from tests.unit.docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LINES = re.findall(r"^irsa-remediator (.+? -o json) \| jq -r '(.+)'$", (ROOT / "docs" / "cli.md").read_text(encoding="utf-8"), re.MULTILINE)
PREPARE = {"history": SESSIONS["history-open"].prepare, "verify": SESSIONS["verify-faults"].prepare}


def test_the_page_has_lines_for_jq() -> None:
    assert len(LINES) == 8


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize(("command", "program"), LINES, ids=[command for command, _ in LINES])
def test_a_line_for_jq_selects_something(command: str, program: str, tmp_path: Path) -> None:
    session = Session((command,), BROKEN, prepare=PREPARE.get(command.split(maxsplit=1)[0], lambda _: None))
    written = run(command.replace("prod-blue", "demo"), fakes_of(session), session, tmp_path).stdout
    selected = subprocess.run(["jq", "-r", program], input=written, capture_output=True, text=True, check=True).stdout
    assert selected.strip()
    assert "null" not in selected
