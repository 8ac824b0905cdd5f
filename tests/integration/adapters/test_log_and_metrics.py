"""Log lines and metrics as CloudWatch reads them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from lambdas.adapters import log
from lambdas.adapters.log import Title, write
from lambdas.adapters.metrics import count
from lambdas.contract import metrics
from lambdas.contract.names import PROJECT


@pytest.fixture(autouse=True)
def fresh_logger() -> None:
    """The logger keeps the standard output of the test that made it."""
    log._logger.cache_clear()
    logging.Logger.manager.loggerDict.pop(PROJECT, None)


def test_a_line_is_one_json_object_with_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    write(Title.PLAN, "planned\nin two lines", incident="7f3a", actions=["restart"], done=True)
    (line,) = capsys.readouterr().out.splitlines()
    line_fields = json.loads(line)
    assert (line_fields["title"], line_fields["level"], line_fields["message"]) == ("plan", "INFO", "planned\nin two lines")
    assert (line_fields["incident"], line_fields["actions"], line_fields["done"]) == ("7f3a", ["restart"], True)
    assert datetime.fromisoformat(line_fields["timestamp"]).tzinfo is not None


def test_an_error_is_a_warning_that_names_its_class(capsys: pytest.CaptureFixture[str]) -> None:
    write(Title.REPORT, "not sent: slow down", error=TimeoutError("slow down"))
    line_fields = json.loads(capsys.readouterr().out)
    assert (line_fields["level"], line_fields["error"], line_fields["message"]) == ("WARNING", "TimeoutError", "not sent: slow down")


def test_titles_are_the_eight_pipeline_words_in_order() -> None:
    assert list(Title) == ["event", "request", "snapshot", "diagnosis", "plan", "actions", "verification", "report"]


def test_long_texts_are_truncated_and_foreign_objects_are_logged_as_their_type(capsys: pytest.CaptureFixture[str]) -> None:
    class Session:
        def __repr__(self) -> str:
            return "secret"

    write(Title.EVENT, "x" * 5000, session=Session(), nested={"of": [Session()]})
    out = capsys.readouterr().out
    assert len(json.loads(out)["message"]) == 2000
    assert "secret" not in out
    assert json.loads(out)["session"] == "<Session>"


def test_domain_objects_are_logged_as_their_type(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True)
    class Facts:
        certificate_authority: str

    write(Title.SNAPSHOT, "seen", facts=Facts("PEM"))
    assert json.loads(capsys.readouterr().out)["facts"] == "<Facts>"


def test_a_metric_is_a_line_in_the_embedded_format(capsys: pytest.CaptureFixture[str]) -> None:
    count(metrics.VERDICTS, 2, cluster="demo", verdict="healthy")
    line_fields = json.loads(capsys.readouterr().out)
    (directive,) = line_fields["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "EksIrsaRemediator",
        "Dimensions": [["cluster", "verdict"]],
        "Metrics": [{"Name": "Verdicts", "Unit": "Count"}],
    }
    assert (line_fields["Verdicts"], line_fields["cluster"], line_fields["verdict"]) == ([2], "demo", "healthy")
    assert abs(line_fields["_aws"]["Timestamp"] / 1000 - datetime.now(UTC).timestamp()) < 60


def test_a_metric_with_undeclared_dimensions_raises() -> None:
    with pytest.raises(ValueError, match="Repairs"):
        count(metrics.REPAIRS, cluster="demo")
    count(metrics.SWEEPS)
