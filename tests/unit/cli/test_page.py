"""The page of an incident: harmless whatever is in it, complete, and drawn by a real browser without a network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from cli.views.chart import counts, draw
from cli.views.page import page
from lambdas.domain.incidents.incident import Outcome
from lambdas.notifications.message_context import entries_from_json
from lambdas.notifications.timeline import timeline
from tests.unit.cli.fake_dependencies import ENVIRONMENT
from tests.unit.cli.png import colors
from tests.unit.cli.sessions import HOSTILE, lines, past, trail
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
    ),  # what is asked for is seen, and stays here
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


def details(**changes: Any) -> dict[str, Any]:
    return {**(past().details or {}), **changes}


def test_the_page_tells_the_whole_incident() -> None:
    words = " ".join(Reader(page(past(), ENVIRONMENT)).words)
    for told in (
        "demo: aws-node repaired and proven",
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
    ):
        assert told in words


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    read = Reader(page(past(), ENVIRONMENT))
    assert not {"script", "link", "img", "iframe", "object", "embed", "form"} & set(read.tags)
    assert not [attribute for attribute in read.attributes if attribute[0] in ("src", "srcset", "style") or attribute[0].startswith("on")]
    assert [value for name, value in read.attributes if name == "href"] == [f"{ENVIRONMENT.runbook_root}/addon-role-missing.md"]
    assert "url(" not in page(past(), ENVIRONMENT)


HOSTILE_PLACES = ("sentence", "severity", "actor")


@pytest.mark.parametrize(
    "where", [*HOSTILE_PLACES, "lines", "broken", "remedies", "versions", "verdict", "old_value", "trigger", "changes"]
)
def test_words_from_a_cluster_stay_words(where: str) -> None:
    hostile = f"{HOSTILE}\" onload='x' &amp; <img src=x>"
    if where in HOSTILE_PLACES:
        it = past(details=details(**{where: hostile}))
    elif where == "lines":
        it = past(details=details(lines=[{"at": NOON.isoformat(), "what": hostile, "words": hostile, "counts": [1, 2, 3, 4]}]))
    elif where in ("broken", "remedies", "versions"):
        it = past(details=details(**{where: [hostile]}))
    else:
        it = past(**{where: (hostile,) if where == "changes" else hostile})
    text = page(it, ENVIRONMENT)
    read = Reader(text)
    assert "script" not in read.tags
    assert "img" not in read.tags
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in " ".join(read.words)
    assert "\x1b" not in text
    assert "\u202e" not in text


ODD: dict[str, dict[str, Any]] = {
    "no details": {"details": None},
    "no lines": {"details": {}},
    "nothing counted": {"details": {"lines": [{"at": NOON.isoformat(), "what": "look", "words": "no-access"}]}},
    "one look": {"details": {"lines": lines()[:1]}},
    "no times": {"details": {"lines": [{"what": "look", "words": "x", "counts": [1, 2, 3, 4]}]}},
    "a broken trail": {"details": {"lines": lines(), "trail": [["?", 1, 2, 3, 4], [NOON.isoformat(), "1", 2, None, 0], "x", 7]}},
    "lines of another kind": {"details": {"lines": ["x", 7, None]}},
    "weeks": {"details": {"lines": [*lines(), {"at": (NOON + timedelta(days=12)).isoformat(), "what": "look", "words": "healthy"}]}},
}


@pytest.mark.parametrize("changes", ODD.values(), ids=ODD)
@pytest.mark.parametrize("outcome", Outcome)
def test_history_of_every_shape_makes_a_page(changes: dict[str, Any], outcome: Outcome) -> None:
    text = page(past(outcome=outcome, **changes), ENVIRONMENT)
    assert text.endswith("</html>\n")
    assert "None" not in " ".join(Reader(text).words)


def test_the_chart_has_what_the_looks_and_the_proof_counted() -> None:
    found = counts(timeline(entries_from_json(lines())), trail())
    assert [item.pods for item in found] == [(n, 12) for n in (0, 1, 3, 5, 8, 10, 12, 12)]
    assert [item.nodes for item in found] == [(n, 12) for n in (9, 10, 10, 11, 12, 12, 12, 12)]


def test_the_chart_is_told_to_those_who_cannot_see_it() -> None:
    chart = draw(timeline(entries_from_json(lines())), [None] * len(timeline(entries_from_json(lines()))), trail())
    assert "<title" in chart
    assert "pods with the role: 0 of 12 at first, 12 of 12 at the end; nodes Ready: 9 of 12 at first, 12 of 12 at the end." in chart


def test_no_part_of_the_chart_leaves_it() -> None:
    chart = draw(timeline(entries_from_json(lines())), [None, 1, 2, None, 3, None, None], trail())
    width, height = map(int, re.findall(r'viewBox="0 0 (\d+) (\d+)"', chart)[0])
    xs = [float(item) for item in re.findall(r'(?:\bc?x[12]?)="([\d.]+)"', chart)]
    ys = [float(item) for item in re.findall(r'(?:\bc?y[12]?)="([\d.]+)"', chart)]
    assert 0 <= min(xs) <= max(xs) <= width
    assert 0 <= min(ys) <= max(ys) <= height


def browse(html: Path, folder: Path, *more: str) -> tuple[Path, str, list[str]]:
    """Open a page: the screenshot, what the console says, and every address that was asked for."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine: `apt-get install chromium` brings it")
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


def test_the_browser_would_tell_of_a_request_and_of_a_complaint(tmp_path: Path) -> None:
    html = tmp_path / "control.html"
    html.write_text('<!doctype html><img src="http://elsewhere.example/x.png"><script>console.error("complaint")</script>')
    _, console, asked = browse(html, tmp_path)
    assert "complaint" in console
    assert asked == ["http://elsewhere.example/x.png"]


@pytest.mark.parametrize(("scheme", "wanted"), [(1, LIGHT), (0, DARK)], ids=["light", "dark"])
def test_a_browser_draws_the_chart_without_a_network_or_a_complaint(scheme: int, wanted: dict[str, str], tmp_path: Path) -> None:
    html = tmp_path / "incident.html"
    html.write_text(page(past(), ENVIRONMENT), encoding="utf-8")
    shot, console, asked = browse(html, tmp_path, f"--blink-settings=preferredColorScheme={scheme}")
    assert console == ""
    assert asked == []
    found = colors(shot)
    assert found[wanted["background"]] > 500_000
    assert found[wanted["pods"]] > 800
    assert found[wanted["nodes"]] > 800
