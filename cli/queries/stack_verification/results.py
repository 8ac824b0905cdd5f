"""The answer to one check of the deployed stack, and how a failed call becomes one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cli.errors import ExitCode, describe_error
from lambdas.contract.self_test import Answer
from lambdas.contract.stack_checks import STACK_CHECKS, CheckId, StackCheck, anchor
from lambdas.domain.errors import RemediatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cli.clients.dependencies import Dependencies
    from cli.clients.stack_ports import DeployedAlarm, DeployedFunction, DeployedRule

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The answer to one check about one subject: a function, a rule, a topic. `cluster` is set where it is about a cluster.

    `is_optional`: what is missing is a feature that is off, and no failure.
    """

    check: CheckId
    answer: Answer
    subject: str = ""
    cluster: str = ""
    detail: str = ""
    took_ms: int = 0
    is_optional: bool = False
    next_step: str = ""

    @property
    def declared(self) -> StackCheck:
        """The declaration of the check."""
        return STACK_CHECKS[self.check]

    @property
    def is_off(self) -> bool:
        """Whether an optional feature is off."""
        return self.answer is Answer.REFUTED and (self.is_optional or self.declared.is_optional)

    @property
    def is_failed(self) -> bool:
        """Whether the check is refuted, and the stack needs what it shows."""
        return self.answer is Answer.REFUTED and not self.is_off

    @property
    def advice(self) -> str:
        """The next step. Empty where the check is shown, or not known for the reason of another check."""
        if self.answer is Answer.SHOWN:
            return ""
        if self.answer is Answer.UNKNOWN:
            return self.next_step
        return self.next_step or self.declared.next_step.replace("{cluster}", self.cluster)

    @property
    def document(self) -> Json:
        """The result as JSON."""
        return {
            "check": self.check.value,
            "title": self.declared.title,
            "answer": self.answer.value,
            "isOptional": self.is_optional or self.declared.is_optional,
            "subject": self.subject or None,
            "cluster": self.cluster or None,
            "detail": self.detail or None,
            "tookMs": self.took_ms,
            "nextStep": self.advice or None,
            "docs": anchor(self.check),
        }


def exit_code(results: Iterable[CheckResult]) -> ExitCode:
    """Return 1 where a check failed, else 2 where one is not known, else 0."""
    found = list(results)
    if any(result.is_failed for result in found):
        return ExitCode.BROKEN
    return ExitCode.UNKNOWN if any(result.answer is Answer.UNKNOWN for result in found) else ExitCode.OK


@dataclass(kw_only=True)
class Verification:
    """What the checks of one run share: dependencies, clusters, a clock, and what was found so far."""

    dependencies: Dependencies
    clusters: Sequence[str]
    seconds: Callable[[], float]
    sends_messages: bool = False
    functions: dict[str, DeployedFunction] = field(default_factory=dict)
    """The deployed functions by role ARN."""
    rules: tuple[DeployedRule, ...] = ()
    alarms: tuple[DeployedAlarm, ...] = ()
    results: list[CheckResult] = field(default_factory=list)

    def result(self, result: CheckResult, read: Callable[[], tuple[Answer, str] | CheckResult]) -> CheckResult:
        """Return the result with the answer of a call. A call that fails leaves the check open, and says why.

        The caller's missing permission says nothing about the stack.
        """
        began = self.seconds()
        try:
            answered = read()
        except RemediatorError as error:
            detail, next_step = describe_error(error)
            answered = replace(result, answer=Answer.UNKNOWN, detail=detail, next_step=next_step)
        took_ms = round((self.seconds() - began) * 1000)
        if isinstance(answered, tuple):
            answered = replace(result, answer=answered[0], detail=answered[1])
        return replace(answered, took_ms=took_ms)

    def is_shown(self, check: CheckId, subject: str = "") -> bool:
        """Whether a result so far shows the check."""
        return any(result.answer is Answer.SHOWN for result in self.results if result.check is check and subject in ("", result.subject))


def unknown(check: CheckId, subject: str = "", cluster: str = "") -> CheckResult:
    """Return a result that nothing has answered yet."""
    return CheckResult(check=check, answer=Answer.UNKNOWN, subject=subject, cluster=cluster)


def shown_if(condition: object, detail: str) -> tuple[Answer, str]:
    """Return the answer that the condition gives."""
    return (Answer.SHOWN if condition else Answer.REFUTED), detail
