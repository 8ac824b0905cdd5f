"""OIDC providers of the clusters that were looked at, for the readers of files: a file seldom knows the issuer of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

Providers: TypeAlias = Mapping[str, str]
"""Name of a cluster -> ARN of its OIDC provider."""

NO_PROVIDERS: Final[Providers] = MappingProxyType({})


def provider_for(cluster: str | None, providers: Providers) -> str | None:
    """The provider of a cluster. Where a file leaves the name open and one cluster was asked about, the file is about that one."""
    if cluster is not None:
        return providers.get(cluster)
    return next(iter(providers.values())) if len(providers) == 1 else None
