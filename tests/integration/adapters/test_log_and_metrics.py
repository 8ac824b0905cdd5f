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
    told = json.loads(line)
    assert (told["title"], told["level"], told["message"]) == ("plan", "INFO", "planned\nin two lines")
    assert (told["incident"], told["actions"], told["done"]) == ("7f3a", ["restart"], True)
    assert datetime.fromisoformat(told["timestamp"]).tzinfo is not None


def test_trouble_is_a_warning_that_names_its_class(capsys: pytest.CaptureFixture[str]) -> None:
    write(Title.REPORT, "not sent: slow down", error=TimeoutError("slow down"))
    told = json.loads(capsys.readouterr().out)
    assert (told["level"], told["error"], told["message"]) == ("WARNING", "TimeoutError", "not sent: slow down")


def test_titles_are_the_eight_words_in_reading_order() -> None:
    assert list(Title) == ["event", "request", "observation", "diagnosis", "plan", "actions", "proof", "report"]


def test_long_texts_are_cut_and_foreign_objects_told_by_type_alone(capsys: pytest.CaptureFixture[str]) -> None:
    class Session:
        def __repr__(self) -> str:
            return "secret"

    write(Title.EVENT, "x" * 5000, session=Session(), nested={"of": [Session()]})
    out = capsys.readouterr().out
    assert len(json.loads(out)["message"]) == 2000
    assert "secret" not in out
    assert json.loads(out)["session"] == "<Session>"


def test_whole_domain_objects_do_not_reach_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True)
    class Facts:
        certificate_authority: str

    write(Title.OBSERVATION, "seen", facts=Facts("PEM"))
    assert json.loads(capsys.readouterr().out)["facts"] == "<Facts>"


def test_a_metric_is_a_line_in_the_embedded_format(capsys: pytest.CaptureFixture[str]) -> None:
    count(metrics.VERDICTS, 2, cluster="demo", verdict="healthy")
    told = json.loads(capsys.readouterr().out)
    (directive,) = told["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "EksIrsaRemediator",
        "Dimensions": [["cluster", "verdict"]],
        "Metrics": [{"Name": "Verdicts", "Unit": "Count"}],
    }
    assert (told["Verdicts"], told["cluster"], told["verdict"]) == ([2], "demo", "healthy")
    assert abs(told["_aws"]["Timestamp"] / 1000 - datetime.now(UTC).timestamp()) < 60


def test_a_metric_with_other_dimensions_than_declared_is_a_bug() -> None:
    with pytest.raises(ValueError, match="Repairs"):
        count(metrics.REPAIRS, cluster="demo")
    count(metrics.SWEEPS)
