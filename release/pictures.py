"""`python -m release.pictures`: render the pictures of the README and the pages from one repair in the sandbox.

Needs a checkout with the development tools, and Chromium for the incident page.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cli.clients.incident_table import IncidentTable
from cli.main import app
from lambdas.adapters.aws_session import AwsSession
from lambdas.contract.names import REMEDIATOR_GROUP
from lambdas.domain.incidents.incident import Outcome
from sandbox.aws.faults import Fault, FaultKind
from sandbox.cluster.resources import PODS
from sandbox.controllers.kubelet import Timings
from sandbox.simulation.aws_account import CLUSTER, NAMESPACE, TABLE, role_arn
from sandbox.simulation.cluster_backend import EmbeddedBackend, nodes_ready
from sandbox.simulation.sandbox_steps import SandboxSteps
from sandbox.simulation.terminal_recording import THEME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lambdas.domain.incidents.incident import PastIncident
    from sandbox.simulation.environment import SandboxEnvironment

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "pictures"
COLUMNS: Final = 108
_CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-device-scale-factor=1.5"),
)
ONCALL: Final = "oncall"
SLOW: Final = Timings(pod_start_s=2.0, pod_stop_s=0.3)
"""Slow pod starts, so that the chart shows a course."""
PAGE: Final = "1000,1650"
STABLE_S: Final = 4.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Render all pictures, and return the exit code: 2 where Chromium is missing."""
    parser = argparse.ArgumentParser(prog="python -m release.pictures", description="Render the pictures of the documentation.")
    parser.add_argument("--into", type=Path, default=FOLDER, help="folder (default: docs/pictures)")
    folder: Path = parser.parse_args(arguments).into
    browser = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if browser is None:
        print("Chromium is not installed: `apt-get install chromium`.", file=sys.stderr)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    _render(folder, browser)
    print("\n".join(str(path) for path in sorted(folder.iterdir())))
    return 0


def _render(folder: Path, browser: str) -> None:
    """Run one manual repair, and render the check and the plan before it, and the history and the notification after it."""
    from sandbox.simulation.environment import SandboxEnvironment
    from sandbox.simulation.scenario import DEFAULT_SCENARIO, load
    from sandbox.simulation.terminal import notification

    scenario = load(DEFAULT_SCENARIO)
    world = replace(scenario.world, settings={"mode": "observe"})
    with (
        patch("sandbox.simulation.environment.EmbeddedBackend", partial(EmbeddedBackend, timings=SLOW)),
        SandboxEnvironment(world) as env,
        _as_oncall_role(env),
    ):
        _wait_until_stable(env)
        for step in scenario.steps:
            step.run(SandboxSteps(env))
        _wait_until_stable(env)
        _render_command(folder / "check.svg", "check", "--cluster", CLUSTER)
        _render_command(folder / "plan.svg", "plan", "--cluster", CLUSTER)
        app(["fix", "--cluster", CLUSTER, "--yes", "--output", "json"], standalone_mode=False)
        incident = next(incident for incident in _incidents(env) if incident.outcome is Outcome.VERIFIED)
        _render_command(folder / "history.svg", "history", incident.id)
        _render_page(folder, browser, incident.id)
        recording = _recording_console()
        recording.print(Padding(notification(env.messages()[-1]), (1, 2)))
        _save(recording, folder / "message.svg", "chat")


@contextmanager
def _as_oncall_role(env: SandboxEnvironment) -> Iterator[None]:
    """Run with a role that has the same rights as the remediator."""
    env.aws.roles.create(ONCALL)
    entry = {"clusterName": CLUSTER, "principalArn": role_arn(ONCALL), "kubernetesGroups": [REMEDIATOR_GROUP]}
    env.aws.client("eks").create_access_entry(**entry)
    env.aws.faults.add(Fault(service="iam", operation="SimulatePrincipalPolicy", kind=FaultKind.ACCESS_DENIED, times=1_000_000))
    with patch.dict(os.environ, {**env.function_variables(), **env.aws.environment(ONCALL), "AWS_EC2_METADATA_DISABLED": "true"}):
        yield


def _wait_until_stable(env: SandboxEnvironment) -> None:
    """Wait until pods and nodes have not changed for a few seconds."""
    last, since, until = None, time.monotonic(), time.monotonic() + 60
    while time.monotonic() < until and time.monotonic() - since < STABLE_S:
        now = (nodes_ready(env.backend), len(env.backend.all_of(PODS, NAMESPACE)))
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.1)


def _incidents(env: SandboxEnvironment) -> list[PastIncident]:
    session = AwsSession(env.aws.region)
    return list(IncidentTable(session, TABLE).past(datetime.now(UTC) - timedelta(hours=1)))


def _recording_console() -> Console:
    return Console(
        record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor", highlight=False, markup=False
    )


def _render_command(file: Path, *arguments: str) -> None:
    """Render the output of a command as a picture of a terminal."""
    recording = _recording_console()
    recording.print(Text(f"$ irsa-remediator {' '.join(arguments)}\n", style="bold"))
    with patch("cli.output.console", lambda: recording):
        app(list(arguments), standalone_mode=False)
    _save(recording, file, "irsa-remediator")


def _save(recording: Console, file: Path, title: str) -> None:
    """Save the recording as SVG without the web font that Rich embeds, so that the picture loads nothing."""
    svg = recording.export_svg(title=title, theme=THEME, unique_id=file.stem)
    file.write_text(re.sub(r"@font-face\s*{[^}]*}", "", svg), encoding="utf-8")


def _render_page(folder: Path, browser: str, incident: str) -> None:
    """Render the incident page in a browser, light and dark."""
    with tempfile.TemporaryDirectory() as directory:
        html = Path(directory) / "incident.html"
        app(["history", incident, "--html", str(html), "--output", "json"], standalone_mode=False)
        for name, scheme in (("report", 1), ("report-dark", 0)):
            flags = (*_FLAGS, f"--blink-settings=preferredColorScheme={scheme}", f"--user-data-dir={directory}/profile")
            command = [browser, *flags, f"--window-size={PAGE}", f"--screenshot={folder / name}.png", html.as_uri()]
            subprocess.run(command, check=True, capture_output=True, timeout=120)  # the page is our own


if __name__ == "__main__":
    sys.exit(main())
