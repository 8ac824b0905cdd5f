"""The daily digest, word for word; that it fits and is harmless whatever stands in it; and what it is read from."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lambdas.application.daily_digest import MOST_ASSESSED, summarize_day
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.settings import settings_path
from lambdas.domain.incidents.daily_digest import Day, StillOpen, clusters_asking
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.notifications.daily_digest import digest_message
from tests.fakes import FakeIncidents, Row
from tests.unit.notifications.digest_days import BLUE, DAYS, GREEN, UNTIL
from tests.unit.notifications.message_cases import ENVIRONMENT
from tests.unit.notifications.test_hostile_text import HOSTILE, assert_harmless, assert_legal

GOLDEN = Path(__file__).parent / "golden_digest"
BOUND = {binding_path("prod-green", GREEN.namespace, GREEN.name): Parameter(value="arn:aws:iam::111122223333:role/ebs")}


@pytest.mark.parametrize("name", DAYS)
def test_each_day_is_told_in_the_same_words(name: str) -> None:
    """`UPDATE_GOLDEN=1` writes them anew."""
    told = digest_message(DAYS[name], environment=ENVIRONMENT)
    chat = json.dumps(json.loads(told.chat), indent=2, ensure_ascii=False) + "\n"
    for suffix, now in ((".txt", f"Subject: {told.subject}\n\n{told.text}\n"), (".chat.json", chat)):
        path = GOLDEN / f"{name}{suffix}"
        if os.environ.get("UPDATE_GOLDEN") == "1":
            path.parent.mkdir(exist_ok=True)
            path.write_text(now, encoding="utf-8")
        assert now == path.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.name.split(".")[0] for path in GOLDEN.iterdir()} == set(DAYS)


@pytest.mark.parametrize("name", DAYS)
def test_each_day_fits_and_can_be_filtered_by(name: str) -> None:
    told = digest_message(DAYS[name], environment=ENVIRONMENT)
    assert_legal(told)
    assert told.attributes == {"severity": "info" if name == "repaired" else "warning", "outcome": "digest"}


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_names_and_sentences_hold_is_made_harmless(words: str) -> None:
    target = ServiceAccountRef(words, words, words)
    day = DAYS["of-every-kind"]
    hostile = replace(
        day,
        closed=tuple(replace(item, id=words, target=target, verdict=words, details={"sentence": words}) for item in day.closed),
        still_open=tuple(
            StillOpen(incident=replace(item.incident, target=target, holder=words), sentence=words) for item in day.still_open
        ),
    )
    told = digest_message(hostile, environment=ENVIRONMENT)
    assert_legal(told)
    assert_harmless(told)


def test_a_day_holds_what_was_closed_within_it_and_what_is_open_now() -> None:
    incidents, day = FakeIncidents(), DAYS["of-every-kind"]
    (first, *_), (broken, waiting, _) = day.closed, day.still_open
    moments = {
        "before": timedelta(hours=24, seconds=1),
        "first": timedelta(hours=24),
        "last": timedelta(seconds=1),
        "next day": timedelta(),
    }
    incidents.rows[BLUE.key] = Row(
        incident=waiting.incident, past=[replace(first, id=name, closed_at=UNTIL - age) for name, age in moments.items()]
    )
    incidents.rows[GREEN.key] = Row(incident=broken.incident)
    read = summarize_day(UNTIL, ["prod-blue", "prod-green"], BOUND, incidents, lambda item: f"{item.name} is broken")
    assert [item.id for item in read.closed] == ["last", "first"]
    assert [(item.incident.id, item.sentence) for item in read.still_open] == [
        (waiting.incident.id, "aws-node is broken"),
        (broken.incident.id, "ebs-csi-controller-sa is broken"),
    ]


def test_a_quiet_day_has_nothing_to_tell() -> None:
    assert summarize_day(UNTIL, ["prod-blue"], BOUND, FakeIncidents(), lambda _: "").quiet
    assert not any(day.quiet for day in DAYS.values())


def test_a_fault_of_the_whole_fleet_is_looked_at_in_a_few_clusters() -> None:
    incidents, looked = FakeIncidents(), []
    clusters = [f"shop-{i}" for i in range(MOST_ASSESSED + 5)]
    for name in clusters:
        target = replace(BLUE, cluster=name)
        incidents.rows[target.key] = Row(incident=replace(DAYS["still-open"].still_open[0].incident, target=target))
    day: Day = summarize_day(UNTIL, clusters, {}, incidents, lambda item: looked.append(item.cluster) or "broken")
    assert len(day.still_open) == len(clusters)
    assert len(looked) == MOST_ASSESSED


def test_clusters_that_are_gone_are_asked_about_as_long_as_they_are_bound() -> None:
    daily = {settings_path("_default", "digest"): Parameter(value="daily")}
    assert clusters_asking(BOUND | daily, ["prod-blue"]) == ["prod-blue", "prod-green"]
    assert clusters_asking(BOUND, ["prod-blue"]) == []
