"""`python -m tests.chaos` runs the long version of every round and writes a table and `build/chaos.json`. Exits with 0 if all passed."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Final

import pytest
from rich.console import Console

from tests.chaos import bus_storm, event_storms, fuzzing
from tests.chaos.faults import AWS, KUBERNETES
from tests.chaos.protocol.explorer import InvariantViolated, explore
from tests.chaos.protocol.injected_bugs import INJECTED_BUGS
from tests.chaos.protocol.search_cases import BOUNDED, LONG, SearchCase
from tests.chaos.round_result import RoundResult, table, write
from tests.chaos.sandbox_runs import Disturb, Phase, killing, ran
from tests.simulation import search
from tests.simulation.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE: Final = Path(__file__).parent
REPORT: Final = HERE.parents[1] / "build" / "chaos.json"
FUZZED: Final = 100_000
"""Cases for each parser."""
STORIES: Final = 1_000
"""Stories of the simulation."""
CRASHED: Final = ("addon-role-missing", "annotation-missing", "annotation-differs")


def protocol(_seed: int) -> Iterator[RoundResult]:
    """Every order of every search case, and every injected bug."""
    for name, search_case in {**BOUNDED, **LONG}.items():
        yield _explored(name, search_case)
    began, found = time.monotonic(), sum(_is_found(name) for name in INJECTED_BUGS)
    yield RoundResult(
        round="protocol: sown faults",
        faults=len(INJECTED_BUGS),
        runs=len(INJECTED_BUGS),
        converged=found,
        seconds=time.monotonic() - began,
        note="each is found",
    )


def _explored(name: str, search_case: SearchCase) -> RoundResult:
    began = time.monotonic()
    try:
        found = explore(search_case)
    except InvariantViolated as violated:
        return RoundResult(
            round=f"protocol: {name}", faults=0, runs=1, converged=0, seconds=time.monotonic() - began, note=str(violated)[:200]
        )
    note = f"{found.states:,} states, {found.transitions:,} steps"
    return RoundResult(round=f"protocol: {name}", faults=found.kills, runs=1, converged=1, seconds=time.monotonic() - began, note=note)


def _is_found(name: str) -> bool:
    with INJECTED_BUGS[name].in_place():
        try:
            explore(INJECTED_BUGS[name].search_case, INJECTED_BUGS[name].rules)
        except InvariantViolated:
            return True
    return False


def crashes(_seed: int) -> Iterator[RoundResult]:
    """The process is killed at every checkpoint of each scenario."""
    for scenario in CRASHED:
        for phase in Phase:
            yield _played(f"killed {phase}: {scenario}", scenario, killing(phase))
    yield _played(
        "killed while a message is sent",
        "annotation-missing",
        killing(Phase.NOT_REMEMBERED, _telling, during_notifications=True),
        most_messages=4,
    )


def _telling(name: str, action: str) -> bool:
    return " notify " in name and action == "START"


def faults(_seed: int) -> Iterator[RoundResult]:
    """Each external system fails in each of its ways."""
    for name, disturb in KUBERNETES.items():
        yield _played(f"kubernetes: {name}", "annotation-missing", disturb)
    for name, disturb in AWS.items():
        yield _played(f"aws: {name}", "addon-role-missing" if "UpdateAddon" in name else "annotation-missing", disturb)


def _played(round_name: str, scenario: str, disturb: Disturb, *, most_messages: int = 2) -> RoundResult:
    began = time.monotonic()
    try:
        found = ran(scenario, disturb)
    except TimeoutError as error:
        return RoundResult(round=round_name, faults=0, runs=1, converged=0, seconds=time.monotonic() - began, note=str(error)[:200])
    told = f"told {len(found.titles)} times" if len(found.titles) > most_messages else ""
    return RoundResult(
        round=round_name,
        faults=found.faults,
        runs=1,
        converged=int(found.converged and not told),
        extra_restarts=found.extra_restarts,
        messages=len(found.titles),
        lost=found.lost,
        seconds=found.seconds,
        note=told,
    )


def storm(_seed: int) -> Iterator[RoundResult]:
    """Thousands of events."""
    yield from event_storms.rounds()
    yield bus_storm.one_fault(500)


class _Counted:
    """Counts the tests that pytest ran."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed += report.failed
        self.passed += report.when == "call" and report.passed


