"""`python -m tests.mutation` changes one expression of the deciding code at a time, and counts the changes that no test notices.

mutmut's operators make the mutants (`mutants.py`), and tests run in forks of one process (`runner.py`). mypy checks the mutants that no
test notices (`type_check.py`). A run tries a random sample.
Mutants that only change the wording of a text are counted and not tried. Mutants that cannot change any result are listed in
`equivalent.yaml` with the reason. The survivors are written to `build/mutants.txt`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from random import Random, SystemRandom
from typing import Final

import yaml

from tests.mutation.mutants import ROOT, Mutant, all_mutants
from tests.mutation.runner import NO_TESTS, NOTICED, REJECTED, SURVIVED, try_mutants

SURVIVORS: Final = ROOT / "build" / "mutants.txt"
DOCUMENT: Final = ROOT / "docs" / "testing.md"
BEGIN, END = "<!-- mutants: written by `make mutants` -->", "<!-- end of mutants -->"
EQUIVALENT: Final = Path(__file__).with_name("equivalent.yaml")
EVERYTHING: Final = "lambdas"


def main(arguments: list[str] | None = None) -> int:
    """Try the mutants; returns 1 if one of them survived without a reason, or no test reaches it."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description="Mutation testing of lambdas/domain and the workflow.")
    parser.add_argument("--sample", type=int, default=300, help="number of mutants (default 300, 0 for all)")
    parser.add_argument("--seed", type=int, help="seed of the sample (default: a random one, which is printed)")
    parser.add_argument("--within", default=EVERYTHING, help="only mutants of this package, module or function")
    parser.add_argument("--again", action="store_true", help="only the survivors of the last run")
    asked = parser.parse_args(arguments)
    every = [mutant for mutant in all_mutants() if f"{mutant.name}.".startswith(f"{asked.within}.")]
    if not every:
        parser.error(f"no mutant in {asked.within}; name a package or module below lambdas.domain or lambdas.application.remediation")
    mutants = [mutant for mutant in every if not mutant.is_wording]
    seed = SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    tried = Random(seed).sample(mutants, asked.sample) if 0 < asked.sample < len(mutants) else mutants
    if asked.again:
        last = SURVIVORS.read_text(encoding="utf-8")
        tried = [mutant for mutant in mutants if mutant.text() in last]
    print(f"{len(tried)} of {len(mutants)} mutants in {asked.within}, seed {seed}", file=sys.stderr)
    reasons = equivalent()
    states = try_mutants(tried, frozenset(mutant for mutant in tried if (mutant.name, *mutant.change()) in reasons))
    alive = {
        mutant: reasons.get((mutant.name, *mutant.change()), "") for mutant, state in states.items() if state not in (NOTICED, REJECTED)
    }
    SURVIVORS.parent.mkdir(exist_ok=True)
    SURVIVORS.write_text("\n".join(f"{mutant.text()}{states[mutant]} {reason}\n" for mutant, reason in alive.items()), encoding="utf-8")
    text = report(states, alive, len(every) - len(mutants), len(mutants), seed)
    print(text)
    if asked.within == EVERYTHING and not asked.again:
        before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
        DOCUMENT.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return int(not all(alive.values()))


def equivalent() -> dict[tuple[str, str, str], str]:
    """`(function, line before, line after) -> reason` of the mutants that cannot change a result."""
    rows = yaml.safe_load(EQUIVALENT.read_text(encoding="utf-8")) or []
    return {(row["function"], row["before"], row["after"]): row["reason"] for row in rows}


def report(states: dict[Mutant, str], alive: dict[Mutant, str], wording: int, of: int, seed: int) -> str:
    """The counts by package and the survivors, in Markdown."""
    packages: dict[str, Counter[str]] = {}
    for mutant, state in states.items():
        counts = packages.setdefault(".".join(mutant.module.split(".")[:3]), Counter())
        counts["equivalent" if alive.get(mutant) else state] += 1
    total = sum(packages.values(), Counter[str]())
    changing = total.total() - total["equivalent"] or 1
    rows = [
        f"| `{name}` | {row.total()} | {row[NOTICED]} | {row[REJECTED]} | {row['equivalent']} | {row[SURVIVED]} | {row[NO_TESTS]} |"
        for name, row in packages.items()
    ]
    listed = [
        f"- `{mutant.name}`: `{before}` becomes `{after}`: {reason or 'no reason yet.'}"
        for mutant, reason in alive.items()
        for before, after in [mutant.change()]
    ]
    return "\n".join(
        (
            f"{wording + of:,} mutants: {wording:,} only change wording, and {of:,} change behavior.",
            f"{total.total()} of the latter were tried (seed {seed}), of which {total['equivalent']} cannot change a result.",
            f"Of the other {changing}, a test notices {total[NOTICED]} ({total[NOTICED] / changing:.1%}),",
            f"and mypy rejects {total[REJECTED]}: {(total[NOTICED] + total[REJECTED]) / changing:.1%} in all.",
            "",
            "| package or module | tried | noticed by a test | rejected by mypy | equivalent | survived | reached by no test |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *sorted(rows),
            *(["", "Survivors:", "", *sorted(listed)] if listed else []),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
