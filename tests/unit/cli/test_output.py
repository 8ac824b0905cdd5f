"""Messages and questions on a terminal of 80 columns: no word is cut, and what is copied stays whole."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
import typer
from rich.console import Console

from cli.interactive import progress_display
from cli.interactive.progress_display import ProgressDisplay
from cli.interactive.steps import InteractiveSteps
from cli.output import confirm, write_message
from lambdas.application.remediation.results import WatchResult
from lambdas.application.workflow_steps import PollSchedule, StepId, StepPurpose
from tests.cli_runner import CliRunner

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTION = "Carry out the plan for kube-system/aws-node in cluster demo, account 111122223333, region eu-west-1?"
ROLE = "arn:aws:iam::111122223333:role/demo-vpc-cni"


@pytest.mark.parametrize(
    ("prose", "code"),
    [
        ("In the code that declares the vpc-cni add-on (Terraform shown):", f'service_account_role_arn = "{ROLE}"'),
        ("In the eksctl config, under iam.serviceAccounts, kube-system/aws-node:", f"attachRoleARN: {ROLE}"),
        ("To see what the update did to the add-on and why:", "aws eks list-updates --region eu-west-1 --name demo --addon-name vpc-cni"),
    ],
)
def test_code_at_the_end_of_a_long_item_gets_a_line_of_its_own(
    prose: str, code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    write_message(f"  1. {prose} {code}")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"     {code}"
    assert " ".join(line.strip() for line in lines[:-1]) == f"1. {prose}"


def test_an_item_that_fits_stays_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    write_message("  1. To bind the role: irsa-remediator adopt --cluster demo")
    assert capsys.readouterr().out == "  1. To bind the role: irsa-remediator adopt --cluster demo\n"


@pytest.mark.parametrize(("columns", "lines"), [("80", 2), ("120", 1)])
@pytest.mark.parametrize(("answer", "is_yes"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_question_is_wrapped_between_words(columns: str, lines: int, answer: str, *, is_yes: bool) -> None:
    app = typer.Typer()

    @app.command()
    def ask() -> None:
        raise typer.Exit(int(confirm(QUESTION)))

    done = CliRunner().invoke(app, [], input=answer, env={"COLUMNS": columns})
    asked = done.stderr.splitlines()
    assert len([line for line in asked if line.strip()]) == lines
    assert " ".join(line.strip() for line in asked).startswith(f"{QUESTION} [y/N]:")
    assert max(map(len, asked)) < int(columns)
    assert done.exit_code == int(is_yes)


def test_a_spinner_that_starts_again_erases_no_line_above(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    made: Callable[[], Console] = lambda: Console(file=screen, force_terminal=True, width=40, _environ={"TERM": "xterm"})  # noqa: E731
    monkeypatch.setattr(progress_display, "error_console", made)
    with ProgressDisplay() as display:
        display.show_activity("an activity that is longer than one line of this terminal")
        display.pause()
        screen.truncate(0)
        display.resume()
        display.note("a line")
        assert "\x1b[1A" not in screen.getvalue()


@pytest.mark.parametrize(
    ("blocked", "words"),
    [(["cooldown", "cooldown"], "planned, blocked by cooldown"), ([], "planned")],
)
def test_a_repair_that_pauses_says_why_and_for_how_long(blocked: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    waited: list[float] = []
    display = ProgressDisplay()
    display.log("plan", "planned", actions=[], blocked=blocked)
    steps, schedule = InteractiveSteps(sleep=waited.append, display=display), PollSchedule(timeout_s=297)
    steps.until(StepId(StepPurpose.PAUSE), WatchResult(), lambda former: former, lambda found: found.is_changed, schedule)
    assert f"note: {words}; goes on in 297 seconds, Ctrl-C ends it" in " ".join(capsys.readouterr().err.split())
    assert sum(waited) == 297
