"""Entry point of the checker: wires the adapters and runs the pipeline."""

from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from lambdas.adapters.cluster import Clusters
from lambdas.adapters.eks import Eks
from lambdas.adapters.events import EventBus
from lambdas.adapters.iam import Iam
from lambdas.adapters.incidents import Incidents
from lambdas.adapters.log import write
from lambdas.adapters.metrics import count
from lambdas.adapters.parameter_store import ParameterStore
from lambdas.adapters.remediator import Remediator
from lambdas.adapters.session import AwsSession
from lambdas.adapters.token import Tokens
from lambdas.checker.pipeline import Ports, run
from lambdas.contract.environment import Environment
from lambdas.domain.observing import Readers

PARAMETERS_KEPT_S: Final = 20
"""How old a binding may be when the checker looks; the remediator reads it anew before it writes."""
FACTS_KEPT_S: Final = 300
"""How old a cluster's description, a role and an OIDC provider may be; a storm then costs one read of each."""


def lambda_handler(event: object, context: object) -> dict[str, Any]:
    """Check what the event hints at.

    Raises:
        RemediatorError: Lambda delivers the event again, then to the dead-letter queue.
    """
    return run(event, _ports())


@cache
def _ports() -> Ports:
    here = Environment.read()
    session = AwsSession(here.region)
    readers = Readers(
        parameters=ParameterStore(session, keep_s=PARAMETERS_KEPT_S),
        eks=Eks(session, keep_s=FACTS_KEPT_S),
        iam=Iam(session, account=here.account, partition=here.partition, keep_s=FACTS_KEPT_S),
        clusters=Clusters(Tokens(session, here.partition)),
        account=here.account,
        region=here.region,
        partition=here.partition,
        may_simulate=here.may_simulate == "true",
        passable_roles=tuple(here.passable_roles.split(",")),
    )
    return Ports(
        readers=readers,
        incidents=Incidents(session, here.incidents_table),
        remediator=Remediator(session, here.remediator_arn),
        events=EventBus(session, here.event_bus),
        metrics=count,
        log=write,
        environment=here,
        now=lambda: datetime.now(UTC),
    )
