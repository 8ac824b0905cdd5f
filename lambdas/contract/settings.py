"""Settings in Parameter Store. Each one is declared once with its type, default, unit and description."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from lambdas.contract.names import ANY_CLUSTER, PARAMETER_ROOT


class Mode(StrEnum):
    """What the remediator may do on its own."""

    ENFORCE = "enforce"
    APPROVE = "approve"
    OBSERVE = "observe"


class AddonRecord(StrEnum):
    """Whether the role may be written into the EKS add-on record."""

    UPDATE = "update"
    NOTIFY_ONLY = "notify-only"


class WhenUnverified(StrEnum):
    """What to do where a precondition cannot be read: role, OIDC provider or trust policy."""

    RESTORE = "restore"
    RESTORE_OWN = "restore-own"
    REFUSE = "refuse"


class RestartBy(StrEnum):
    """How all pods of a workload are replaced."""

    RESTART = "restart"
    DELETION = "deletion"


class Severity(StrEnum):
    """The urgency of a finding: information, a latent fault, or a fault that causes failures now."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0, 1 or 2, for comparison."""
        return _RISING.index(self)


_RISING: Final = tuple(Severity)


class Digest(StrEnum):
    """Whether a daily digest of incidents is sent. A day without an incident has no digest."""

    OFF = "off"
    DAILY = "daily"


class InvalidValue(ValueError):
    """A parameter value that cannot be parsed. The text says which values are allowed."""


def _whole_number(at_least: int, at_most: int, of: str = "") -> Callable[[str], int]:
    def parse(text: str) -> int:
        digits = text.strip()
        if not _DIGITS.match(digits) or not at_least <= int(digits) <= at_most:
            raise InvalidValue(f"a whole number{of} from {at_least} to {at_most}")
        return int(digits)

    return parse


_DIGITS: Final = re.compile(r"[0-9]{1,9}\Z")
"""Few enough digits for `int`. `str.isdigit` also accepts characters such as `²`, which `int` rejects."""


def _seconds(at_least: int, at_most: int) -> Callable[[str], int]:
    return _whole_number(at_least, at_most, " of seconds")


def _one_of(choices: type[StrEnum]) -> Callable[[str], StrEnum]:
    def parse(text: str) -> StrEnum:
        try:
            return choices(text.strip())
        except ValueError:
            raise InvalidValue("one of " + ", ".join(choices)) from None

    return parse


_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, kw_only=True)
class Window:
    """Weekly hours in UTC in which non-urgent repairs may run. `days` are 0 (Monday) to 6; `to` may be after midnight."""

    days: tuple[int, ...]
    start: timedelta
    length: timedelta


def _window(text: str) -> Window | str | None:
    """Parse `always`, `calendar:<name>` (a Systems Manager Change Calendar), or `mon-fri 22:00-04:00` (UTC)."""
    words = text.split()
    if words == ["always"]:
        return None
    if len(words) == 1 and words[0].startswith("calendar:") and len(words[0]) > len("calendar:"):
        return words[0]
    try:
        days, hours = words
        first, _, last = days.partition("-")
        start, end = (timedelta(hours=int(h), minutes=int(m)) for h, m in (part.split(":") for part in hours.split("-")))
        begin, finish = _DAYS.index(first), _DAYS.index(last or first)
    except (ValueError, OverflowError):
        raise InvalidValue("`always`, `calendar:<name>`, or hours in UTC such as `mon-fri 22:00-04:00`") from None
    if not (timedelta() <= start < timedelta(hours=24) and timedelta() <= end <= timedelta(hours=24)):
        raise InvalidValue("hours from 00:00 to 24:00")
    length = (end - start) % timedelta(hours=24) or timedelta(hours=24)
    return Window(days=tuple((begin + i) % 7 for i in range((finish - begin) % 7 + 1)), start=start, length=length)


