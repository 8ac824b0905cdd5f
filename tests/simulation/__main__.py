"""`python -m tests.simulation` runs seeds on two processes, repeats one seed, or measures how soon each sown fault is found."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import Progress

from tests.simulation import sown_faults
from tests.simulation.search import Played, play, regression_seeds, replay_command, report, shrink
from tests.simulation.story import Story

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK: Final = 25
"""Seeds that one process runs at a time."""


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments ask for; returns 1 if an invariant was violated, or a sown fault was not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Deterministic simulation of the whole product.")
    parser.add_argument("--seeds", type=int, help="number of seeds (default 200; of a sown fault: its own number)")
    parser.add_argument("--start", type=int, help="first seed (default: a random one, which is printed)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--seed", type=int, help="run this seed only, and print its story")
    parser.add_argument("--keep", help="with --seed: the numbers of the items that happen, or `nothing`")
    parser.add_argument("--sown-faults", nargs="*", metavar="NAME", help="measure how soon each sown fault is found, and write the table")
    asked = parser.parse_args(arguments)
    if asked.seed is not None:
        return _repeat(asked.seed, asked.keep)
    if asked.sown_faults is not None:
        return sown_faults.measure(asked.sown_faults, Console(highlight=False), asked.seeds)
    start = SystemRandom().randrange(10**9) if asked.start is None else asked.start
    return _search(start, asked.seeds or 200, asked.jobs)


def _repeat(seed: int, keep: str | None) -> int:
    kept = None if keep is None else frozenset(int(number) for number in keep.split(",") if number.isdecimal())
    played = play(Story(seed, kept))
    print("\n".join(map(str, played.story.items)), *played.log, played.violated or "every invariant holds", sep="\n")
    return int(bool(played.violated))


def _search(start: int, count: int, jobs: int) -> int:
    console, began = Console(highlight=False), time.monotonic()
    console.print(f"seeds {start} to {start + count - 1}, and {len(regression_seeds())} that failed before")
    seeds = [*regression_seeds(), *range(start, start + count)]
    chunks = [seeds[first : first + CHUNK] for first in range(0, len(seeds), CHUNK)]
    virtual_s, calls, failed = 0.0, 0, []
    with ProcessPoolExecutor(jobs) as pool, Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("stories", total=len(seeds))
        for future in as_completed([pool.submit(_play, chunk) for chunk in chunks]):
            passed_s, made, failures = future.result()
            progress.advance(task, CHUNK)
            virtual_s, calls, failed = virtual_s + passed_s, calls + made, [*failed, *failures]
            for played in failures:
                console.print(f"[red]✗[/red] seed {played.story.seed}: {played.violated}", soft_wrap=True)
    took = time.monotonic() - began
    days = virtual_s / 86_400
    console.print(
        f"{len(seeds)} stories, {days:,.0f} days and {calls:,} calls in {took:.0f} s: {virtual_s / took:,.0f} times faster than the clock"
    )
    for played in failed[:3]:
        console.print(f"\nshrinking seed {played.story.seed}; to repeat it whole: {replay_command(played.story)}", soft_wrap=True)
        console.print(report(shrink(played)), soft_wrap=True, markup=False)
    if failed:
        console.print("\nAdd each seed to tests/simulation/seeds.txt, with what it has found.")
    return int(bool(failed))


def _play(seeds: Sequence[int]) -> tuple[float, int, list[Played]]:
    gc.freeze()  # what the imports have made stays, so that no collection looks at it
    played = [play(Story(seed)) for seed in seeds]
    return sum(one.virtual_s for one in played), sum(one.calls for one in played), [one for one in played if one.violated]


if __name__ == "__main__":
    sys.exit(main())
