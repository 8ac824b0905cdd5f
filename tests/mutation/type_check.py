"""Which mutants mypy rejects. Such a change does not pass `make lint`, so no test needs to notice it."""

from __future__ import annotations

import re
import sys
from itertools import zip_longest
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.mutation.mutants import CACHE, ROOT, Mutant

if TYPE_CHECKING:
    from collections.abc import Iterable


def rejected(mutants: Iterable[Mutant]) -> set[Mutant]:
    """The mutants with a type error in their own module. One run of mypy checks one mutant of each module.

    Raises:
        RuntimeError: mypy reports an error without any mutant.
    """
    by_file: dict[Path, list[Mutant]] = {}
    for mutant in mutants:
        by_file.setdefault(mutant.file, []).append(mutant)
    rounds = [[mutant for mutant in row if mutant] for row in zip_longest(*by_file.values())]
    found: set[Mutant] = set()
    for number, row in enumerate([[], *rounds]):
        print(f"\rmypy: {number} of {len(rounds)}", end="", file=sys.stderr, flush=True)
        wrong = _files_with_errors(row)
        if wrong and not row:
            raise RuntimeError(f"mypy reports errors without a mutant: {', '.join(sorted(wrong))}")
        found |= {mutant for mutant in row if str(mutant.file.relative_to(ROOT)) in wrong}
    print(file=sys.stderr)
    return found


def _files_with_errors(mutants: list[Mutant]) -> set[str]:
    """The files, as paths within the repository, in which mypy reports an error while these mutants replace their modules."""
    with TemporaryDirectory() as folder:
        shadows: list[str] = []
        for number, mutant in enumerate(mutants):
            shadow = Path(folder) / f"{number}.py"
            shadow.write_text(mutant.source(), encoding="utf-8")
            shadows += ["--shadow-file", str(mutant.file.relative_to(ROOT)), str(shadow)]
        command = [sys.executable, "-m", "mypy", "--cache-dir", str(CACHE / "mypy"), *shadows, "-p", "lambdas"]
        done = run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"mypy fails: {done.stdout}{done.stderr}")
    return set(re.findall(r"^([^:\n]+):\d+: error:", done.stdout, flags=re.MULTILINE))
