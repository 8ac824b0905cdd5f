"""`python -m tests.mutation` changes one expression of `lambdas/domain` at a time, and counts the changes that no test notices.

mutmut makes the mutants in the folder `mutants` and runs the tests that reach the changed function. Its settings are in `pyproject.toml`.
All mutants take hours, so that a run tries a random sample. The survivors are written to `build/mutants.txt`, each with its diff.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random, SystemRandom
from typing import Final

from mutmut.stats import status_by_exit_code

ROOT: Final = Path(__file__).parents[2]
MUTANTS: Final = ROOT / "mutants"
SURVIVORS: Final = ROOT / "build" / "mutants.txt"
DOCUMENT: Final = ROOT / "docs" / "testing.md"
BEGIN, END = "<!-- mutants: written by `make mutants` -->", "<!-- end of mutants -->"
MUTMUT: Final = Path(sys.executable).with_name("mutmut")
NOTICED: Final = ("killed", "timeout", "caught by type check")
SMALLEST_MODULE: Final = "lambdas.domain.plurals.*"
"""Its mutants are tried first, since mutmut makes the mutants of every module only when it runs."""


def main(arguments: list[str] | None = None) -> int:
    """Try the mutants; returns 1 if one of them survived or no test reaches it."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description="Mutation testing of lambdas/domain.")
    parser.add_argument("--sample", type=int, default=300, help="number of mutants (default 300, 0 for all)")
    parser.add_argument("--seed", type=int, help="seed of the sample (default: a random one, which is printed)")
    parser.add_argument("--within", default="lambdas.domain", help="only mutants of this package or module")
    asked = parser.parse_args(arguments)
    if run(SMALLEST_MODULE):
        return 1
    names = [name for name in sorted(results()) if name.startswith(f"{asked.within}.")]
    if not names:
        parser.error(f"no mutant in {asked.within}; name a package or module below lambdas.domain")
    seed = SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    tried = Random(seed).sample(names, asked.sample) if 0 < asked.sample < len(names) else names
    print(f"{len(tried)} of {len(names)} mutants in {asked.within}, seed {seed}")
    if run(*tried):
        return 1
    found = results()
    states = {name: status_by_exit_code[found[name]] for name in tried}
    alive = [name for name, state in states.items() if state not in NOTICED]
    SURVIVORS.parent.mkdir(exist_ok=True)
    SURVIVORS.write_text("\n".join(f"{states[name]}\n{difference(name)}" for name in alive), encoding="utf-8")
    text = table(states, len(names), asked.within, seed)
    print(text)
    if asked.within == "lambdas.domain":
        before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
        DOCUMENT.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return int(bool(alive))


def run(*names: str) -> int:
    """Make the mutants that are missing or outdated, and try those with these names; mutmut's exit code."""
    return subprocess.run([MUTMUT, "run", "--max-children", "2", *names], cwd=ROOT, check=False).returncode


def results() -> dict[str, int | None]:
    """`mutant -> exit code of its tests`, None where it was not tried."""
    files = MUTANTS.glob("lambdas/**/*.meta")
    return {name: code for file in files for name, code in json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"].items()}


def difference(name: str) -> str:
    """The diff of a mutant."""
    return subprocess.run([MUTMUT, "show", name], cwd=ROOT, check=False, capture_output=True, text=True).stdout


def table(states: dict[str, str], of: int, within: str, seed: int) -> str:
    """The counts by package, in Markdown."""
    packages: dict[str, Counter[str]] = {}
    for name, state in states.items():
        packages.setdefault(".".join(name.split(".")[:3]), Counter())[state if state in ("survived", "no tests") else "noticed"] += 1
    total = sum(packages.values(), Counter[str]())
    share = total["noticed"] / total.total()
    rows = [f"| `{name}` | {row.total()} | {row['noticed']} | {row['survived']} | {row['no tests']} |" for name, row in packages.items()]
    return "\n".join(
        (
            f"{total.total()} of {of:,} mutants in `{within}` were tried (seed {seed}): {share:.0%} were noticed.",
            "",
            "| package or module | tried | noticed | survived | reached by no test |",
            "|---|---:|---:|---:|---:|",
            *sorted(rows),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
