"""The deployed functions answer for themselves, and for each cluster that they serve."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from cli.queries.stack_verification.results import CheckResult, Verification, shown_if, unknown
from lambdas.application.codec import decode
from lambdas.application.self_test import SelfTestReport
from lambdas.contract.environment import MAX_ENVIRONMENT_BYTES, Function
from lambdas.contract.self_test import MAX_CLUSTERS, Answer, SelfTestRequest
from lambdas.contract.stack_checks import CheckId
from lambdas.contract.version import VERSION
from lambdas.domain.errors import AccessDenied, NotFound, PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

EXECUTION_TIMEOUT_S: Final = 120
POLL_S: Final = 0.5
NEAR: Final = 0.9
"""The used part of a quota from which on it is near."""
MIN_UNRESERVED: Final = 20
"""Unreserved executions that leave room for the functions: the checker has a few at once, and other functions share them.

Lambda keeps 100 unreserved where functions reserve concurrency, and a new account may have a quota of 10.
Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""


def find_functions(run: Verification) -> Iterator[CheckResult]:
    """Find the functions of the stack by their roles. Every other check of functions and events uses the result."""
    environment = run.dependencies.environment
    roles = {function: role for function in Function if (role := environment.role_of(function))}
    listed = run.result(unknown(CheckId.FUNCTION_ANSWERS, "functions"), lambda: _list(run, list(roles.values())))
    if listed.answer is Answer.UNKNOWN:
        yield listed
        return
    for function, role in roles.items():
        if role not in run.functions:
            yield CheckResult(
                check=CheckId.FUNCTION_ANSWERS, answer=Answer.REFUTED, subject=function, detail=f"no function runs with the role {role}"
            )
    yield from _environment_sizes(run)


def _list(run: Verification, roles: list[str]) -> tuple[Answer, str]:
    run.functions.update(run.dependencies.stack.functions.of_roles(roles))
    return Answer.SHOWN, ""


def _environment_sizes(run: Verification) -> Iterator[CheckResult]:
    for function in Function:
        if deployed := run.functions.get(run.dependencies.environment.role_of(function)):
            size = deployed.environment_bytes
            answer, detail = shown_if(size < NEAR * MAX_ENVIRONMENT_BYTES, f"{size:,} of {MAX_ENVIRONMENT_BYTES:,} bytes")
            yield CheckResult(check=CheckId.ENVIRONMENT_SIZE, answer=answer, subject=function, detail=detail)


def concurrency(run: Verification) -> Iterator[CheckResult]:
    """Read the unreserved concurrency of the account."""

    def read() -> tuple[Answer, str]:
        found = run.dependencies.stack.functions.concurrency()
        return shown_if(found.unreserved >= MIN_UNRESERVED, f"{found.unreserved:,} of {found.quota:,} executions are unreserved")

    yield run.result(unknown(CheckId.CONCURRENCY), read)


def ask_checker(run: Verification) -> Iterator[CheckResult]:
    """Invoke the checker with a self-test."""
    deployed = run.functions.get(run.dependencies.environment.role_of(Function.CHECKER))
    if deployed is None:
        return
    functions = run.dependencies.stack.functions
    for position, clusters in enumerate(_batches(run.clusters)):
        request = SelfTestRequest(clusters=clusters)
        yield from _report(run, Function.CHECKER, position, partial(functions.invoke, deployed.arn, request.payload))


def ask_remediator(run: Verification) -> Iterator[CheckResult]:
    """Start a durable execution with a self-test, answer its callback, and read its result."""
    if run.dependencies.environment.role_of(Function.REMEDIATOR) not in run.functions:
        return
    for position, clusters in enumerate(_batches(run.clusters)):
        request = SelfTestRequest(clusters=clusters)
        yield from _report(run, Function.REMEDIATOR, position, partial(_execute, run, request))


