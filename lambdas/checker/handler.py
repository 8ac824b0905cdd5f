"""Entry point of the checker: wires the adapters and runs the pipeline."""

from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from lambdas.adapters.aws_readers import readers
from lambdas.adapters.aws_session import AwsSession
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.gc_tuning import uncollected_start
from lambdas.adapters.incidents import Incidents
from lambdas.adapters.log import write
from lambdas.adapters.metrics import count
from lambdas.adapters.remediator_invocation import Remediator
from lambdas.application.check.dependencies import Ports
from lambdas.application.check.pipeline import run
from lambdas.contract.environment import Environment, Function

PARAMETERS_KEPT_S: Final = 20
"""How old a binding may be when the checker looks; the remediator reads it anew before it writes."""
FACTS_KEPT_S: Final = 300
"""How old a cluster's description, a role and an OIDC provider may be; a storm then costs one read of each."""


@uncollected_start
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
    return Ports(
        readers=readers(session, here, Function.CHECKER, parameters_kept_s=PARAMETERS_KEPT_S, facts_kept_s=FACTS_KEPT_S),
        fresh=readers(session, here, Function.CHECKER),
        incidents=Incidents(session, here.incidents_table),
        remediator=Remediator(session, here.remediator_arn),
        events=EventBus(session, here.event_bus),
        metrics=count,
        log=write,
        environment=here,
        now=lambda: datetime.now(UTC),
    )
