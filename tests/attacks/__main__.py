"""`make attacks`: run every attack program, and print for each threat whether the attack works. `--write` writes the threat model."""

from __future__ import annotations

import sys
from collections import defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import pytest
from rich.console import Console
from rich.table import Table

from tests.attacks.threat import FOLDER, PAGE, page, programs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

Outcomes = dict[str, dict[str, str]]
"""File name -> test -> the worst outcome of its cases."""
_RANK: Final = ("passed", "skipped", "failed")


class Result(StrEnum):
    """Whether an attack works. An attack whose proof did not run is not known to be prevented."""

    PREVENTED = "prevented"
    WORKS = "WORKS"
    NOT_RUN = "NOT RUN"


class Recorder:
    """A pytest plugin that keeps the outcome of each test by file."""

    def __init__(self) -> None:
        self.outcomes: Outcomes = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst outcome of set-up, call and tear-down."""
        file, name = report.location[0].rsplit("/", 1)[-1], report.location[2].split("[")[0]
        former = self.outcomes[file].get(name, "passed")
        self.outcomes[file][name] = max(former, report.outcome, key=_RANK.index)


def results(outcomes: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, Result]]:
    """The name of each threat and whether its attack works."""
    for program in programs():
        ran = outcomes.get(program.file.name, {})
        if "failed" in ran.values():
            yield program.threat.name, Result.WORKS
        elif all(ran.get(test) == "passed" for test in program.threat.proof):
            yield program.threat.name, Result.PREVENTED
        else:
            yield program.threat.name, Result.NOT_RUN


def exit_code(found: Collection[Result]) -> int:
    """0 if every attack is prevented, else 1."""
    return int(any(result is not Result.PREVENTED for result in found))


def main() -> int:
    """Run the programs; the arguments go to pytest."""
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    recorder = Recorder()
    code = pytest.main([str(FOLDER), "-q", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[recorder])
    found = dict(results(recorder.outcomes))
    table = Table(box=None, pad_edge=False)
    for column in ("threat", "actor", "program", "attack"):
        table.add_column(column, overflow="fold")
    for program in programs():
        result = found[program.threat.name]
        style = "green" if result is Result.PREVENTED else "bold red"
        table.add_row(program.threat.name, program.threat.actor, program.file.name, f"[{style}]{result}[/]")
    console = Console()
    console.print(table)
    not_run = sum(result is Result.NOT_RUN for result in found.values())
    works = sum(result is Result.WORKS for result in found.values())
    console.print(f"{works} of {len(found)} attacks work{f', {not_run} did not run' if not_run else ''}", highlight=False)
    return exit_code(found.values()) or int(code)


if __name__ == "__main__":
    sys.exit(main())
