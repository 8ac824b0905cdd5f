"""Errors become one sentence with the next step, and only --debug shows a traceback."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ProfileNotFound

from cli.errors import CommandError, ExitCode, describe_error, worst
from cli.main import app
from lambdas.domain.errors import AccessDenied, Denial, PermanentError, TransientError
from tests.cli_runner import CliRunner

ERRORS = {
    "command error": (CommandError("no", next_step="do this"), "no", "do this"),
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
    "defect": (ZeroDivisionError("division by zero"), "unexpected ZeroDivisionError", "--debug"),
}


@pytest.mark.parametrize(("error", "sentence", "next_step"), ERRORS.values(), ids=ERRORS)
def test_each_error_has_a_sentence_and_a_next_step(error: Exception, sentence: str, next_step: str) -> None:
    found_sentence, found_next_step = describe_error(error)
    assert sentence in found_sentence
    assert next_step in found_next_step
    assert bool(next_step) == bool(found_next_step)


def test_a_defect_is_reported_without_a_traceback_and_debug_raises_it() -> None:
    with patch("cli.clients.connection.connect", side_effect=ZeroDivisionError("division by zero")):
        result = CliRunner().invoke(app, ["check"])
        assert result.exit_code == ExitCode.UNKNOWN
        assert result.stderr.startswith("error: unexpected ZeroDivisionError: division by zero\nnext:")
        assert isinstance(CliRunner().invoke(app, ["check", "--debug"]).exception, ZeroDivisionError)


def test_control_characters_of_an_error_do_not_reach_the_terminal() -> None:
    with patch("cli.clients.connection.connect", side_effect=PermanentError("\x1b[2J[red]\u202e" + "x")):
        assert CliRunner().invoke(app, ["check"]).stderr == "error: [2J[red]x\n"


def test_broken_outweighs_unknown_and_unknown_outweighs_healthy() -> None:
    assert worst([ExitCode.OK, ExitCode.UNKNOWN, ExitCode.BROKEN]) is ExitCode.BROKEN
    assert worst([ExitCode.OK, ExitCode.UNKNOWN]) is ExitCode.UNKNOWN
    assert worst([]) is ExitCode.OK


def test_exit_codes_are_an_interface() -> None:
    assert {code.name: code.value for code in ExitCode} == {"OK": 0, "BROKEN": 1, "UNKNOWN": 2, "INTERRUPTED": 130}
