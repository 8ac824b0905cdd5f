"""One local AWS for all adapter tests of a process, since moto keeps its state in module globals, and the stores of incidents."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from cli.clients.local_incidents import LocalIncidents
from lambdas.adapters.incidents import Incidents
from lambdas.contract.parameters import ServiceAccountRef
from sandbox.aws.local_aws import LocalAws
from tests.integration.adapters.local_session import TABLE, as_principal, create_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.domain.ports import IncidentsPort


_NUMBERS = count()


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
    """Tests share the clients. Faults and recorded calls are cleared."""
    local_aws.faults.clear()
    local_aws.calls.clear()
    return _session


@pytest.fixture(params=["table", "memory"])
def incidents(request: pytest.FixtureRequest) -> IncidentsPort:
    if request.param == "memory":
        return LocalIncidents()
    session: AwsSession = request.getfixturevalue("session")
    return Incidents(session, TABLE)


@pytest.fixture
def target() -> ServiceAccountRef:
    """A new target for each test, since tests share the table."""
    return ServiceAccountRef(f"demo-{next(_NUMBERS)}", "kube-system", "aws-node")


@pytest.fixture
def table(session: AwsSession) -> Incidents:
    return Incidents(session, TABLE)