def _batches(clusters: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(clusters[start : start + MAX_CLUSTERS]) for start in range(0, len(clusters), MAX_CLUSTERS)] or [()]


def _execute(run: Verification, request: SelfTestRequest) -> Any:
    """The result of an execution on the alias.

    Raises:
        PermanentError: the execution failed.
        TransientError: it did not end in time.
    """
    stack, alias = run.dependencies.stack, run.dependencies.environment.remediator_arn
    execution = stack.functions.start(alias, f"self-test-{uuid4().hex}", request.payload)
    ends_at, answered = run.seconds() + EXECUTION_TIMEOUT_S, False
    while run.seconds() < ends_at:
        state = stack.functions.execution(execution)
        if state.is_ended:
            if state.error:
                raise PermanentError(f"the execution ended: {state.error}")
            return json.loads(state.result)
        if not answered and (callback := stack.functions.callback_id(execution)):
            run.dependencies.callbacks.answer(callback, {"approved": True, "by": "irsa-remediator verify"})
            answered = True
        run.dependencies.sleep(POLL_S)
    raise TransientError(f"the execution did not end within {EXECUTION_TIMEOUT_S} seconds")


def _report(run: Verification, function: Function, position: int, ask: Callable[[], Any]) -> Iterator[CheckResult]:
    """The results of one report. Facts about the function itself are taken from the first report alone."""
    received: list[SelfTestReport] = []

    def read() -> tuple[Answer, str] | CheckResult:
        try:
            received.append(_decoded(ask()))
        except (AccessDenied, NotFound, TransientError):
            raise
        except PermanentError as error:
            return replace(unknown(CheckId.FUNCTION_ANSWERS, function), answer=Answer.REFUTED, detail=str(error))
        report = received[0]
        return Answer.SHOWN, f"{report.region}, {report.runtime.memory_mib} MiB, version {report.runtime.function_version}"

    answered = run.result(unknown(CheckId.FUNCTION_ANSWERS, function), read)
    if position == 0 or answered.answer is not Answer.SHOWN:
        yield answered
    for report in received:
        if position == 0:
            yield _version(report, function)
            yield from _durable(report, function)
        yield from _answers(report, function, with_own=position == 0)


def _decoded(answer: Any) -> SelfTestReport:
    """The report in the function's answer.

    Raises:
        PermanentError: it is another answer, for example that of a release without a self-test.
    """
    if isinstance(answer, dict) and "error" in answer:
        raise PermanentError(f"the self-test was refused: {answer['error']}")
    try:
        return decode(SelfTestReport, answer)
    except (KeyError, TypeError, ValueError) as error:
        raise PermanentError("the answer is no report of a self-test: the deployed release may be older than this command") from error


def _version(report: SelfTestReport, function: Function) -> CheckResult:
    answer, detail = shown_if(report.version == VERSION, f"{report.version}, and this command is {VERSION}")
    return CheckResult(
        check=CheckId.FUNCTION_VERSION, answer=answer, subject=function, detail=report.version if answer is Answer.SHOWN else detail
    )


def _durable(report: SelfTestReport, function: Function) -> Iterator[CheckResult]:
    if function is not Function.REMEDIATOR:
        return
    failures = {
        "it resumed on another version": not report.is_resumed,
        "the callback did not reach it": not report.is_answered,
    }
    problems = [text for text, is_failed in failures.items() if is_failed]
    answer, detail = shown_if(not problems, "; ".join(problems) or "checkpoint, wait of a second, resumption, callback")
    yield CheckResult(check=CheckId.DURABLE_EXECUTION, answer=answer, subject=function, detail=detail)


def _answers(report: SelfTestReport, function: Function, *, with_own: bool) -> Iterator[CheckResult]:
    for item in report.answers:
        if item.cluster or with_own:
            yield CheckResult(
                check=item.check, answer=item.answer, subject=function, cluster=item.cluster, detail=item.detail, took_ms=item.took_ms
            )
