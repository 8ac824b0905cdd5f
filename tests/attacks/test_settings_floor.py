"""A writer of parameters makes settings less strict: mode, pacing, circuit breaker, maintenance window or notifications."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.main import app
from cli.queries.parameters import settings
from lambdas.contract.names import ANY_CLUSTER
from lambdas.contract.settings import (
    FLOOR_NAMES,
    InvalidValue,
    Mode,
    Severity,
    Window,
    parse_floor,
    parse_setting,
    read_settings,
    settings_path,
)
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.planning.policies import opens_at
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.notifications.message_context import ApprovalAnswer
from tests.attacks.threat import Threat
from tests.cli_runner import CliRunner
from tests.unit.cli.fake_dependencies import fake_dependencies
from tests.unit.workflow.workflow_run import run_workflow
from tests.world import World
from tests.world.state import NOON

if TYPE_CHECKING:
    from cli.clients.dependencies import Dependencies
    from cli.options import GlobalOptions
    from tests.over_fakes.scenario_run import ScenarioRun

THREAT = Threat(
    name="settings below the floor",
    actor="writer of parameters",
    controls="`/eks-irsa-remediator/settings/`",
    attempt="make mode, pacing, breaker, window or notifications less strict",
    prevention="`settings_floor` of the deployment limits each of them; an invalid value counts as the default",
    proof=(
        "test_no_parameter_makes_a_setting_less_strict_than_the_floor",
        "test_the_remediator_applies_the_floor",
        "test_every_setting_with_a_floor_is_tried",
    ),
    residual="settings can be made stricter, up to `observe`, which still checks and notifies; without a floor they can be "
    "lifted to their bounds",
)

CHOICES = {
    "mode": ("enforce", "approve", "observe"),
    "addon_record": ("update", "notify-only"),
    "when_unverified": ("restore", "restore-own", "refuse"),
    "cooldown_s": ("0", "60", "600", "86400"),
    "max_repairs_per_hour": ("60", "4", "1"),
    "circuit_breaker_clusters": ("1000", "5", "2"),
    "notify_from": ("critical", "warning", "info"),
}
"""Values of each setting, the least strict one first."""
WINDOWS = (
    "always",
    "mon-sun 00:00-24:00",
    "mon-fri 22:00-04:00",
    "tue 23:00-24:00",
    "sat 10:00-12:00",
    "sun 20:00-06:00",
    "calendar:freeze",
)


def effective(parameters: dict[str, str], floor: str) -> dict[str, object]:
    values = {settings_path(whose, name): text for whose in (ANY_CLUSTER, "demo") for name, text in parameters.items()}
    found, _ = read_settings(values, "demo", parse_floor(floor))
    return vars(found)


def test_every_setting_with_a_floor_is_tried() -> None:
    assert {*CHOICES, "maintenance_window"} == set(FLOOR_NAMES)


@given(st.data())
def test_no_parameter_makes_a_setting_less_strict_than_the_floor(data: st.DataObject) -> None:
    floor = {name: data.draw(st.sampled_from(texts)) for name, texts in CHOICES.items() if data.draw(st.booleans())}
    parameters = {name: data.draw(st.sampled_from([*texts, "", "nonsense"])) for name, texts in CHOICES.items() if data.draw(st.booleans())}
    found = effective(parameters, ";".join(f"{name}={text}" for name, text in floor.items()))
    for name, text in floor.items():
        assert strictness(name, found[name]) >= strictness(name, parse_setting(name, text)), name


def strictness(name: str, value: object) -> int:
    """A number that grows with the strictness of a value."""
    if isinstance(value, int):
        return value if name == "cooldown_s" else -value
    return [parse_setting(name, text) for text in CHOICES[name]].index(value)


@pytest.mark.parametrize(
    ("name", "floor", "parameter", "expected"),
    [
        ("cooldown_s", "600", "0", 600),
        ("cooldown_s", "600", "900", 900),
        ("max_repairs_per_hour", "2", "60", 2),
        ("max_repairs_per_hour", "2", "1", 1),
        ("circuit_breaker_clusters", "3", "1000", 3),
        ("circuit_breaker_clusters", "3", "2", 2),
        ("mode", "approve", "enforce", Mode.APPROVE),
        ("mode", "approve", "observe", Mode.OBSERVE),
        ("notify_from", "warning", "critical", Severity.WARNING),
        ("notify_from", "warning", "info", Severity.INFO),
    ],
)
def test_the_stricter_value_wins(name: str, floor: str, parameter: str, expected: object) -> None:
    assert effective({name: parameter}, f"{name}={floor}")[name] == expected


@given(st.sampled_from(WINDOWS), st.sampled_from(WINDOWS), st.integers(0, 7 * 24 * 4))
def test_no_window_is_open_outside_the_floor(floor: str, parameter: str, quarters: int) -> None:
    limit = parse_setting("maintenance_window", floor)
    found = effective({"maintenance_window": parameter}, f"maintenance_window={floor}")["maintenance_window"]
    if not isinstance(limit, Window):
        assert found == (parse_setting("maintenance_window", parameter) if limit is None else limit)
        return
    assert isinstance(found, Window)
    at = NOON + timedelta(minutes=15 * quarters)
    assert opens_at(limit, at) is None or opens_at(found, at) is not None


def test_the_remediator_applies_the_floor() -> None:
    """With the floor `approve`, a parameter `enforce` still asks, and nothing is written."""

    def first(run: ScenarioRun) -> None:
        run.readers = replace(run.readers, floor=parse_floor("mode=approve"))
        run.world.parameters[settings_path(ANY_CLUSTER, "mode")] = Parameter(value="enforce", changed_at=run.world.now)

    done = run_workflow(first=first, answer=lambda _: ApprovalAnswer(approved=False))
    assert (done.run.world.writes, done.notified) == ([], ["approval-requested", "not-approved"])


@pytest.mark.parametrize("text", ["digest=daily", "mode=off", "cooldown_s=-1", "=", "mode"])
def test_a_floor_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_floor(text)


def test_the_command_line_shows_which_values_are_raised() -> None:
    world = World(now=NOON)
    for name, text in {"mode": "enforce", "cooldown_s": "900"}.items():
        world.parameters[settings_path(ANY_CLUSTER, name)] = Parameter(value=text, changed_at=NOON)
    dependencies = fake_dependencies(world).dependencies
    environment = replace(dependencies.environment, settings_floor="cooldown_s=600;mode=approve")
    entries = settings(replace(dependencies, environment=environment))
    assert {entry.name: entry.raised_to for entry in entries} == {"mode": "approve", "cooldown_s": ""}
    assert [entry.document.get("raisedTo") for entry in entries] == [None, "approve"]


def test_settings_are_described_without_aws_access(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_: GlobalOptions) -> Dependencies:
        raise AccessDenied("read the identity: no credentials", denial=Denial.UNAUTHENTICATED)

    monkeypatch.setattr("cli.clients.connection.connect", connect)
    result = CliRunner().invoke(app, ["settings", "describe", "--output", "json"])
    document = json.loads(result.stdout)
    assert (result.exit_code, document["floorUnknown"]) == (0, "read the identity: no credentials")
    assert {setting["floor"] for setting in document["settings"]} == {None}
