"""Documents of every session as JSON and as YAML, against the published schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from cli.errors import ExitCode
from tests.unit.cli.sessions import SESSIONS, Session
from tests.unit.cli.terminal import fakes_of, run
from tests.unit.cli.test_help import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parents[3] / "docs"
SCHEMA = json.loads((DOCS / "cli.schema.json").read_text())
WITHOUT_SCHEMA = frozenset({"preflight", "mcp"})
"""Commands with a page of its own, or a protocol of its own."""
VALIDATOR = Draft202012Validator(SCHEMA)


def documents(session: Session, form: str, folder: Path) -> Iterator[Any]:
    """Return the document of each command in this format. A command that fails writes none."""
    fakes = fakes_of(session)
    for command in session.commands:
        plain = re.sub(r" (?:-o|--output) \w+", "", command)
        result = run(f"{plain} --output {form}", fakes, session, folder)
        written = result.stdout.removeprefix(session.answer or "").strip()
        if written.startswith(("{", "schemaVersion")):
            document = json.loads(written) if form == "json" else yaml.safe_load(written)
            assert document["exitCode"] == result.exit_code
            yield document
        else:
            assert result.stderr or session.answer, f"{command} wrote neither a document nor an error: {written}"


@pytest.mark.parametrize(("name", "session"), SESSIONS.items(), ids=SESSIONS)
def test_every_document_matches_the_schema(name: str, session: Session, tmp_path: Path) -> None:
    as_json, as_yaml = (list(documents(session, form, tmp_path)) for form in ("json", "yaml"))
    assert as_json == as_yaml
    for document in as_json:
        if document["command"] in WITHOUT_SCHEMA:
            continue
        kinds = [item for item in SCHEMA["oneOf"] if document["command"] in _commands(item)]
        problems = [list(Draft202012Validator({**kind, "$defs": SCHEMA["$defs"]}).iter_errors(document)) for kind in kinds]
        assert [problem for problem in problems if not problem], f"{document['command']}: {problems}"
        VALIDATOR.validate(document)


def _commands(kind: dict[str, Any]) -> list[str]:
    command = kind["properties"]["command"]
    return command.get("enum") or [command["const"]]


def test_the_schema_covers_every_command() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    described = {command for kind in SCHEMA["oneOf"] for command in _commands(kind)}
    assert described == set(COMMANDS) - WITHOUT_SCHEMA


def test_the_page_names_every_command_option_and_exit_code() -> None:
    page = (DOCS / "cli.md").read_text()
    for name, command in COMMANDS.items():
        assert f"`{name}" in page
        for option in (opt for parameter in command.params for opt in parameter.opts if opt.startswith("--") and name != "preflight"):
            assert f"`{option}" in page or f" {option}" in page, f"{name} {option}"
    assert [f"`{code.value}`" for code in ExitCode if f"`{code.value}`" not in page] == []
