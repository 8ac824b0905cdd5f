"""Bindings and settings from Parameter Store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters.aws_errors import translated
from lambdas.adapters.ttl_cache import Remembered
from lambdas.contract.names import PARAMETER_ROOT
from lambdas.contract.parameters import folders_of
from lambdas.domain.snapshot.bindings import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.adapters.aws_session import AwsSession

PAGE: Final = 10
"""The most that one answer holds.

Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
"""


class ParameterStore:
    """Implements `ParametersPort`. `keep_s`: for how long one reading serves, in seconds; a writer must see what it wrote, so 0 there."""

    def __init__(self, session: AwsSession, *, keep_s: float = 0) -> None:
        self._session = session
        self._kept: Remembered[Mapping[str, Parameter]] = Remembered(keep_s)

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        """One cluster's by its folders, all at a time: the cost is the same in a fleet of any size. A SecureString stays encrypted."""
        if cluster is None:
            return self._folder(PARAMETER_ROOT)
        found = {folder: self._kept.known(folder) for folder in folders_of(cluster)}
        unread = [folder for folder, parameters in found.items() if parameters is None]
        if unread:  # threads cost more than what is remembered
            with ThreadPoolExecutor(len(unread)) as pool:
                found.update(zip(unread, pool.map(self._folder, unread), strict=True))
        return {path: item for parameters in found.values() if parameters for path, item in parameters.items()}

    def _folder(self, folder: str) -> Mapping[str, Parameter]:
        return self._kept.get(folder, lambda: self._read(folder))

    def _read(self, folder: str) -> Mapping[str, Parameter]:
        found: dict[str, Parameter] = {}
        asked: dict[str, Any] = {"Path": folder, "Recursive": True, "WithDecryption": False, "MaxResults": PAGE}
        while True:
            with translated(f"read parameters below {folder}"):
                page = self._session.client("ssm").get_parameters_by_path(**asked)
            found.update((parameter["Name"], _parameter(parameter)) for parameter in page["Parameters"])
            if not page.get("NextToken"):
                return found
            asked["NextToken"] = page["NextToken"]


def _parameter(it: Mapping[str, Any]) -> Parameter:
    # botocore gives times in the process's own zone, and messages are in UTC.
    changed_at = it["LastModifiedDate"].astimezone(UTC)
    return Parameter(value=it["Value"], type=it["Type"], version=it["Version"], changed_at=changed_at)
