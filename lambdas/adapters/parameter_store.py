"""Bindings and settings from Parameter Store."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters.aws_errors import translated
from lambdas.adapters.remembered import Remembered
from lambdas.contract.names import PARAMETER_ROOT
from lambdas.domain.ports import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.adapters.session import AwsSession

PAGE: Final = 10
"""The most that one answer holds.

Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
"""


class ParameterStore:
    """Implements `ParametersPort`. `keep_s`: for how long one reading serves, in seconds; a writer must see what it wrote, so 0 there."""

    def __init__(self, session: AwsSession, *, keep_s: float = 0) -> None:
        self._session = session
        self._kept: Remembered[Mapping[str, Parameter]] = Remembered(keep_s)

    def load(self) -> Mapping[str, Parameter]:
        """Every binding and setting, ten a request; a SecureString stays encrypted."""
        return self._kept.get(PARAMETER_ROOT, self._read)

    def _read(self) -> Mapping[str, Parameter]:
        found: dict[str, Parameter] = {}
        asked: dict[str, Any] = {"Path": PARAMETER_ROOT, "Recursive": True, "WithDecryption": False, "MaxResults": PAGE}
        while True:
            with translated(f"read parameters below {PARAMETER_ROOT}"):
                page = self._session.client("ssm").get_parameters_by_path(**asked)
            found.update((it["Name"], _parameter(it)) for it in page["Parameters"])
            if not page.get("NextToken"):
                return found
            asked["NextToken"] = page["NextToken"]


def _parameter(it: Mapping[str, Any]) -> Parameter:
    # botocore gives times in the process's own zone, and messages are in UTC.
    changed_at = it["LastModifiedDate"].astimezone(UTC)
    return Parameter(value=it["Value"], type=it["Type"], version=it["Version"], changed_at=changed_at)
