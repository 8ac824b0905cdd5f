"""The self-test of a deployed function: its request, the answers and the names in its report.

A person invokes the function directly with `{"selfTest": {"schemaVersion": "1", "clusters": ["prod-blue"]}}`. Every event of the bus has
further members, so no event is a self-test.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeGuard

from lambdas.contract.parameters import valid_cluster

SELF_TEST: Final = "selfTest"
SELF_TEST_SCHEMA_VERSION: Final = "1"
"""Version of request and report. Adding a field keeps it; removing a field or changing its meaning increments it."""
MAX_CLUSTERS: Final = 5
"""Clusters of one request. One cluster takes up to ten seconds where nothing answers, and the checker has sixty."""
MAX_DETAIL: Final = 300
"""Characters of one answer's detail, so that the report of five clusters stays below the 256 KB of a checkpoint."""
MAX_BOUND: Final = 20
"""ServiceAccounts of one cluster whose access is tested."""

NONCE: Final = re.compile(r"[0-9a-f]{32}\Z")


class Answer(StrEnum):
    """The answer to one check of the deployed stack."""

    SHOWN = "shown"
    REFUTED = "refuted"
    UNKNOWN = "not-known"


class InvalidSelfTest(ValueError):
    """The request is a self-test with a wrong body."""


@dataclass(frozen=True, kw_only=True)
class SelfTestRequest:
    """Clusters whose access the function tests. Without clusters it tests itself alone."""

    clusters: tuple[str, ...] = ()

    @property
    def payload(self) -> dict[str, Any]:
        """The event of the invocation."""
        return {SELF_TEST: {"schemaVersion": SELF_TEST_SCHEMA_VERSION, "clusters": list(self.clusters)}}


def is_self_test(event: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether the function was invoked with a self-test."""
    return isinstance(event, Mapping) and set(event) == {SELF_TEST}


def parse_self_test(event: Mapping[str, Any]) -> SelfTestRequest:
    """Return the request of an event that `is_self_test`.

    Raises:
        InvalidSelfTest: the body has another schema version, or its clusters are no list of a few cluster names.
    """
    body = event[SELF_TEST]
    if not isinstance(body, Mapping) or body.get("schemaVersion") != SELF_TEST_SCHEMA_VERSION:
        raise InvalidSelfTest(f"this release reads self-tests of schema version {SELF_TEST_SCHEMA_VERSION}")
    clusters = body.get("clusters", [])
    if not isinstance(clusters, list) or len(clusters) > MAX_CLUSTERS or not all(map(valid_cluster, clusters)):
        raise InvalidSelfTest(f"`clusters` should be a list of at most {MAX_CLUSTERS} cluster names")
    return SelfTestRequest(clusters=tuple(clusters))
