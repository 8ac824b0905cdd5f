"""Every command in the documentation exists with its options, and a test runs it or it needs an account."""

import os
import re
import subprocess
from typing import Any, Final

import botocore.session
import pytest
from botocore import xform_name
from typer.main import get_command

from cli.main import app
from sandbox.simulation.scenario import load, names
from tests.unit.cli.sessions import SESSIONS
from tests.unit.docs.commands import Command, commands
from tests.unit.docs.pages import ROOT

COMMANDS = commands()
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z0-9-]+):.*?##", MAKEFILE, flags=re.MULTILINE))

RUN: Final = {
    "make setup": ".ci/run",
    "make test": ".ci/run",
    "make check": ".ci/run",
    "make lint": ".ci/run",
    "make fmt": "tests/unit/docs/test_commands.py",
    "make infra": ".ci/run",
    "make e2e": ".ci/run",
    "make help": "tests/unit/docs/test_commands.py",
    "make licenses": "tests/unit/docs/test_release.py",
    "make release": "tests/unit/docs/test_release.py",
    "sha256sum --check SHA256SUMS": "tests/unit/docs/test_release.py",
    "make synth": "tests/infra/test_app.py",
    "make demo": "tests/sandbox/test_scenarios.py",
    "make playground": "tests/sandbox/test_playground.py",
    "make deploy-local": "tests/local_deployment/test_deployment.py",
    "make deploy-local-test": ".ci/run",
    "make coverage": "Makefile",
    "make site": "tests/unit/docs/test_site.py",
    "make attacks": "tests/attacks/__main__.py",
    "make threat-model": "tests/attacks/test_threat_model.py",
    "make chaos": "tests/chaos/__main__.py",
    "make simulate": "tests/simulation/__main__.py",
    "make sown-faults": "tests/simulation/__main__.py",
    "make mutants": "tests/mutation/__main__.py",
    "python -m tests.simulation": "tests/simulation/test_simulation.py",
    "make bench": "benchmarks/__main__.py",
    "python -m benchmarks": "benchmarks/__main__.py",
    "python -m release.pictures": "tests/unit/cli/test_page.py",
    "python -m tests.incident_reports": "tests/unit/workflow/test_incident_reports.py",
    ".venv/bin/python -m tests.incident_reports": "tests/unit/workflow/test_incident_reports.py",
    ".venv/bin/python -m pytest": "tests/unit/docs/test_contributing.py",
    "git apply": "tests/unit/docs/test_contributing.py",
    "uv tool install": "tests/sandbox/test_installed.py",
}
"""Command -> the test, CI script or program that runs it."""

NEEDS_ACCOUNT: Final = ("aws ", "kubectl ", "cdk ", "make deploy ", "make diff", "make bootstrap", "make destroy", "irsa-remediator ")
NEEDS_NETWORK: Final = ("uvx pre-commit", "uvx --from", "pipx run", "make lock")
"""Commands that read the package index, so that their result may differ between runs."""

_AWS_OPTIONS: Final = {"query", "output", "region", "profile", "no-cli-pager"}
_CLI = get_command(app)


def of(*tools: str) -> Any:
    found = [command for command in COMMANDS if command.tool in tools]
    return pytest.mark.parametrize("command", found, ids=map(str, found))


@pytest.mark.parametrize("command", COMMANDS, ids=map(str, COMMANDS))
def test_a_command_is_run_by_a_test_or_needs_an_account(command: Command) -> None:
    text = " ".join(command.words) + " "
    if text.startswith((*NEEDS_ACCOUNT, *NEEDS_NETWORK)):
        return
    runner = next((where for start, where in RUN.items() if text.startswith(start + " ")), None)
    assert runner, f"no test runs this command: {text}"
    assert (ROOT / runner).exists()


def test_every_tested_command_is_on_a_page() -> None:
    texts = [" ".join(command.words) + " " for command in COMMANDS]
    assert [start for start in RUN if not any(text.startswith(start + " ") for text in texts)] == []


def test_pages_mark_commands_that_need_an_account() -> None:
    assert "(account)" in (ROOT / "docs" / "deploy.md").read_text()
    assert "need an account" in (ROOT / "README.md").read_text()


@of("make")
def test_a_target_of_make_exists(command: Command) -> None:
    assert {word for word in command.words[1:] if "=" not in word and not word.startswith("-")} <= TARGETS


def test_make_help_lists_every_target() -> None:
    said = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in said.splitlines()} == TARGETS
    declared = set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, flags=re.MULTILINE))
    assert declared == TARGETS, "each target has a help text after `##`"


@of("make")
def test_make_can_plan_the_target(command: Command) -> None:
    said = subprocess.run(["make", "--dry-run", *command.words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def test_the_demo_lists_every_scenario() -> None:
    said = subprocess.run(
        ["make", "--silent", "demo", "SCENARIO=list"],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [name for name in names() if name not in said and not load(name).only] == []


@of("irsa-remediator")
def test_irsa_remediator_has_the_command_and_its_options(command: Command) -> None:
    words, found = list(command.words[1:]), _CLI
    while words and words[0] in getattr(found, "commands", {}):
        found = found.commands[words.pop(0)]  # type: ignore[attr-defined]  # a group, by the line above
    assert found is not _CLI or words[0].startswith("-")
    known = {option for param in found.params for option in (*param.opts, *param.secondary_opts)}
    assert {word for word in words if word.startswith("-")} <= known
    if any(word.startswith("-") for word in words) and not hasattr(found, "commands"):
        found.make_context("", [re.sub(r"\$\w+", "prod-blue", word) for word in words], resilient_parsing=False)


@of("irsa-remediator")
def test_irsa_remediator_commands_are_run_in_a_recorded_session(command: Command) -> None:
    if command.words[1].startswith("-"):
        return
    typed = [line for session in SESSIONS.values() for line in session.commands]
    assert any(line.split()[0] == command.words[1] for line in typed) or command.words[1] in (
        "preflight",
        "mcp",
    )  # they have tests of their own


@of("aws")
def test_an_aws_call_exists_with_its_parameters(command: Command) -> None:
    _, service, operation, *rest = command.words
    model = botocore.session.get_session().get_service_model(service)
    calls = {xform_name(name, "-"): name for name in model.operation_names} | {"get-token": ""}
    assert operation in calls
    if calls[operation]:
        shape = model.operation_model(calls[operation]).input_shape
        members = {xform_name(name, "-") for name in (shape.members if shape else {})} | _AWS_OPTIONS
        flags = {word.removeprefix("--") for word in rest if word.startswith("--")}
        assert {flag.removeprefix("no-") if flag not in members else flag for flag in flags} <= members


def test_the_documentation_has_commands() -> None:
    assert len(COMMANDS) > 100
