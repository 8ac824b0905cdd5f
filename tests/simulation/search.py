"""Runs seeds, and shrinks the story of one that fails."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lambdas.domain.errors import RemediatorError
from tests.simulation.invariants import InvariantViolated
from tests.simulation.simulation import Simulation
from tests.simulation.story import Story
from tests.world import NOON

SEEDS: Final = Path(__file__).parent / "seeds.txt"
"""The regression list: every seed that ever failed, with what it has found. A later change of the stories may make it harmless."""
LAST_LINES: Final = 40


@dataclass(frozen=True)
class Played:
    """One run of a story: the violated invariant, empty where each one holds; its log; and the time that passed in it and outside of it."""

    story: Story
    violated: str
    log: tuple[str, ...]
    virtual_s: float
    seconds: float
    calls: int

    @property
    def kind(self) -> str:
        """The invariant that was violated, without details."""
        return self.violated.partition(":")[0]


def play(story: Story) -> Played:
    """Run a story. An error that no code expects is a violation as well."""
    began, simulation = time.process_time(), Simulation(story)
    try:
        simulation.run()
        violated = ""
    except InvariantViolated as error:
        violated = str(error)
    except (RemediatorError, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        violated = f"an unexpected {type(error).__name__}: {error}"
    return Played(
        story=story,
        violated=violated,
        log=tuple(simulation.log),
        virtual_s=(simulation.scheduler.now - NOON).total_seconds(),
        seconds=time.process_time() - began,
        calls=simulation.steps_taken,
    )


def shrink(failed: Played) -> Played:
    """The same violation with as few items as removing them one by one gives."""
    shortest = replace(failed, story=Story(failed.story.seed, frozenset(item.number for item in failed.story.items)))
    for number in sorted(shortest.story.kept or (), reverse=True):
        kept = (shortest.story.kept or frozenset()) - {number}
        shorter = play(Story(failed.story.seed, kept))
        if shorter.kind == failed.kind:
            shortest = shorter
    return shortest


def replay_command(story: Story) -> str:
    """The command that runs exactly this story and prints it."""
    kept = "" if story.kept is None else f" --keep {','.join(map(str, sorted(story.kept))) or 'nothing'}"
    return f"python -m tests.simulation --seed {story.seed}{kept}"


def report(failed: Played) -> str:
    """What failed: the invariant, the items, the last lines of the log, and the command that repeats it."""
    items = "\n".join(map(str, failed.story.items)) or "nothing happens"
    log = "\n".join(failed.log[-LAST_LINES:])
    return f"seed {failed.story.seed}: {failed.violated}\n\n{items}\n\n{log}\n\nTo repeat it: {replay_command(failed.story)}"


def regression_seeds() -> list[int]:
    """The seeds that ever failed."""
    lines = (line.partition("#")[0].strip() for line in SEEDS.read_text(encoding="utf-8").splitlines())
    return [int(line) for line in lines if line]
