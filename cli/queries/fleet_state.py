"""The states of a ServiceAccount in a list, by which a command filters."""

from enum import StrEnum

from cli.errors import ExitCode


class FleetState(StrEnum):
    """What a check says about one ServiceAccount, worst first. `sound`: the check found no fault."""

    BROKEN = "broken"
    UNKNOWN = "unknown"
    SOUND = "sound"

    @classmethod
    def of(cls, code: ExitCode) -> "FleetState":
        """Return the state that an exit code of a check stands for."""
        return {ExitCode.BROKEN: cls.BROKEN, ExitCode.OK: cls.SOUND}.get(code, cls.UNKNOWN)
