"""Runs the tests that reach a mutant, each mutant in its own fork of a process that has collected all tests once.

One pytest session collects the tests. Forks of it first run each test unchanged, and record the lines that the test executes
(`Reach`). Each mutant then runs in a fork, with those tests only that execute the changed statement, the quickest first. mypy checks the
mutants that no quick test notices, before the slow tests run.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import pytest
from coverage import Coverage, CoverageData

from tests.mutation.mutants import CACHE, ROOT, Mutant
from tests.mutation.type_check import rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

TESTS: Final = (
    "tests/unit/domain",
    "tests/unit/checker",
    "tests/unit/node_watcher",
    "tests/unit/notifications",
    "tests/unit/requests",
    "tests/unit/workflow",
    "tests/unit/test_permissions.py",
    "tests/unit/test_stored_and_published_words.py",
    "tests/unit/test_trust_breadth.py",
    "tests/unit/test_trust_evaluation.py",
    "tests/unit/test_trust_table.py",
    "tests/unit/test_trust_terraform.py",
    "tests/attacks/test_approval.py",
)
"""The tests of the mutated code. Those of other code reach it too, but test something else."""
SEARCHES: Final = (
    "tests/unit/notifications/test_hostile_text.py",
    "tests/unit/requests/test_hostile_events.py",
    "tests/unit/workflow/test_crashes.py",
)
"""Searches of many cases, which take a third of the time. Without them a few more mutants survive."""
OPTIONS: Final = (
    "-n",
    "0",
    "-p",
    "no:cacheprovider",
    "-qq",
    "--tb=native",
    "-s",
    "-m",
    "not long and not control_plane and not sandbox and not exhaustive",
)
PROCESSES: Final = os.cpu_count() or 1
QUICK_S: Final = 10
"""The quickest tests of a mutant, up to this time in seconds, run before mypy, which takes as long for one mutant of each module."""
NOTICED, REJECTED, SURVIVED, NO_TESTS = "noticed", "rejected by mypy", "survived", "no tests"
AT_COLLECTION: Final = ""
"""The context of lines that run when a test module is imported, before any test starts."""


@dataclass
class Reach:
    """Which tests execute a line, and how long a test takes."""

    seconds: dict[str, float]
    data: CoverageData
    by_file: dict[Path, dict[int, list[str]]] = field(default_factory=dict)

    def tests(self, mutant: Mutant) -> set[str]:
        """The tests that execute the changed statement; `AT_COLLECTION` stands for the import of a test module."""
        lines = self.by_file.setdefault(mutant.file, self.data.contexts_by_lineno(str(mutant.file)))
        return {test for line in range(mutant.lines[0], mutant.lines[1] + 1) for test in lines.get(line, ())}

    def split(self, tests: Iterable[str]) -> tuple[list[str], list[str]]:
        """The quickest tests, up to `QUICK_S` in all, and the others."""
        ordered = sorted(tests, key=lambda test: (self.seconds[test], test))
        total = list(accumulate(self.seconds[test] for test in ordered))
        count = max(1, sum(seconds <= QUICK_S for seconds in total))
        return ordered[:count], ordered[count:]


class Session:
    """The plugin: collects tests, and tries the mutants instead of running the tests."""

    def __init__(self, mutants: list[Mutant], equivalent: frozenset[Mutant] = frozenset()) -> None:
        self.mutants, self.equivalent = mutants, equivalent
        self.states: dict[Mutant, str] = {}
        self.noticed_by: Counter[str] = Counter()
        self.failed = ""
        self.folder = CACHE / "reach" / fingerprint()
        self.collection = coverage(None) if not self.folder.exists() else None
        if self.collection is not None:
            self.collection.start()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Failed("tests cannot be collected")
        if self.collection is not None:
            self.collection.stop()
            self.failed = record(session.items, self.collection, self.folder)
            if self.failed:
                return True
        reach = read_reach(self.folder)
        gc.freeze()  # collections in a fork would copy every page
        items = {item.nodeid: item for item in session.items}
        self._try_all(self.mutants, items, reach, are_quick=True)
        unnoticed = [mutant for mutant, state in self.states.items() if state != NOTICED]
        self.states |= dict.fromkeys(rejected(unnoticed), REJECTED)
        left = [mutant for mutant in unnoticed if self.states[mutant] == SURVIVED and mutant not in self.equivalent]
        self._try_all(left, items, reach, are_quick=False)
        return True

    def _try_all(self, mutants: list[Mutant], items: dict[str, pytest.Item], reach: Reach, *, are_quick: bool) -> None:
        """Set the state of each mutant, by its quick or its slow tests."""
        tests = "quick" if are_quick else "slow"
        for number, (mutant, state) in enumerate(self._tried(mutants, items, reach, are_quick=are_quick), start=1):
            self.states[mutant] = state
            if state != NOTICED:
                print(f"\r{state} the {tests} tests: {mutant.text()}", end="", file=sys.stderr)
            survived = Counter(self.states.values())[SURVIVED]
            print(f"\r{tests} tests: {number} of {len(mutants)}, {survived} survived", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)

    def _tried(
        self, mutants: list[Mutant], items: dict[str, pytest.Item], reach: Reach, *, are_quick: bool
    ) -> Iterator[tuple[Mutant, str]]:
        """Each mutant with its state, as forks end."""
        running: dict[int, tuple[Mutant, Path]] = {}

        def wait() -> tuple[Mutant, str]:
            process, status = os.wait()
            mutant, told = running.pop(process)
            failed = told.read_text(encoding="utf-8") if told.exists() else ""
            told.unlink(missing_ok=True)
            if failed:
                self.noticed_by[failed] += 1
            return mutant, SURVIVED if status == 0 else NOTICED

        for number, mutant in enumerate(mutants):
            reached = reach.tests(mutant)
            names = [test for test in reached if test in items]
            if not names:
                yield mutant, SURVIVED if AT_COLLECTION in reached else NO_TESTS
                continue
            tests = [items[name] for name in reach.split(names)[0 if are_quick else 1]]
            if not tests:
                yield mutant, SURVIVED
                continue
            tests.sort(key=lambda item: reach.seconds[item.nodeid] / (1 + self.noticed_by[item.nodeid]))
            if len(running) >= PROCESSES:
                yield wait()
            told = CACHE / f"noticed-{os.getpid()}-{number}"
            running[forked(partial(_try, mutant, tests, told, reach.seconds))] = (mutant, told)
        while running:
            yield wait()


def _try(mutant: Mutant, tests: list[pytest.Item], told: Path, seconds: Mapping[str, float]) -> int:
    """Run the tests with this change until one fails. A test that takes far longer than usual ends the fork, which counts as noticed."""
    mutant.apply()
    for item, following in zip(tests, [*tests[1:], None], strict=True):
        limit = int(time.process_time() + 10 + 5 * seconds[item.nodeid])
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        if run_test(item, following):
            told.write_text(item.nodeid, encoding="utf-8")
            return 1
    return 0


def run_test(item: pytest.Item, following: pytest.Item | None) -> bool:
    """Whether the test fails."""
    before = item.session.testsfailed
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    return item.session.testsfailed > before


def forked(work: Callable[[], int]) -> int:
    """Start a fork that exits with the result of this work; the fork's process id."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        status = work()
    finally:
        os._exit(status)


