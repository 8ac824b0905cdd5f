"""The states of a ServiceAccount in a list, by which a command filters."""

from enum import StrEnum


class FleetState(StrEnum):
    """What a check says about one ServiceAccount, worst first. `sound`: the check found no fault."""

    BROKEN = "broken"
    UNKNOWN = "unknown"
    SOUND = "sound"
