"""The threat model has one row for each attack program, and each row names tests that exist."""

from tests.attacks.__main__ import Result, exit_code, results
from tests.attacks.threat import PAGE, page, programs


def test_the_page_holds_the_row_of_each_program() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run `make threat-model`"


def test_each_row_names_existing_tests_of_its_program() -> None:
    found = list(programs())
    assert {program.file.name: sorted({*program.threat.proof} - program.tests) for program in found} == {
        program.file.name: [] for program in found
    }
    assert all(program.threat.proof for program in found)
    assert len({program.threat.name for program in found}) == len(found)


def test_a_program_prevents_its_threat_only_if_its_proof_ran_and_nothing_failed() -> None:
    program = next(programs())
    passed = dict.fromkeys(program.threat.proof, "passed")
    file = program.file.name
    cases = [
        ({file: passed}, Result.PREVENTED),
        ({file: {**passed, "test_other": "failed"}}, Result.WORKS),
        ({file: dict.fromkeys(program.threat.proof, "skipped")}, Result.NOT_RUN),
        ({file: dict(list(passed.items())[1:])}, Result.NOT_RUN),
        ({}, Result.NOT_RUN),
    ]
    for outcomes, expected in cases:
        assert dict(results(outcomes))[program.threat.name] is expected
    assert exit_code([Result.PREVENTED]) == 0
    assert exit_code([Result.PREVENTED, Result.NOT_RUN]) == exit_code([Result.WORKS]) == 1
