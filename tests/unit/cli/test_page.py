"""The incident page: complete, safe for any content, and rendered by a browser without network access."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from cli.views.chart import all_samples, draw_chart
from cli.views.page import incident_page
from lambdas.domain.incidents.details import NO_DETAILS, CountSample, IncidentDetails, TimelineEntry
from lambdas.domain.incidents.incident import Outcome
from lambdas.notifications.timeline import timeline
from tests.unit.cli.fake_dependencies import ENVIRONMENT
from tests.unit.cli.png import colors
from tests.unit.cli.sessions import HOSTILE, lines, past
from tests.unit.cli.sessions import samples as stored_samples
from tests.world import NOON

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--window-size=1000,1700", "--enable-logging=stderr"),
    *(
        "--disable-features=NetworkTimeServiceQuerying",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ),  # requests are recorded and go nowhere
)
LIGHT = {"pods": "#1f6feb", "nodes": "#9a6700", "background": "#ffffff"}
DARK = {"pods": "#58a6ff", "nodes": "#e3b341", "background": "#0d1117"}


class Reader(HTMLParser):
    """Every element, attribute and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def details(**changes: Any) -> IncidentDetails:
    return replace(past().details, **changes)


def test_the_page_contains_the_whole_incident() -> None:
    words = " ".join(Reader(incident_page(past(), ENVIRONMENT)).words)
    for text in (
        "demo: aws-node repaired and verified",
        "addon-role-missing",
        "after 1 min 31 s",
        "ci-deploy",
        "vpc-cni v1.15.1-eksbuild.1",
        "2026-01-01 09:00:00 UTC (api-call)",
        "3 signals",
        "/eks-irsa-remediator/bindings/demo/kube-system/aws-node, version 3",
        "annotation set · all pods restarted",
        "aws-node restarts, 2 at a time",
        "Runbook addon-role-missing",
        "What is left to do",
        "Who was told when",
        "2026-01-01 09:01:31 UTC",
    ):
        assert text in words


def test_the_page_names_no_recipient_that_is_not_recorded() -> None:
    text = incident_page(past(outcome=Outcome.NEEDS_ACTION, details=details(notifications=(), remedies=())), ENVIRONMENT)
    assert "No notification is recorded." in text
    assert "closed with a fault" in text


def test_the_page_has_no_external_resource_and_no_script() -> None:
    read = Reader(incident_page(past(), ENVIRONMENT))
    assert not {"script", "link", "img", "iframe", "object", "embed", "form"} & set(read.tags)
    assert not [attribute for attribute in read.attributes if attribute[0] in ("src", "srcset", "style") or attribute[0].startswith("on")]
    assert [value for name, value in read.attributes if name == "href"] == [f"{ENVIRONMENT.runbook_root}/addon-role-missing.md"]
    assert "url(" not in incident_page(past(), ENVIRONMENT)


HOSTILE_FIELDS = ("sentence", "severity", "actor")


@pytest.mark.parametrize(
    "field", [*HOSTILE_FIELDS, "timeline", "broken", "remedies", "versions", "verdict", "old_value", "trigger", "changes"]
)
def test_text_from_a_cluster_is_escaped(field: str) -> None:
    hostile = f"{HOSTILE}\" onload='x' &amp; <img src=x>"
    if field in HOSTILE_FIELDS:
        incident = past(details=details(**{field: hostile}))
    elif field == "timeline":
        incident = past(details=details(timeline=(TimelineEntry(at=NOON, event=hostile, text=hostile, counts=(1, 2, 3, 4)),)))
    elif field in ("broken", "remedies", "versions"):
        incident = past(details=details(**{field: (hostile,)}))
    else:
        incident = past(**{field: (hostile,) if field == "changes" else hostile})
    text = incident_page(incident, ENVIRONMENT)
    read = Reader(text)
    assert "script" not in read.tags
    assert "img" not in read.tags
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in " ".join(read.words)
    assert "\x1b" not in text
    assert "\u202e" not in text


