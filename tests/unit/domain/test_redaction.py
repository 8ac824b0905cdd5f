"""Credentials leave texts, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.errors import AccessDenied, Denial, PermanentError, TransientError
from lambdas.domain.redaction import REDACTED, printable, redacted

TOKEN = "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXUtd2VzdC0xLmFtYXpvbmF3cy5jb20v_-9"
TEXTS = {
    "an EKS token": (f"denied for {TOKEN}", f"denied for k8s-aws-v1.{REDACTED}"),
    "an EKS token that was cut": (f"denied for {TOKEN[:20]}", f"denied for k8s-aws-v1.{REDACTED}"),
    "a bearer header": ("Authorization: Bearer abcdefghij.klm", f"Authorization: Bearer {REDACTED}"),
    "a presigned URL": ("x?X-Amz-Signature=12ab&X-Amz-Date=1", f"x?X-Amz-Signature={REDACTED}&X-Amz-Date=1"),
    "an encoded presigned URL": ("X-Amz-Security-Token%3DIQoJ", f"X-Amz-Security-Token%3D{REDACTED}"),
    "a ServiceAccount token": ("got eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJr.c2ln", f"got eyJ{REDACTED}"),
    "a role": ("arn:aws:iam::111122223333:role/x", "arn:aws:iam::111122223333:role/x"),
    "words": ("The bearer of this message is eyJ.", "The bearer of this message is eyJ."),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_credentials_are_removed(text: str, expected: str) -> None:
    assert redacted(text) == expected
    assert redacted(redacted(text)) == expected


@given(st.text(), st.text())
def test_no_token_survives_between_any_texts(before: str, after: str) -> None:
    assert TOKEN[11:] not in redacted(f"{before}{TOKEN} {after}")


def test_given_secrets_are_removed_with_and_without_their_prefix() -> None:
    assert redacted("s3cret and s3cret", "s3cret") == f"{REDACTED} and {REDACTED}"
    assert TOKEN[11:] not in redacted(f"{TOKEN} {TOKEN[11:]}", TOKEN)
    assert redacted("text", "") == "text"


def test_every_error_is_redacted() -> None:
    errors = (PermanentError(TOKEN), TransientError(TOKEN), AccessDenied(TOKEN, denial=Denial.FORBIDDEN))
    assert {str(error) for error in errors} == {f"k8s-aws-v1.{REDACTED}"}


@pytest.mark.parametrize(
    ("text", "line"), [("a role", "a role"), (" two\n lines\t", "two lines"), ("a\x1b[31m b", "a\N{REPLACEMENT CHARACTER}[31m b")]
)
def test_a_text_becomes_one_line_that_can_be_printed(text: str, line: str) -> None:
    assert printable(text) == line
