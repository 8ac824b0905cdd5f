"""Bindings and settings, alarms and dead-letter queues."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from cli.queries import parameters
from cli.queries.stack_verification.results import CheckResult, Verification, shown_if, unknown
from lambdas.contract.environment import Function
from lambdas.contract.self_test import Answer
from lambdas.contract.stack_checks import CheckId
from lambdas.domain.plurals import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.clients.dependencies import Dependencies
    from cli.queries.parameters import ParameterEntry

QUEUES_NOT_FOUND: Final = "use credentials that read the functions, rules and alarms; if no check above is refused, run `make deploy`"


def configuration(run: Verification) -> Iterator[CheckResult]:
    """Validate bindings and settings as the functions do."""
    for check, read_entries in ((CheckId.BINDINGS, parameters.bindings), (CheckId.SETTINGS, parameters.settings)):
        yield run.result(unknown(check), partial(_validated, run, read_entries))


def _validated(run: Verification, read_entries: Callable[[Dependencies], list[ParameterEntry]]) -> tuple[Answer, str]:
    entries = read_entries(run.dependencies)
    problems = [f"{entry.path}: {entry.problem}" for entry in entries if entry.problem]
    return shown_if(not problems, "; ".join(problems) or f"{len(entries)} valid")


def alarms(run: Verification) -> Iterator[CheckResult]:
    """Read the alarms that notify the people topic."""

    def read() -> tuple[Answer, str] | CheckResult:
        found = run.alarms = run.dependencies.stack.operation.alarms(run.dependencies.environment.people_topic_arn)
        is_on = [alarm.name for alarm in found if alarm.state == "ALARM"]
        if not found:
            detail = "no alarm notifies the people topic"
            return replace(unknown(CheckId.ALARMS), answer=Answer.REFUTED, detail=detail, next_step="deploy again with `make deploy`")
        if is_on:
            return Answer.REFUTED, ", ".join(is_on)
        undecided = [alarm.name for alarm in found if alarm.state != "OK"]
        if undecided:
            return Answer.UNKNOWN, f"without data yet: {', '.join(undecided)}"
        return Answer.SHOWN, f"{len(found)} OK"

    yield run.result(unknown(CheckId.ALARMS), read)


def dead_letters(run: Verification) -> Iterator[CheckResult]:
    """Count the messages of the queues of functions and rules. Each function has one, and all rules share one."""
    environment = run.dependencies.environment
    expected = 1 + sum(bool(environment.role_of(function)) for function in Function)

    def read() -> tuple[Answer, str] | CheckResult:
        queues = _queues(run)
        counts = {queue.rpartition(":")[2]: run.dependencies.stack.operation.messages(queue) for queue in queues}
        filled = [f"{name}: {count}" for name, count in counts.items() if count]
        if not filled and len(queues) < expected:
            detail = f"{len(queues)} of {pluralize(expected, 'queue')} found"
            return replace(unknown(CheckId.DEAD_LETTERS), detail=detail, next_step=QUEUES_NOT_FOUND)
        return shown_if(not filled, ", ".join(filled) or pluralize(len(queues), "queue"))

    yield run.result(unknown(CheckId.DEAD_LETTERS), read)


def _queues(run: Verification) -> list[str]:
    """The ARNs of the queues that functions, rules and alarms name. An alarm counts the messages of each."""
    environment = run.dependencies.environment
    prefix = f"arn:{environment.partition}:sqs:{environment.region}:{environment.account}:"
    named = (
        *(function.dead_letters for function in run.functions.values()),
        *(rule.dead_letters for rule in run.rules),
        *(f"{prefix}{alarm.queue}" for alarm in run.alarms if alarm.queue),
    )
    return sorted({queue for queue in named if queue})
