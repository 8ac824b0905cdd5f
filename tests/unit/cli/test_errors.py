"""Whatever goes wrong is told in one sentence with the next step, and only --debug shows more."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ProfileNotFound
from typer.testing import CliRunner

from cli.errors import CommandError, describe_error
from cli.main import app
from lambdas.domain.errors import AccessDenied, Denial, PermanentError, TransientError

ERRORS = {
    "refused": (CommandError("no", then="do this"), "no", "do this"),
    "logged out": (AccessDenied("who", denial=Denial.UNAUTHENTICATED), "who", "aws sso login"),
    "forbidden": (AccessDenied("read", denial=Denial.FORBIDDEN), "read", "--role-arn"),
    "no route": (AccessDenied("read", denial=Denial.UNREACHABLE), "read", "network"),
    "certificate": (AccessDenied("read", denial=Denial.CERTIFICATE), "read", "proxy"),
    "throttled": (TransientError("slow down"), "slow down", "try again"),
    "permanent": (PermanentError("it is so"), "it is so", ""),
    "file": (FileNotFoundError(2, "No such file or directory", "event.json"), "event.json: No such file", "give a file"),
    "profile": (ProfileNotFound(profile="x"), "The config profile (x) could not be found", "list-profiles"),
    "endpoint": (EndpointConnectionError(endpoint_url="https://x"), "Could not connect", "--region"),
    "client": (ClientError({"Error": {"Code": "Odd", "Message": "m"}}, "Op"), "Odd", "--profile"),
    "defect": (ZeroDivisionError("division by zero"), "this should not have happened: ZeroDivisionError", "--debug"),
}


@pytest.mark.parametrize(("error", "sentence", "then"), ERRORS.values(), ids=ERRORS)
def test_each_error_has_a_sentence_and_a_next_step(error: Exception, sentence: str, then: str) -> None:
    told, next_step = describe_error(error)
    assert sentence in told
    assert then in next_step
    assert bool(then) == bool(next_step)


def test_a_defect_is_told_without_a_traceback_and_debug_raises_it() -> None:
    with patch("cli.clients.connection.connect", side_effect=ZeroDivisionError("division by zero")):
        told = CliRunner().invoke(app, ["check"])
        assert told.exit_code == 2
        assert told.stderr.startswith("error: this should not have happened: ZeroDivisionError: division by zero\nnext:")
        assert isinstance(CliRunner().invoke(app, ["check", "--debug"]).exception, ZeroDivisionError)


def test_words_from_outside_cannot_reach_the_terminal_as_commands() -> None:
    with patch("cli.clients.connection.connect", side_effect=PermanentError("\x1b[2J[red]\u202e" + "x")):
        assert CliRunner().invoke(app, ["check"]).stderr == "error: [2J[red]x\n"