def setting(default: str, parse: Callable[[str], Any], description: str) -> Any:  # a dataclass field: typed where it is used
    """Declare one setting: the text of its default, its parser, and a description with its unit."""
    return field(default_factory=lambda: parse(default), metadata={"default": default, "parse": parse, "description": description})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of one cluster. The name of a field is the last segment of its parameter path."""

    mode: Mode = setting("enforce", _one_of(Mode), "enforce: repair · approve: ask first · observe: tell only")
    addon_record: AddonRecord = setting(
        "update", _one_of(AddonRecord), "update: write the role into the add-on record · tell: never touch it"
    )
    when_unverified: WhenUnverified = setting(
        "restore-own",
        _one_of(WhenUnverified),
        "a precondition cannot be read: restore-own sets a missing annotation to a role of this account, and replaces none"
        " · restore also sets bound roles of other accounts · refuse writes nothing",
    )
    restart_by: RestartBy = setting(
        "restart",
        _one_of(RestartBy),
        "restart: change the pod template, which needs patch on the workload · deletion: delete stale pods in waves, without patch",
    )
    cooldown_s: int = setting("300", _seconds(0, 86_400), "least time between two repairs of one ServiceAccount (seconds)")
    max_repairs_per_hour: int = setting("4", _whole_number(1, 60), "most repairs of one ServiceAccount within an hour (count)")
    approval_timeout_s: int = setting("14400", _seconds(60, 604_800), "how long an approval is waited for (seconds)")
    verification_timeout_s: int = setting("2700", _seconds(60, 21_600), "how long a repair may take to show that it worked (seconds)")
    update_timeout_s: int = setting("3600", _seconds(60, 21_600), "how long a running add-on or cluster update is waited for (seconds)")
    node_grace_s: int = setting("180", _seconds(0, 3_600), "how long a new node may be NotReady before anyone is told (seconds)")
    maintenance_window: Window | str | None = setting(
        "always", _window, "when a repair that can wait may run: always · calendar:<name> · hours in UTC such as mon-fri 22:00-04:00"
    )
    circuit_breaker_clusters: int = setting(
        "5", _whole_number(2, 1000), "clusters that turn wrong after one parameter changed before none is repaired (count)"
    )
    notify_from: Severity = setting("warning", _one_of(Severity), "least severity that is told")
    digest: Digest = setting(
        "off", _one_of(Digest), "daily: one message a day that sums up the incidents of the last day and those still open, if any · off"
    )


NAMES: Final = tuple(f.name for f in fields(Settings))


def parse_setting(name: str, text: str) -> object:
    """Parse the parameter text of one setting.

    Raises:
        InvalidValue: the name is unknown or the text cannot be parsed; the message says what is allowed.
    """
    declared = next((f for f in fields(Settings) if f.name == name), None)
    if declared is None:
        raise InvalidValue("no such setting; there are " + ", ".join(NAMES))
    value: object = declared.metadata["parse"](text)
    return value


def settings_path(cluster: str, name: str = "") -> str:
    """Parameter path of one setting, or of a cluster's folder of settings without a name."""
    return "/".join(filter(None, (f"{PARAMETER_ROOT}/settings/{cluster}", name)))


def read_settings(values: Mapping[str, str], cluster: str) -> tuple[Settings, dict[str, str]]:
    """Settings of a cluster from parameters (`path -> text`). The cluster's own parameters override the defaults.

    Returns the settings and, for each invalid value, `path -> what is allowed`. An invalid value counts as not set.
    """
    chosen: dict[str, object] = {}
    wrong: dict[str, str] = {}
    for whose in (ANY_CLUSTER, cluster):
        folder = settings_path(whose) + "/"
        for path in (path for path in values if path.startswith(folder)):
            name = path.removeprefix(folder)
            try:
                chosen[name] = parse_setting(name, values[path])
            except InvalidValue as error:
                wrong[path] = str(error)
    return Settings(**chosen), wrong  # type: ignore[arg-type]  # each value comes from its own field's parser
