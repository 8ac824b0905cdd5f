"""`check --wait` and `check --watch` over a world that changes while time passes."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cli.interactive.repetition import POLL_S, assessment_changes
from lambdas.domain.errors import TransientError
from tests.unit.cli.sessions import BROKEN, TARGET, Session
from tests.unit.cli.terminal import fakes_of, run
from tests.world import described

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from cli.clients.dependencies import Dependencies
    from tests.unit.cli.fake_dependencies import Fakes

SESSION = Session(("check",), BROKEN)


def during(fakes: Fakes, steps: list[Callable[[], None]]) -> None:
    """Run one step in each pause of the command, then interrupt it."""

    def sleep(seconds: float) -> None:
        fakes.world.sleep(seconds)
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    fakes.dependencies = replace(fakes.dependencies, sleep=sleep)


def recover(fakes: Fakes) -> None:
    """Make the clusters those of the healthy world."""
    fakes.world.clusters = described({}).clusters


def check(options: str, fakes: Fakes, folder: Path) -> Result:
    return run(f"check --cluster {TARGET.cluster} {options}", fakes, SESSION, folder)


def test_wait_ends_with_the_first_check_without_a_fault(tmp_path: Path) -> None:
    fakes = fakes_of(SESSION)
    began = fakes.world.now
    during(fakes, [lambda: None, lambda: recover(fakes), lambda: pytest.fail("the check goes on after it found no fault")])
    result = check("--wait 300 -o json", fakes, tmp_path)
    assert (result.exit_code, json.loads(result.stdout)["checks"][0]["result"]) == (0, "healthy")
    assert (fakes.world.now - began).total_seconds() == 2 * POLL_S


@pytest.mark.parametrize(("seconds", "pauses"), [(0, 0), (9, 0), (10, 1), (25, 2)])
def test_wait_ends_in_time_with_the_last_answer(seconds: int, pauses: int, tmp_path: Path) -> None:
    fakes = fakes_of(SESSION)
    began = fakes.world.now
    result = check(f"--wait {seconds}", fakes, tmp_path)
    assert result.exit_code == 1
    assert result.stdout.count("Broken:") == 1
    assert (fakes.world.now - began).total_seconds() == pauses * POLL_S


def test_watch_shows_each_change_once_until_it_is_interrupted(tmp_path: Path) -> None:
    fakes = fakes_of(SESSION)
    during(fakes, [lambda: None, lambda: recover(fakes), lambda: None, lambda: fakes.world.fail("cluster.pods", TransientError("503"))])
    result = check("--watch", fakes, tmp_path)
    assert result.exit_code == 130
    words = ("Broken", "Healthy", "could not be assessed")
    assert [line.split(":")[0] for line in result.stdout.splitlines() if line.startswith(words)] == [
        "Broken",
        "Healthy",
        "could not be assessed",
    ]
    assert result.stderr.count("watching for changes; Ctrl-C ends this") == 3


def test_watch_does_not_repeat_the_chain_for_more_permission_errors(tmp_path: Path) -> None:
    fakes = fakes_of(SESSION)
    cluster = fakes.world.clusters[TARGET.cluster]

    def report_more_errors() -> None:
        cluster.errors += cluster.errors

    during(fakes, [report_more_errors, report_more_errors])
    assert check("--watch", fakes, tmp_path).stdout.count("Broken:") == 1


def test_each_repetition_connects_anew_so_that_no_cache_answers(tmp_path: Path) -> None:
    fakes = fakes_of(SESSION)
    connected: list[int] = []
    during(fakes, [lambda: None, lambda: None])
    dependencies = fakes.dependencies

    def connect() -> Dependencies:
        connected.append(1)
        return dependencies

    with suppress(KeyboardInterrupt):
        list(assessment_changes(connect, lambda _: ()))
    assert len(connected) == 3


def test_watch_and_wait_exclude_each_other(tmp_path: Path) -> None:
    result = check("--watch --wait 5", fakes_of(SESSION), tmp_path)
    assert (result.exit_code, result.stderr) == (2, "error: --watch and --wait exclude each other\nnext:  give one of them\n")
