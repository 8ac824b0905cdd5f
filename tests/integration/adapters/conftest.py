"""One local AWS for all adapter tests of a process: moto keeps its state in module globals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.aws.local import LocalAws
from tests.integration.adapters.aws import as_principal, create_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.adapters.session import AwsSession


@pytest.fixture(scope="package")
def local_aws() -> Iterator[LocalAws]:
    with LocalAws() as local:
        local.roles.create("us")
        create_table(local.client("dynamodb"))
        yield local


@pytest.fixture(scope="package")
def _session(local_aws: LocalAws) -> Iterator[AwsSession]:
    with as_principal(local_aws, "us") as made:
        yield made


@pytest.fixture
def session(local_aws: LocalAws, _session: AwsSession) -> AwsSession:
    """Clients are kept from test to test; faults and recorded calls are not."""
    local_aws.faults.clear()
    local_aws.calls.clear()
    return _session
