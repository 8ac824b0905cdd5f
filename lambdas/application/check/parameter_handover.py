"""Parameters that a sweep has read, handed to the checks that it requests, so that a sweep reads Parameter Store once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from lambdas.contract.parameters import folders_of
from lambdas.domain.ports import ParametersPort
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.untrusted_json import moment

FIELD: Final = "parameters"
"""The field of an event. It stands beside `detail`, where EventBridge puts no field, so only an invoker of the checker can set it."""
MAX_AGE: Final = timedelta(seconds=20)
"""Parameters of this age are read again. It is the age up to which a process caches them."""
MOST_CHARACTERS: Final = 100_000
"""Most characters of the parameters that are handed over. They take at most four bytes each, and Lambda accepts an event of 1 MB.

Source: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""


@dataclass(frozen=True, kw_only=True)
class HandedParameters:
    """Implements `ParametersPort`: answers for one cluster, as long as the parameters are fresh. `source` answers the rest."""

    cluster: str
    found: Mapping[str, Parameter]
    read_at: datetime
    source: ParametersPort
    now: Callable[[], datetime]

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        """The parameters of a cluster, or all."""
        is_fresh = timedelta(0) <= self.now() - self.read_at < MAX_AGE
        return self.found if cluster == self.cluster and is_fresh else self.source.load(cluster)


def encode(parameters: Mapping[str, Parameter], cluster: str, read_at: datetime) -> dict[str, Any]:
    """The field for the event that requests a check of the cluster; none if its parameters are too large."""
    folders = tuple(f"{folder}/" for folder in folders_of(cluster))
    found = {path: _to_json(parameter) for path, parameter in parameters.items() if path.startswith(folders)}
    is_small = sum(len(path) + len(row[0]) for path, row in found.items()) <= MOST_CHARACTERS
    return {FIELD: {"readAt": read_at.isoformat(), "found": found}} if is_small else {}


def decode(event: Mapping[str, Any], cluster: str, source: ParametersPort, now: Callable[[], datetime]) -> ParametersPort:
    """The parameters that the event brings; `source` if it brings none or is not as `encode` writes it."""
    try:
        read_at = moment(event[FIELD]["readAt"])
        found = {str(path): _parameter(*row) for path, row in event[FIELD]["found"].items()}
    except (KeyError, TypeError, AttributeError, ValueError):
        return source
    return HandedParameters(cluster=cluster, found=found, read_at=read_at, source=source, now=now) if read_at else source


def _to_json(parameter: Parameter) -> tuple[str, str, int, str]:
    changed_at = parameter.changed_at.isoformat() if parameter.changed_at else ""
    return parameter.value, parameter.type, parameter.version, changed_at


def _parameter(value: object, type_: object, version: object, changed_at: object) -> Parameter:
    if not (isinstance(value, str) and isinstance(type_, str) and isinstance(version, int)):
        raise TypeError("not a parameter")
    return Parameter(value=value, type=type_, version=version, changed_at=moment(changed_at))