def _tests(round_name: str, *files: str, note: str, seed: int, marked: str = "") -> RoundResult:
    """Run test files as one round, including long tests, or only tests with the mark `marked`. Generated examples follow the seed."""
    counted, began = _Counted(), time.monotonic()
    chosen = ["--hypothesis-profile=random", f"--hypothesis-seed={seed}", *(["-m", marked] if marked else [])]
    pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *chosen, *(str(HERE.parent / file) for file in files)], plugins=[counted])
    runs = counted.passed + counted.failed
    return RoundResult(round=round_name, faults=runs, runs=runs, converged=counted.passed, seconds=time.monotonic() - began, note=note)


def approval(seed: int) -> Iterator[RoundResult]:
    """Approvals that are answered, late, twice, or not at all."""
    yield _tests("approval", "chaos/test_approval_on_the_sandbox.py", note="one fault each", seed=seed)


def hostile(seed: int) -> Iterator[RoundResult]:
    """Hostile text in every input."""
    for name in fuzzing.PARSERS:
        began = time.monotonic()
        try:
            fuzzing.fuzzed(name, FUZZED, seed)
        except fuzzing.ParserFailed as fell:
            yield RoundResult(
                round=f"parser: {name}", faults=FUZZED, runs=1, converged=0, seconds=time.monotonic() - began, note=str(fell)[:200]
            )
        else:
            yield RoundResult(round=f"parser: {name}", faults=FUZZED, runs=1, converged=1, seconds=time.monotonic() - began)
    yield _tests("hostile words, to chat", "chaos/test_hostile_input.py", note="2,000 cases in each long run", seed=seed, marked="long")


def courses(seed: int) -> Iterator[RoundResult]:
    """The long versions of unit tests: crashes of every scenario, generated worlds, parsers."""
    yield _tests("generated worlds, crashes of every scenario", "unit", note="unit tests that are marked long", seed=seed, marked="long")


def simulated(seed: int) -> Iterator[RoundResult]:
    """Random stories over the whole product."""
    began = time.monotonic()
    played = [search.play(Story(number)) for number in (*search.regression_seeds(), *range(seed, seed + STORIES))]
    failed = [one for one in played if one.violated]
    yield RoundResult(
        round="simulation",
        faults=sum(len(one.story.items) for one in played),
        runs=len(played),
        converged=len(played) - len(failed),
        seconds=time.monotonic() - began,
        note=search.replay_command(failed[0].story) if failed else "",
    )


ROUNDS: Final[dict[str, Callable[[int], Iterator[RoundResult]]]] = {
    "simulation": simulated,
    "protocol": protocol,
    "storm": storm,
    "crashes": crashes,
    "faults": faults,
    "approval": approval,
    "hostile": hostile,
    "courses": courses,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the given rounds, by default all; returns 1 if an invariant was violated."""
    parser = argparse.ArgumentParser(prog="make chaos", description="Faults, crashes, storms and hostile input, at length.")
    parser.add_argument("--seed", type=int, help="seed of everything that is random (default: a random one, which is printed)")
    parser.add_argument("rounds", nargs="*", default=[], help=f"of {', '.join(ROUNDS)}; all by default")
    given = parser.parse_args(arguments)
    asked, seed = given.rounds or list(ROUNDS), SystemRandom().randrange(10**9) if given.seed is None else given.seed
    if unknown := set(asked) - set(ROUNDS):
        parser.error(f"there is no round {', '.join(sorted(unknown))}; there are {', '.join(ROUNDS)}")
    console, done = Console(highlight=False), []
    console.print(f"seed {seed}; to repeat this run: make chaos SEED={seed}")
    for name in asked:
        for round_result in ROUNDS[name](seed):
            mark = "[green]✓[/green]" if round_result.good else "[red]✗[/red]"
            console.print(f"{mark} {round_result.round}  [dim]{round_result.seconds:.1f} s  {round_result.note}[/dim]")
            done.append(round_result)
    write(done, REPORT)
    console.print(f"[dim]seed {seed}, written to {REPORT.relative_to(HERE.parents[1])}[/dim]")
    console.print(table(done))
    return 0 if all(item.good for item in done) else 1


if __name__ == "__main__":
    sys.exit(main())
