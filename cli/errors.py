"""Exit codes, and errors as one sentence with the next step."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from lambdas.domain.errors import AccessDenied, Denial, PermanentError, RemediatorError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    """Exit codes of every command. `docs/cli.md` documents them."""

    OK = 0
    """The identity is healthy, or the command is done."""
    BROKEN = 1
    """A check failed: broken identity, missing access, invalid parameter, refused proposal."""
    UNKNOWN = 2
    """The answer is not known: no access, no answer from AWS, or wrong arguments (the value that typer uses)."""
    INTERRUPTED = 130
    """Ctrl-C: 128 plus the number of SIGINT."""


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the exit code of several results: broken outweighs unknown, unknown outweighs healthy."""
    found = set(codes)
    return next((code for code in (ExitCode.BROKEN, ExitCode.UNKNOWN) if code in found), ExitCode.OK)


class CommandError(PermanentError):
    """The command cannot be carried out. The text says why, `next_step` what to do instead."""

    def __init__(self, text: str, *, next_step: str = "") -> None:
        super().__init__(text)
        self.next_step = next_step


def report_error(error: BaseException) -> ExitCode:
    """Write the error to standard error as one sentence with the next step, and return the exit code."""
    from cli.output import error_console
    from lambdas.notifications.escape import plain

    console = error_console()
    sentence, next_step = describe_error(error)
    console.print("error:", style="bold red", end=" ")
    console.print(plain(sentence), soft_wrap=True)
    if next_step:
        console.print(f"next:  {plain(next_step)}", soft_wrap=True)
    return ExitCode.UNKNOWN


def describe_error(error: BaseException) -> tuple[str, str]:
    """Return what failed and what to do next. The next step may be empty."""
    if isinstance(error, CommandError):
        return str(error), error.next_step
    if isinstance(error, RemediatorError):
        return str(error), _next_step(error)
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}", "give a file that exists and that you may read or write"
    return _describe_other(error)


def _next_step(error: RemediatorError) -> str:
    if isinstance(error, AccessDenied):
        return {
            Denial.UNAUTHENTICATED: "log in to AWS (for example `aws sso login`), or choose other credentials with --profile",
            Denial.FORBIDDEN: "use credentials that have this permission, with --profile or --role-arn",
            Denial.UNREACHABLE: "run the command where the endpoint can be reached, or check the network and --region",
            Denial.CERTIFICATE: "check that no proxy intercepts the connection between this machine and the endpoint",
        }[error.denial]
    return "try again in a moment; if the error remains, check the network and --region" if isinstance(error, TransientError) else ""


def _describe_other(error: BaseException) -> tuple[str, str]:
    from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

    if isinstance(error, ProfileNotFound):
        return str(error), "list the profiles with `aws configure list-profiles`"
    if isinstance(error, BotoCoreError | ClientError):
        return str(error), "check --profile and --region"
    return f"unexpected {type(error).__name__}: {error}", "run the command again with --debug and report the traceback"