def coverage(file: Path | None) -> Coverage:
    """Records the executed lines of the product, in this file or in memory."""
    return Coverage(
        data_file=None if file is None else str(file),
        source=[str(ROOT / "lambdas")],
        config_file=False,
        check_preimported=False,
        messages=False,
    )


def record(items: list[pytest.Item], collection: Coverage, folder: Path) -> str:
    """Record what each test executes unchanged, and how long it takes; the first test that fails, if one does."""
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}")
    temporary.mkdir(parents=True)
    parts = [_part(items, index) for index in range(PROCESSES)]
    processes = [forked(partial(_record, part, temporary, index)) for index, part in enumerate(parts)]
    statuses = [os.waitpid(process, 0)[1] for process in processes]
    failed = [path.read_text(encoding="utf-8") for path in temporary.glob("failed-*")]
    if failed or any(statuses):
        return ", ".join(failed) or "a process that records what tests reach ended"
    joined = CoverageData(str(temporary / "reach"))
    joined.update(collection.get_data())
    seconds: dict[str, float] = {}
    for index in range(PROCESSES):
        part = CoverageData(str(temporary / f"reach-{index}"))
        part.read()
        joined.update(part)
        seconds |= json.loads((temporary / f"seconds-{index}").read_text(encoding="utf-8"))
    joined.write()
    (temporary / "seconds").write_text(json.dumps(seconds), encoding="utf-8")
    temporary.rename(folder)
    return ""


def _part(items: list[pytest.Item], index: int) -> list[pytest.Item]:
    """Every n-th test module, so that its fixtures are set up once."""
    files: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.nodeid.partition("::")[0]].append(item)
    return [item for number, file in enumerate(files.values()) if number % PROCESSES == index for item in file]


def _record(items: list[pytest.Item], folder: Path, index: int) -> int:
    recording, seconds = coverage(folder / f"reach-{index}"), {}
    recording.start()
    for item, following in zip(items, [*items[1:], None], strict=True):
        recording.switch_context(item.nodeid)
        start = time.process_time()
        if run_test(item, following):
            (folder / f"failed-{index}").write_text(item.nodeid, encoding="utf-8")
            return 1
        seconds[item.nodeid] = time.process_time() - start
    recording.stop()
    recording.save()
    (folder / f"seconds-{index}").write_text(json.dumps(seconds), encoding="utf-8")
    return 0


def read_reach(folder: Path) -> Reach:
    data = CoverageData(str(folder / "reach"))
    data.read()
    return Reach(json.loads((folder / "seconds").read_text(encoding="utf-8")), data)


def fingerprint() -> str:
    """Changes with each file that tests may read."""
    digest = sha256()
    for folder in ("lambdas", "tests", "scenarios", "sandbox", "cli"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc" and "mutation" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:20]


def try_mutants(mutants: list[Mutant], equivalent: frozenset[Mutant] = frozenset()) -> dict[Mutant, str]:
    """The state of each mutant; raises if a test fails without any change. Slow tests do not run for the equivalent ones."""
    session = Session(mutants, equivalent)
    status = pytest.main([*OPTIONS, *(f"--ignore={file}" for file in SEARCHES), *TESTS], plugins=[session])
    if session.failed or status not in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise RuntimeError(f"tests fail without a mutant: {session.failed or status}")
    return session.states
