"""What goes wrong, in one sentence with the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lambdas.domain.errors import AccessDenied, Denial, PermanentError, RemediatorError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

SOUND: Final = 0
BROKEN: Final = 1
COULD_NOT_TELL: Final = 2

WRONG_USE: Final = 2
"""What typer exits with for arguments it does not take."""


class Refused(PermanentError):
    """What was asked for cannot be done; the text says why, `then` what to do instead."""

    def __init__(self, text: str, *, then: str = "") -> None:
        super().__init__(text)
        self.then = then


def tell(error: BaseException) -> int:
    """Write the sentence to standard error. Returns the exit code: nothing is known, so 2."""
    from cli.output import console_for_errors
    from lambdas.notifications.escape import plain

    console = console_for_errors()
    sentence, then = in_words(error)
    console.print("error:", style="bold red", end=" ")
    console.print(plain(sentence), markup=False, highlight=False, soft_wrap=True)
    if then:
        console.print(f"next:  {plain(then)}", markup=False, highlight=False, soft_wrap=True)
    return COULD_NOT_TELL


def in_words(error: BaseException) -> tuple[str, str]:
    """What went wrong, and what to do next."""
    if isinstance(error, Refused):
        return str(error), error.then
    if isinstance(error, RemediatorError):
        return str(error), next(_next_step(error), "")
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}", "give a file that exists and may be read or written"
    return _unforeseen(error)


def _next_step(error: RemediatorError) -> Iterator[str]:
    if isinstance(error, AccessDenied):
        yield {
            Denial.UNAUTHENTICATED: "log in to AWS (for example `aws sso login`), or choose other credentials with --profile",
            Denial.FORBIDDEN: "use credentials that may do this, with --profile or --role-arn",
            Denial.UNREACHABLE: "run it from where the endpoint can be reached, or check the network and --region",
            Denial.CERTIFICATE: "check that no proxy stands between this machine and the endpoint",
        }[error.denial]
    if isinstance(error, TransientError):
        yield "try again in a moment; if it stays so, check the network and --region"


def _unforeseen(error: BaseException) -> tuple[str, str]:
    from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

    if isinstance(error, ProfileNotFound):
        return str(error), "`aws configure list-profiles` lists those there are"
    if isinstance(error, BotoCoreError | ClientError):
        return str(error), "check --profile and --region"
    return f"this should not have happened: {type(error).__name__}: {error}", "run it again with --debug and report what it shows"
