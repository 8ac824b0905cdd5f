"""Run the commands of a session over fakes, and return the output of the terminal."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from unittest.mock import patch
from uuid import UUID

from cli.main import app
from lambdas.domain.snapshot.snapshot import SupportDates, VersionAdvice
from tests.cli_runner import CliRunner
from tests.unit.cli.fake_dependencies import Fakes, fake_dependencies
from tests.unit.cli.fake_fleet import FakeFleet
from tests.unit.cli.sessions import EVENTS, NODE_LOGS, Session, log_file, on_demo
from tests.world import NOON, described

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

GOLDEN_WIDTH: Final = 120


def fakes_of(session: Session) -> Fakes:
    fakes = fake_dependencies(described(session.world))
    fakes.world.supported["1.28"] = SupportDates(standard_until=NOON + timedelta(days=12), extended_until=NOON + timedelta(days=377))
    fakes.world.advised_versions["vpc-cni", "1.28"] = VersionAdvice(default="v1.16.0-eksbuild.1", latest="v1.20.3-eksbuild.1")
    session.prepare(fakes)
    return fakes


def run(command: str, fakes: Fakes, session: Session, folder: Path, *, columns: int = GOLDEN_WIDTH) -> Result:
    """Run one command. A recorded event and a node's log are named without their folder."""
    arguments = [_argument(part, folder) for part in shlex.split(command)]
    with ExitStack() as stack:
        stack.enter_context(patch("cli.clients.connection.connect", lambda _: fakes.dependencies))
        stack.enter_context(patch("cli.clients.fleet_connection.connect_fleet", lambda _: FakeFleet(fakes)))
        stack.enter_context(patch("cli.interactive.incident_lease.uuid4", lambda: UUID("0badc0de-0000-4000-8000-000000000000")))
        stack.enter_context(patch("cli.commands.verify.monotonic", lambda: fakes.dependencies.now().timestamp()))
        for module in ("fix", "adopt", "approval", "verify"):
            stack.enter_context(patch(f"cli.commands.{module}.is_interactive", lambda: session.answer is not None))
        environment = {"COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "dumb"}
        return CliRunner().invoke(app, arguments, input=session.answer, env=environment, prog_name="irsa-remediator")


def transcript(session: Session, folder: Path) -> str:
    """Return all output as one text: `$` marks a command, `!` marks standard error."""
    fakes = fakes_of(session)
    lines: list[str] = []
    for command in session.commands:
        result = run(command, fakes, session, folder)
        lines += [f"$ irsa-remediator {command}", *result.stdout.splitlines(), *(f"! {line}" for line in result.stderr.splitlines())]
        lines += [f"exit code {result.exit_code}", ""]
    return "\n".join(line.rstrip() for line in lines)


def _argument(part: str, folder: Path) -> str:
    if part == "bundle.json":
        return str(folder / part)
    if part in NODE_LOGS:
        return str(log_file(part, folder))
    return str(on_demo(part, folder)) if (EVENTS / f"{part}.json").exists() else part
