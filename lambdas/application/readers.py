"""What an observation is read through, and what a read comes to that fails."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from lambdas.domain.errors import AccessDenied, Denial, PermanentError, TransientError
from lambdas.domain.ports import ClustersPort, EksPort, IamPort, ParametersPort
from lambdas.domain.requests.request import Actor
from lambdas.domain.snapshot.snapshot import Unknown

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Readers:
    """What an observation is read through, and where we are. `passable_roles` as in `Snapshot`."""

    parameters: ParametersPort
    eks: EksPort
    iam: IamPort
    clusters: ClustersPort
    account: str
    region: str
    partition: str
    may_simulate: bool
    passable_roles: tuple[str, ...] = ("*",)


@dataclass(frozen=True, kw_only=True)
class Hints:
    """What is known before reading: when the last check found all well, and who did what as far as the event tells."""

    known_good_at: datetime | None = None
    actor: Actor | None = None


def part(read_it: Callable[[], T]) -> T | Unknown:
    """A read whose closed door is a finding. What may succeed later is raised, so that the whole check is made again."""
    try:
        return read_it()
    except AccessDenied as error:
        return Unknown(str(error), error.denial)
    except PermanentError as error:
        return Unknown(str(error))


def optional(read_it: Callable[[], T]) -> T | Unknown:
    """A read that the check can do without: IAM may have no endpoint in a VPC, and advice is only advice."""
    try:
        return part(read_it)
    except TransientError as error:
        return Unknown(str(error), Denial.UNREACHABLE)
