"""A function in the real emulator and in its stand-in: cold, warm, failing, timing out, killed, and concurrent."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from sandbox.functions import rie
from sandbox.functions.execution_environment import Environment
from sandbox.functions.function import Function
from sandbox.functions.function_pool import FunctionPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


TIMEOUT_S = 5
"""A cold start on a busy machine takes less."""


def _payload(**event: Any) -> bytes:
    return json.dumps(event).encode()


@pytest.fixture(scope="module", params=[False, True], ids=["emulator", "stand-in"])
def is_hidden(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether this machine looks like one without the emulator's binary and without the compiled client."""
    if not request.param:
        assert rie.stand_in_reason() == ""
        yield False
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rie.platform, "system", lambda: "Darwin")
        patched.setattr(rie, "_client_packages", list)
        assert rie.stand_in_reason().startswith("the Lambda emulator is a Linux binary")
        yield True


@pytest.fixture(scope="module", params=[False, True], ids=["started", "forked"])
def checker(functions: Path, is_hidden: bool, request: pytest.FixtureRequest) -> Function:
    """Started as Lambda does, and forked off a process that has its modules."""
    ours = {"OURS": "1"}
    return Function(
        name="checker", asset=functions, handler="handlers.plain", environment=ours, timeout_s=TIMEOUT_S, preloaded=request.param
    )


def test_only_the_stand_in_is_python(checker: Function, is_hidden: bool) -> None:
    command = rie.emulator_command()
    assert (command[0] == sys.executable, rie.client_module()) == (is_hidden, "runtime_client" if is_hidden else "awslambdaric")


def test_a_handler_that_cannot_be_loaded_fails_each_invocation(functions: Path, is_hidden: bool) -> None:
    missing = Function(name="checker", asset=functions, handler="handlers.absent", timeout_s=TIMEOUT_S)
    with Environment(missing) as broken:
        assert [broken.invoke(_payload()).failed for _ in range(2)] == [True, True]


def test_a_handler_knows_its_invocation(functions: Path, is_hidden: bool) -> None:
    asking = Function(name="checker", asset=functions, handler="handlers.context", timeout_s=TIMEOUT_S)
    with Environment(asking) as running:
        first, second = (running.invoke(_payload(text="ü")).json() for _ in range(2))
    assert first["id"] != second["id"]
    assert 0 < first["remaining_ms"] <= TIMEOUT_S * 1000
    assert (first["text"], first["memory"], first["group"]) == ("ü", "256", "/aws/lambda/checker")


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
    _await(lambda: '{"said": "hello"}' in environment.lines and environment.init_ms)
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
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _await(holds: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
