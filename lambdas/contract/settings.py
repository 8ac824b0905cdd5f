"""Settings in Parameter Store. Each one is declared once with its type, default, unit and description."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
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


class Claim(StrEnum):
    """When the remediator becomes a co-owner of the role annotation."""

    ON_REPAIR = "on-repair"
    ALWAYS = "always"


class GuardSetting(StrEnum):
    """Which admission policies a person is asked to install. The functions install none."""

    OPTIONAL = "optional"
    WARN_ONLY = "warn-only"
    WANTED = "wanted"


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


def _later(of: type[StrEnum]) -> Callable[[Any, Any], Any]:
    """The stricter of two values whose declaration goes from lenient to strict."""
    order = list(of)
    return lambda floor, value: max(floor, value, key=order.index)


def _less_severe(floor: Severity, value: Severity) -> Severity:
    """The severity from which on more is notified."""
    return min(floor, value, key=lambda item: item.rank)


_WEEK_MINUTES: Final = 7 * 24 * 60


def _minutes(window: Window) -> frozenset[int]:
    start, length = (int(time.total_seconds()) // 60 for time in (window.start, window.length))
    return frozenset((day * 24 * 60 + start + minute) % _WEEK_MINUTES for day in window.days for minute in range(length))


def _within(floor: Window | str | None, value: Window | str | None) -> Window | str | None:
    """The value if it is open at no time at which the floor is closed, else the floor. A calendar's times are not known."""
    if floor is None or value == floor:
        return value
    is_within = isinstance(floor, Window) and isinstance(value, Window) and _minutes(value) <= _minutes(floor)
    return value if is_within else floor


def setting(
    default: str, parse: Callable[[str], Any], description: str, *, stricter: Callable[[Any, Any], Any] | None = None
) -> Any:  # a dataclass field: typed where it is used
    """Declare one setting: the text of its default, its parser, and a description with its unit.

    `stricter` returns the stricter of a floor and a value, for a setting that the deployment can limit.
    """
    metadata = {"default": default, "parse": parse, "description": description, "stricter": stricter}
    return field(default_factory=lambda: parse(default), metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of one cluster. The name of a field is the last segment of its parameter path."""

    mode: Mode = setting(
        "enforce", _one_of(Mode), "enforce: repair · approve: request approval first · observe: notify only", stricter=_later(Mode)
    )
    addon_record: AddonRecord = setting(
        "update",
        _one_of(AddonRecord),
        "update: write the role into the add-on record · notify-only: never write it",
        stricter=_later(AddonRecord),
    )
    when_unverified: WhenUnverified = setting(
        "restore-own",
        _one_of(WhenUnverified),
        "if a precondition cannot be read: restore-own sets a missing annotation to a role of this account, and replaces none"
        " · restore also sets bound roles of other accounts · refuse writes nothing",
        stricter=_later(WhenUnverified),
    )
    restart_by: RestartBy = setting(
        "restart",
        _one_of(RestartBy),
        "restart: change the pod template, which needs patch on the workload · deletion: delete stale pods in batches, without patch",
    )
    claim: Claim = setting(
        "on-repair",
        _one_of(Claim),
        "on-repair: own the annotation together with its other owners after a repair"
        " · always: also apply a correct annotation that the remediator does not own, so that an update without a role keeps it",
    )
    guard: GuardSetting = setting(
        "optional",
        _one_of(GuardSetting),
        "wanted: report a bound ServiceAccount without the guard (Kubernetes 1.36 and later) or the warning"
        " · warn-only: report one without the warning · optional: report neither",
    )
    cooldown_s: int = setting("300", _seconds(0, 86_400), "minimum time between two repairs of one ServiceAccount (seconds)", stricter=max)
    max_repairs_per_hour: int = setting(
        "4", _whole_number(1, 60), "maximum number of repairs of one ServiceAccount within an hour (count)", stricter=min
    )
    approval_timeout_s: int = setting("14400", _seconds(60, 604_800), "how long to wait for an approval (seconds)")
    verification_timeout_s: int = setting("2700", _seconds(60, 21_600), "maximum time until a repair is verified (seconds)")
    update_timeout_s: int = setting("3600", _seconds(60, 21_600), "how long to wait for a running add-on or cluster update (seconds)")
    node_grace_s: int = setting("180", _seconds(0, 3_600), "how long a new node may be NotReady before people are notified (seconds)")
    maintenance_window: Window | str | None = setting(
        "always",
        _window,
        "when a non-urgent repair may run: always · calendar:<name> · hours in UTC such as mon-fri 22:00-04:00",
        stricter=_within,
    )
    circuit_breaker_clusters: int = setting(
        "5",
        _whole_number(2, 1000),
        "number of clusters with an incident after one parameter change at which repairs stop (count)",
        stricter=min,
    )
    notify_from: Severity = setting("warning", _one_of(Severity), "minimum severity of a notification", stricter=_less_severe)
    digest: Digest = setting(
        "off", _one_of(Digest), "daily: a digest of open incidents and of those of the last day, if there are any · off"
    )


GUARD: Final = "guard"
"""The name of the setting that the command line acts on when it is set."""
NAMES: Final = tuple(f.name for f in fields(Settings))
FLOOR_NAMES: Final = tuple(f.name for f in fields(Settings) if f.metadata["stricter"])
"""The settings that the deployment can limit."""

Floor = Mapping[str, object]
"""The least strict value that parameters can give to a setting, by the name of the setting."""
NO_FLOOR: Final[Floor] = MappingProxyType({})
UNKNOWN_FLOOR: Final = "*"
"""The text of a floor that the command line cannot read."""


def parse_floor(text: str) -> Floor:
    """A floor from its text, such as `mode=approve;cooldown_s=600`. Empty text and an unknown floor limit nothing.

    Raises:
        InvalidValue: a name is no setting that has a floor, or a value does not parse; the message says what is allowed.
    """
    texts = floor_texts(text)
    if unknown := [name for name in texts if name not in FLOOR_NAMES]:
        raise InvalidValue(f"{unknown[0]} has no floor; one of " + ", ".join(FLOOR_NAMES))
    return {name: parse_setting(name, value) for name, value in texts.items()}


def floor_texts(text: str) -> Mapping[str, str]:
    """The values of a floor as they were configured, by the name of the setting."""
    items = () if text == UNKNOWN_FLOOR else text.split(";")
    return {name: value for name, _, value in (item.partition("=") for item in items if item)}


def raise_to_floor(name: str, value: object, floor: Floor) -> object:
    """The stricter of a setting's value and its floor."""
    declared = next(f for f in fields(Settings) if f.name == name)
    return declared.metadata["stricter"](floor[name], value) if name in floor else value


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


def read_settings(values: Mapping[str, str], cluster: str, floor: Floor = NO_FLOOR) -> tuple[Settings, dict[str, str]]:
    """Settings of a cluster from parameters (`path -> text`). Its own parameters override the defaults, and the floor limits both.

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
    read = Settings(**chosen)  # type: ignore[arg-type]  # each field's own parser produced its value
    raised: dict[str, Any] = {name: raise_to_floor(name, getattr(read, name), floor) for name in floor}
    return replace(read, **raised), wrong
