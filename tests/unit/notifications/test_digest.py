"""The daily digest: its text, its size, hostile text in it, and the incidents that it covers."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from lambdas.application.daily_digest import MOST_ASSESSED, summarize_day
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.settings import NO_FLOOR, settings_path
from lambdas.domain.incidents.daily_digest import Day, StillOpen, clusters_with_digest
from lambdas.domain.incidents.details import IncidentDetails
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.notifications.daily_digest import digest_message
from tests.fakes import FakeIncidents, Row
from tests.unit.notifications.digest_days import BLUE, DAYS, GREEN, UNTIL
from tests.unit.notifications.message_cases import ENVIRONMENT
from tests.unit.notifications.test_golden import assert_golden
from tests.unit.notifications.test_hostile_text import HOSTILE, assert_harmless, assert_legal

GOLDEN: Final = Path(__file__).parent / "golden_digest"
IN_CHAT: Final = "of-every-kind"
BOUND = {binding_path("prod-green", GREEN.namespace, GREEN.name): Parameter(value="arn:aws:iam::111122223333:role/ebs")}


@pytest.mark.parametrize("name", DAYS)
def test_each_day_has_its_golden_text(name: str) -> None:
    message = digest_message(DAYS[name], environment=ENVIRONMENT)
    assert_golden(GOLDEN / f"{name}.txt", f"Subject: {message.subject}\n\n{message.text}\n")
    if name == IN_CHAT:
        assert_golden(GOLDEN / f"{name}.chat.json", json.dumps(json.loads(message.chat), indent=2, ensure_ascii=False) + "\n")


def test_every_golden_file_has_a_day() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}.txt" for name in DAYS} | {f"{IN_CHAT}.chat.json"}


@pytest.mark.parametrize("name", DAYS)
def test_each_day_gives_a_legal_message_with_attributes(name: str) -> None:
    message = digest_message(DAYS[name], environment=ENVIRONMENT)
    assert_legal(message)
    assert message.attributes == {"severity": "info" if name == "repaired" else "warning", "outcome": "digest"}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_and_sentences_give_a_harmless_message(text: str) -> None:
    target = ServiceAccountRef(text, text, text)
    day = DAYS["of-every-kind"]
    hostile = replace(
        day,
        closed=tuple(replace(item, id=text, target=target, verdict=text, details=IncidentDetails(sentence=text)) for item in day.closed),
        still_open=tuple(StillOpen(incident=replace(item.incident, target=target, holder=text), sentence=text) for item in day.still_open),
    )
    message = digest_message(hostile, environment=ENVIRONMENT)
    assert_legal(message)
    assert_harmless(message)


def test_a_day_has_the_incidents_closed_within_it_and_those_open_now() -> None:
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


def test_a_day_without_incidents_is_quiet() -> None:
    assert summarize_day(UNTIL, ["prod-blue"], BOUND, FakeIncidents(), lambda _: "").is_empty
    assert not any(day.is_empty for day in DAYS.values())


def test_a_fault_of_the_whole_fleet_is_assessed_in_a_few_clusters() -> None:
    incidents, assessed = FakeIncidents(), []
    clusters = [f"shop-{i}" for i in range(MOST_ASSESSED + 5)]
    for name in clusters:
        target = replace(BLUE, cluster=name)
        incidents.rows[target.key] = Row(incident=replace(DAYS["still-open"].still_open[0].incident, target=target))
    day: Day = summarize_day(UNTIL, clusters, {}, incidents, lambda item: assessed.append(item.cluster) or "broken")
    assert len(day.still_open) == len(clusters)
    assert len(assessed) == MOST_ASSESSED


def test_deleted_clusters_are_covered_as_long_as_they_have_a_binding() -> None:
    daily = {settings_path("_default", "digest"): Parameter(value="daily")}
    assert clusters_with_digest(BOUND | daily, ["prod-blue"], NO_FLOOR) == ["prod-blue", "prod-green"]
    assert clusters_with_digest(BOUND, ["prod-blue"], NO_FLOOR) == []


def test_the_title_names_the_environment_where_it_has_a_name() -> None:
    day = next(iter(DAYS.values()))
    assert "Last day in prod-eu: " in digest_message(day, environment=replace(ENVIRONMENT, environment_name="prod-eu")).subject
    assert f"Last day in {ENVIRONMENT.account} {ENVIRONMENT.region}: " in digest_message(day, environment=ENVIRONMENT).subject
