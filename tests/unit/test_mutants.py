"""The mutants of `make mutants`: which only change wording, which tests reach one, and which cannot change a result."""

from dataclasses import replace

import pytest

from tests.mutation import type_check
from tests.mutation.__main__ import equivalent
from tests.mutation.mutants import Mutant, cached_mutants, module_of, mutants_of, mutated_files


def strings(code: str) -> dict[str, bool]:
    """The wrapped literals of a function with this body, and whether each change is one of wording."""
    source = f"def decide(a, b):\n    {code}\n"
    found = [mutant for mutant in mutants_of("module", source) if "XX" in mutant.replacement]
    return {mutant.replacement.split("XX")[1]: mutant.is_wording for mutant in found}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("return 'the role is gone'", {"the role is gone": True}),
        ("return 'annotation-missing'", {"annotation-missing": False}),
        ("return ', '.join(a)", {", ": False}),
        ("return ' and '.join(a)", {" and ": True}),
        ("return a == 'the role is gone'", {"the role is gone": False}),
        ("return a in ('no role', 'a role')", {"no role": False, "a role": False}),
        ("return a['the role']", {"the role": False}),
        ("return {'the key': 'the role is gone'}", {"the key": False, "the role is gone": True}),
        ("return {a: 'the role is gone'}[b]", {"the role is gone": True}),
        ("return a.startswith('not authorized')", {"not authorized": False}),
        ("return re.match('a b', a)", {"a b": False}),
        ("return r'a b'", {"a b": False}),
        ("return 'aws iam get-role'", {"aws iam get-role": False}),
        ('return f\'{a} pods {"do" if b else "does"} not run\'', {"do": True, "does": True}),
        ("return f'{a}/{b or \"none\"}'", {"none": False}),
        ("return pluralize(a, 'node')", {"node": True}),
        ("return 'one' if a == 'the role is gone' else 'the other one'", {"one": False, "the role is gone": False, "the other one": True}),
    ],
)
def test_only_texts_for_people_are_wording(code: str, expected: dict[str, bool]) -> None:
    assert strings(code) == expected


def test_a_text_that_is_missing_is_a_change_of_behavior() -> None:
    mutants = list(mutants_of("module", "def decide(a):\n    return unknown(a, 'the role is gone')\n"))
    assert {mutant.replacement for mutant in mutants if not mutant.is_wording} >= {"unknown(a, None)", "unknown('the role is gone')"}


SOURCE = """
class Role:
    def check(self, a, b=5):
        if (a
            and b > 7):
            return None
        match a:
            case 1 if b == 3:
                return "one"
            case 2:
                return "two"
"""


def test_a_mutant_is_reached_by_the_lines_of_its_statement() -> None:
    found = {(text_at(mutant), mutant.replacement): mutant for mutant in mutants_of("module", SOURCE)}
    lines = {key: mutant.lines for key, mutant in found.items()}
    assert {mutant.function for mutant in found.values()} == {"Role.check"}
    assert lines["7", "8"] == (4, 5)
    assert lines["5", "6"] == (3, 11)  # the default value belongs to every call
    assert lines["3", "4"] == (8, 8)


def text_at(mutant: Mutant) -> str:
    return SOURCE[mutant.start : mutant.end].strip()


def test_an_equivalent_mutant_exists_and_has_a_reason() -> None:
    listed = equivalent()
    functions = {function for function, *_ in listed}
    files = [path for path in mutated_files() if any(function.startswith(f"{module_of(path)}.") for function in functions)]
    mutants = [mutant for path in files for mutant in cached_mutants(path) if mutant.name in functions]
    existing = {(mutant.name, *mutant.change()) for mutant in mutants if not mutant.is_wording}
    assert set(listed) <= existing
    assert all(reason.endswith(".") for reason in listed.values())


def test_one_run_of_mypy_checks_one_mutant_of_each_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """So an error in a file is one of the mutant that replaced it."""
    plurals, errors = (Mutant(f"lambdas.domain.{name}", "f", 0, 0, "", (1, 1), is_wording=False) for name in ("plurals", "errors"))
    second = replace(plurals, start=5)
    runs: list[list[Mutant]] = []

    def files_with_errors(mutants: list[Mutant]) -> set[str]:
        runs.append(mutants)
        return {"lambdas/domain/plurals.py"} if second in mutants else set()

    monkeypatch.setattr(type_check, "_files_with_errors", files_with_errors)
    assert type_check.rejected([plurals, second, errors]) == {second}
    assert runs == [[], [plurals, errors], [second]]


def test_types_have_to_hold_without_a_mutant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type_check, "_files_with_errors", lambda _: {"lambdas/domain/plurals.py"})
    with pytest.raises(RuntimeError, match=r"without a mutant: lambdas/domain/plurals\.py"):
        type_check.rejected([])
