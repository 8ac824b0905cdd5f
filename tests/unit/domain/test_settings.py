"""Settings from parameters: what parses, at the edges, and whose value counts."""

from datetime import timedelta

import pytest

from lambdas.contract.settings import (
    NAMES,
    Claim,
    InvalidValue,
    Mode,
    RestartBy,
    Settings,
    Severity,
    Window,
    parse_setting,
    read_settings,
    settings_path,
)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("mode", " observe ", Mode.OBSERVE),
        ("cooldown_s", "0", 0),
        ("cooldown_s", "86400", 86_400),
        ("max_repairs_per_hour", "1", 1),
        ("max_repairs_per_hour", "60", 60),
        ("approval_timeout_s", "60", 60),
        ("verification_timeout_s", "21600", 21_600),
        ("node_grace_s", "3600", 3_600),
        ("restart_by", "deletion", RestartBy.DELETION),
        ("claim", "always", Claim.ALWAYS),
        ("circuit_breaker_clusters", "2", 2),
        ("notify_from", "critical", Severity.CRITICAL),
        ("maintenance_window", "always", None),
        ("maintenance_window", "calendar:change-freeze", "calendar:change-freeze"),
        (
            "maintenance_window",
            "mon-fri 22:00-04:00",
            Window(days=(0, 1, 2, 3, 4), start=timedelta(hours=22), length=timedelta(hours=6)),
        ),
        ("maintenance_window", "sat-mon 01:30-02:00", Window(days=(5, 6, 0), start=timedelta(hours=1.5), length=timedelta(minutes=30))),
        ("maintenance_window", "sun 00:00-24:00", Window(days=(6,), start=timedelta(), length=timedelta(hours=24))),
        ("maintenance_window", "sun 03:00-03:00", Window(days=(6,), start=timedelta(hours=3), length=timedelta(hours=24))),
    ],
)
def test_a_value_parses(name: str, text: str, value: object) -> None:
    assert parse_setting(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mode", "Enforce"),
        ("mode", ""),
        ("addon_record", "leave"),
        ("cooldown_s", "-1"),
        ("cooldown_s", "86401"),
        ("cooldown_s", "5 min"),
        ("cooldown_s", "1e3"),
        ("cooldown_s", "1.5"),
        ("cooldown_s", "5²"),
        ("cooldown_s", "9" * 5000),
        ("max_repairs_per_hour", "0"),
        ("max_repairs_per_hour", "61"),
        ("approval_timeout_s", "59"),
        ("verification_timeout_s", "21601"),
        ("circuit_breaker_clusters", "1"),
        ("maintenance_window", ""),
        ("maintenance_window", "calendar:"),
        ("maintenance_window", "mon-fri"),
        ("maintenance_window", "mon-fri 22-04"),
        ("maintenance_window", "monday 22:00-04:00"),
        ("maintenance_window", "mon 24:00-25:00"),
        ("maintenance_window", "mon 25:00-26:00"),
        ("maintenance_window", "mon -1:00-02:00"),
        ("maintenance_window", "mon 99999999999999999999:00-02:00"),
        ("maintenance_window", "mon 1:00-2:00-3:00"),
        ("no_such_setting", "1"),
    ],
)
def test_an_invalid_value_names_the_allowed_values(name: str, text: str) -> None:
    with pytest.raises(InvalidValue, match=r"\w"):
        parse_setting(name, text)


def test_without_parameters_every_setting_has_its_default() -> None:
    assert read_settings({}, "blue") == (Settings(), {})


def test_a_value_of_the_cluster_precedes_the_default() -> None:
    values = {
        settings_path("_default", "mode"): "observe",
        settings_path("blue", "mode"): "approve",
        settings_path("_default", "cooldown_s"): "7",
        settings_path("green", "cooldown_s"): "9",
    }
    settings, wrong = read_settings(values, "blue")
    assert (settings.mode, settings.cooldown_s, wrong) == (Mode.APPROVE, 7, {})


def test_an_invalid_value_is_reported_and_counts_as_unset() -> None:
    own, default = settings_path("blue", "cooldown_s"), settings_path("_default", "cooldown_s")
    settings, wrong = read_settings({own: "soon", default: "7"}, "blue")
    assert settings.cooldown_s == 7
    assert wrong == {own: "a whole number of seconds from 0 to 86400"}


def test_an_unknown_setting_is_reported_with_the_known_ones() -> None:
    path = settings_path("blue", "cooldown")
    settings, wrong = read_settings({path: "7"}, "blue")
    assert settings == Settings()
    assert all(name in wrong[path] for name in NAMES)