NOT_COUNTED = TimelineEntry(at=NOON, event="assessment", text="no-access")
EMPTY_SAMPLE = CountSample(at=NOON, pods_with_role=0, pods=0, nodes_ready=0, nodes=0)
ODD: dict[str, IncidentDetails] = {
    "no details": NO_DETAILS,
    "nothing counted": IncidentDetails(timeline=(NOT_COUNTED,)),
    "one assessment": IncidentDetails(timeline=lines()[:1]),
    "no times": IncidentDetails(timeline=(TimelineEntry(event="assessment", text="x", counts=(1, 2, 3, 4)),)),
    "no pods and no nodes": IncidentDetails(timeline=lines(), samples=(EMPTY_SAMPLE,)),
    "weeks": IncidentDetails(timeline=(*lines(), replace(NOT_COUNTED, at=NOON + timedelta(days=12)))),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("outcome", Outcome)
def test_every_stored_history_makes_a_page(odd: IncidentDetails, outcome: Outcome) -> None:
    text = incident_page(past(outcome=outcome, details=odd), ENVIRONMENT)
    assert text.endswith("</html>\n")
    assert "None" not in " ".join(Reader(text).words)


def test_the_chart_contains_the_counts_of_assessments_and_verification() -> None:
    found = all_samples(timeline(lines()), stored_samples())
    assert [sample.pods for sample in found] == [(n, 12) for n in (0, 1, 3, 5, 8, 10, 12, 12)]
    assert [sample.nodes for sample in found] == [(n, 12) for n in (9, 10, 10, 11, 12, 12, 12, 12)]


def test_the_chart_has_a_text_alternative() -> None:
    chart = draw_chart(timeline(lines()), [None] * len(timeline(lines())), stored_samples())
    assert "<title" in chart
    assert "pods with the role: 0 of 12 at the start, 12 of 12 at the end; nodes Ready: 9 of 12 at the start, 12 of 12 at the end." in chart


def test_all_parts_of_the_chart_are_inside_its_bounds() -> None:
    chart = draw_chart(timeline(lines()), [None, 1, 2, None, 3, None, None], stored_samples())
    width, height = map(int, re.findall(r'viewBox="0 0 (\d+) (\d+)"', chart)[0])
    xs = [float(item) for item in re.findall(r'(?:\bc?x[12]?)="([\d.]+)"', chart)]
    ys = [float(item) for item in re.findall(r'(?:\bc?y[12]?)="([\d.]+)"', chart)]
    assert 0 <= min(xs) <= max(xs) <= width
    assert 0 <= min(ys) <= max(ys) <= height


def browse(html: Path, folder: Path, *more: str) -> tuple[Path, str, list[str]]:
    """Open a page and return the screenshot, the console output, and every requested address."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: `apt-get install chromium`")
    shot, log = folder / "page.png", folder / "net.json"
    command = [
        CHROMIUM,
        *FLAGS,
        *more,
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={log}",
        f"--screenshot={shot}",
        html.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=True)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    recorded = json.loads(log.read_text())
    starts = [event["params"] for event in recorded["events"] if "initiator" in event.get("params", {})]
    asked = {
        str(start.get("url", "")) for start in starts if start["initiator"] != "not an origin"
    }  # the browser's own requests have no origin
    return shot, "\n".join(console), sorted(item for item in asked if not item.startswith("file:"))


def test_the_browser_reports_requests_and_console_errors(tmp_path: Path) -> None:
    html = tmp_path / "control.html"
    html.write_text('<!doctype html><img src="http://elsewhere.example/x.png"><script>console.error("complaint")</script>')
    _, console, asked = browse(html, tmp_path)
    assert "complaint" in console
    assert asked == ["http://elsewhere.example/x.png"]


@pytest.mark.parametrize(("scheme", "wanted"), [(1, LIGHT), (0, DARK)], ids=["light", "dark"])
def test_a_browser_renders_the_chart_without_requests_or_errors(scheme: int, wanted: dict[str, str], tmp_path: Path) -> None:
    html = tmp_path / "incident.html"
    html.write_text(incident_page(past(), ENVIRONMENT), encoding="utf-8")
    shot, console, asked = browse(html, tmp_path, f"--blink-settings=preferredColorScheme={scheme}")
    assert console == ""
    assert asked == []
    found = colors(shot)
    assert found[wanted["background"]] > 500_000
    assert found[wanted["pods"]] > 800
    assert found[wanted["nodes"]] > 800
