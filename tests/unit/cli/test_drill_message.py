"""The leg `message` of a drill: a time where SNS accepted a message and somebody receives it, else the reason why there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from cli.clients.stack_ports import TopicSubscription
from cli.interactive.drill import MESSAGE, NO_CHANNEL, NO_RECORD, Drill, DrillOptions, Leg
from cli.views.stack_drill import drill_view
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.incidents.details import IncidentDetails
from tests.unit.cli.fake_dependencies import Fakes, fake_dependencies
from tests.unit.cli.sessions import past
from tests.world import NOON, described, role_arn


def leg_after(sent_at: datetime | None, fakes: Fakes, *, ahead_s: float = 0) -> Leg:
    """The leg of a drill whose event was sent after 1 second and whose proof was seen after 9, of an incident that was closed after 8.

    By this machine's clock the annotation was removed at noon. The remediator's clock is `ahead_s` ahead.
    """
    options = DrillOptions(cluster="demo", role_arn=role_arn("drill"))
    drill = Drill(options, fakes.dependencies, lambda: 9.0, times={"event": 1.0, "proof": 9.0})
    drill._began_at = NOON
    ahead = timedelta(seconds=ahead_s)
    details = IncidentDetails(first_notified_at=sent_at and sent_at + ahead)
    drill._time_message(replace(past(), opened_at=NOON + ahead, closed_at=NOON + timedelta(seconds=8) + ahead, details=details))
    return next(leg for leg in drill.legs if leg.name == MESSAGE)


@pytest.fixture
def fakes() -> Fakes:
    return fake_dependencies(described({}))


@pytest.mark.parametrize(("ahead_s", "seconds"), [(0, 2.5), (300, 3.5), (-300, 1.0)])
def test_the_time_is_that_of_the_record_between_the_event_and_the_proof(ahead_s: float, seconds: float, fakes: Fakes) -> None:
    leg = leg_after(NOON + timedelta(seconds=2.5), fakes, ahead_s=ahead_s)
    assert (leg.seconds, leg.note) == (seconds, "")


def test_an_incident_without_a_record_of_a_message_has_no_time(fakes: Fakes) -> None:
    leg = leg_after(None, fakes)
    assert (leg.seconds, leg.note) == (None, NO_RECORD)
    assert any(NO_RECORD in line for line in shown(leg))


def test_a_message_that_nobody_receives_is_not_observed(fakes: Fakes) -> None:
    fakes.stack.people = (TopicSubscription(protocol="email", endpoint="oncall@example.com", is_confirmed=False),)
    leg = leg_after(NOON, fakes)
    assert (leg.seconds, leg.note) == (None, NO_CHANNEL)


def test_subscriptions_that_may_not_be_read_do_not_hide_the_time(fakes: Fakes) -> None:
    fakes.stack.errors["subscriptions"] = AccessDenied("list the subscriptions: AccessDenied", denial=Denial.FORBIDDEN)
    assert leg_after(NOON + timedelta(seconds=2), fakes).seconds == 2.0


def shown(leg: Leg) -> list[str]:
    console = Console(width=120, record=True, file=StringIO())
    console.print(*drill_view([leg], ""))
    return console.export_text().splitlines()
