"""The runbooks: one for each verdict, with the same headings, and commands that use declared variables."""

import re
from pathlib import Path

import pytest

from lambdas.domain.diagnosis.verdict import Verdict

RUNBOOKS = Path(__file__).parents[3] / "docs" / "runbooks"
HEADINGS = ["Meaning", "Confirm", "What the remediator does", "Prevention"]
SUBCOMMANDS = {
    "access",
    "adopt",
    "approve",
    "bindings",
    "check",
    "explain-log",
    "fix",
    "guard",
    "history",
    "plan",
    "preflight",
    "reject",
    "settings",
}


def _commands(text: str) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL))


DECLARED = set(re.findall(r"\b([A-Z_]+)=", _commands((RUNBOOKS / "README.md").read_text())))


def test_each_verdict_has_a_runbook() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == set(Verdict)


@pytest.mark.parametrize("verdict", Verdict)
def test_each_runbook_has_the_four_headings_in_order(verdict: Verdict) -> None:
    text = (RUNBOOKS / f"{verdict}.md").read_text()
    assert text.startswith(f"# {verdict}\n\n**Do this now.** ")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == HEADINGS
    assert all(part.strip() for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:])


@pytest.mark.parametrize("verdict", Verdict)
def test_each_runbook_confirms_by_command(verdict: Verdict) -> None:
    confirm = (RUNBOOKS / f"{verdict}.md").read_text().split("## Confirm")[1].split("## ")[0]
    assert _commands(confirm).strip()


@pytest.mark.parametrize("verdict", Verdict)
def test_commands_use_declared_variables_and_no_other_placeholders(verdict: Verdict) -> None:
    blocks = _commands((RUNBOOKS / f"{verdict}.md").read_text())
    assert set(re.findall(r"\$\{?([A-Za-z_]+)", blocks)) <= DECLARED
    assert not re.findall(r"<[a-z -]+>|\d{12}|YOUR_|prod-blue", blocks)


@pytest.mark.parametrize("verdict", Verdict)
def test_commands_use_kubectl_aws_or_the_command_line_tool(verdict: Verdict) -> None:
    lines = [line for line in _commands((RUNBOOKS / f"{verdict}.md").read_text()).splitlines() if line.strip()]
    assert {line.split()[0] for line in lines} <= {"kubectl", "aws", "irsa-remediator"}
    assert {line.split()[1] for line in lines if line.startswith("irsa-remediator ")} <= SUBCOMMANDS


def test_links_between_runbooks_resolve() -> None:
    for path in RUNBOOKS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+\.md)\)", path.read_text()):
            assert (RUNBOOKS / target).exists(), f"{path.name} links to {target}"
