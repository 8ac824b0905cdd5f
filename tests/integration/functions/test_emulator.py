"""A function in the real emulator: cold, warm, failing, timing out, killed, and concurrent."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.functions.execution_environment import Environment
from sandbox.functions.function import Function
from sandbox.functions.function_pool import FunctionPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


TIMEOUT_S = 5
"""A cold start on a busy machine takes less."""


def _payload(**event: Any) -> bytes:
    return json.dumps(event).encode()


@pytest.fixture(scope="module", params=[False, True], ids=["started", "forked"])
def checker(functions: Path, request: pytest.FixtureRequest) -> Function:
    """Started as Lambda does, and forked off a process that has its modules."""
    ours = {"OURS": "1"}
    return Function(
        name="checker", asset=functions, handler="handlers.plain", environment=ours, timeout_s=TIMEOUT_S, preloaded=request.param
    )


@pytest.fixture(scope="module")
def environment(checker: Function) -> Iterator[Environment]:
    with Environment(checker) as running:
        yield running


def test_the_first_invocation_is_cold_and_the_next_one_is_not(environment: Environment) -> None:
    environment.restart()
    first, second = environment.invoke(_payload(say="hello")), environment.invoke(_payload())
    assert (first.cold, second.cold, first.failed) == (True, False, False)
    assert first.json()["pid"] == second.json()["pid"]
    assert first.json()["name"] == "checker"
    assert first.duration_ms > second.duration_ms
    assert '{"said": "hello"}' in environment.lines
    assert environment.init_ms[-1] > 0


def test_a_function_has_only_its_environment_and_its_asset(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "x")
    environment.restart()
    seen = environment.invoke(_payload()).json()
    assert seen["site_packages"] == []
    assert {"OURS", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION"} <= set(seen["environment"])
    assert "SECRET_OF_THE_SHELL" not in seen["environment"]


def test_an_exception_fails_the_invocation_and_keeps_the_environment(environment: Environment) -> None:
    before = environment.invoke(_payload()).json()["pid"]
    failed = environment.invoke(_payload(**{"raise": True}))
    assert (failed.failed, failed.json()["errorType"]) == (True, "ValueError")
    assert environment.invoke(_payload()).json()["pid"] == before


@pytest.mark.parametrize("event", [{"exit": True}, {"sleep": 2 * TIMEOUT_S}], ids=["crash", "time-out"])
def test_a_crash_or_a_time_out_fails_the_invocation_and_the_next_starts_cold(environment: Environment, event: dict[str, Any]) -> None:
    before = environment.invoke(_payload()).json()["pid"]
    assert environment.invoke(_payload(**event)).failed
    after = environment.invoke(_payload())
    assert (after.failed, after.cold) == (False, True)
    _assert_ends(before)


def test_a_function_killed_in_the_middle_fails_and_starts_anew(environment: Environment) -> None:
    pid = environment.invoke(_payload()).json()["pid"]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(environment.invoke, _payload(say="in the middle", sleep=TIMEOUT_S - 1))
        _await(lambda: '{"said": "in the middle"}' in environment.lines)
        environment.kill()
        assert running.result(timeout=60).json()["errorType"] == "Runtime.ExitError"
    _assert_ends(pid)
    assert not environment.invoke(_payload()).failed


def test_invocations_run_side_by_side_up_to_the_concurrency_and_then_wait(checker: Function) -> None:
    with FunctionPool(checker) as pool, ThreadPoolExecutor(4) as callers:
        answers = list(callers.map(pool.invoke, [_payload(sleep=0.5)] * 4))
        assert [answer for answer in answers if answer.failed] == []
        assert len({answer.json()["pid"] for answer in answers}) == 2


def test_nothing_is_left_behind(checker: Function) -> None:
    pool = FunctionPool(checker)
    pid = pool.invoke(_payload()).json()["pid"]
    pool.close()
    _assert_ends(pid)


def test_closing_in_the_middle_of_an_invocation_leaves_nothing_behind(checker: Function) -> None:
    pool = FunctionPool(checker)
    pid = pool.invoke(_payload()).json()["pid"]
    with ThreadPoolExecutor(1) as caller:
        running = caller.submit(pool.invoke, _payload(say="in the middle", sleep=TIMEOUT_S - 1))
        _await(lambda: '{"said": "in the middle"}' in pool.lines())
        pool.close()
        assert running.result(timeout=60).failed
    _assert_ends(pid)
    with pytest.raises(RuntimeError):
        pool.invoke(_payload())


def _assert_ends(pid: int) -> None:
    """A killed process ends with a delay."""
    _await(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # The process can end after its file was opened.
        return False


def _await(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
