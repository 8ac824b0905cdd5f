"""Bindings and settings from Parameter Store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters.aws_errors import translated
from lambdas.adapters.ttl_cache import TtlCache
from lambdas.contract.names import PARAMETER_ROOT
from lambdas.contract.parameters import folders_of
from lambdas.domain.snapshot.bindings import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.adapters.aws_session import AwsSession

PAGE: Final = 10
"""The largest page of the API.

Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
"""


class ParameterStore:
    """Implements `ParametersPort`. `ttl_s`: maximum age of parameters (seconds); 0 for a writer, which must see its own writes."""

    def __init__(self, session: AwsSession, *, ttl_s: float = 0) -> None:
        self._session = session
        self._cache: TtlCache[Mapping[str, Parameter]] = TtlCache(ttl_s)

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        """The parameters of a cluster, or all. A cluster's folders are read in parallel, so the cost does not grow with the fleet.

        A SecureString is not decrypted.
        """
        if cluster is None:
            return self._folder(PARAMETER_ROOT)
        found = {folder: self._cache.known(folder) for folder in folders_of(cluster)}
        unread = [folder for folder, parameters in found.items() if parameters is None]
        if unread:  # threads would cost more than a cached folder
            with ThreadPoolExecutor(len(unread)) as pool:
                found.update(zip(unread, pool.map(self._folder, unread), strict=True))
        return {path: parameter for parameters in found.values() if parameters for path, parameter in parameters.items()}

    def _folder(self, folder: str) -> Mapping[str, Parameter]:
        return self._cache.get(folder, lambda: self._read(folder))

    def _read(self, folder: str) -> Mapping[str, Parameter]:
        with translated(f"read parameters below {folder}"):
            reader = self._session.client("ssm").get_paginator("get_parameters_by_path")
            pages = reader.paginate(Path=folder, Recursive=True, WithDecryption=False, PaginationConfig={"PageSize": PAGE})
            return {parameter["Name"]: _parameter(parameter) for page in pages for parameter in page["Parameters"]}


def _parameter(parameter: Mapping[str, Any]) -> Parameter:
    # botocore returns times in the local time zone, and messages use UTC.
    changed_at = parameter["LastModifiedDate"].astimezone(UTC)
    return Parameter(value=parameter["Value"], type=parameter["Type"], version=parameter["Version"], changed_at=changed_at)
