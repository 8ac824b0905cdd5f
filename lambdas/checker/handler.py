"""Entry point of the checker: wires the adapters, runs the pipeline and returns its result as JSON."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, assert_never

from lambdas.adapters.aws_readers import aws_readers
from lambdas.adapters.aws_session import AwsSession
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.gc_tuning import uncollected_start
from lambdas.adapters.incidents import Incidents
from lambdas.adapters.log import write
from lambdas.adapters.metrics import count
from lambdas.adapters.remediator_invocation import Remediator
from lambdas.application.check.dependencies import CheckDependencies
from lambdas.application.check.pipeline import run
from lambdas.application.check.results import (
    CheckHandedOver,
    ChecksRequested,
    ClusterChecked,
    DigestRequested,
    EventIgnored,
    EventResult,
    Healthy,
    IncidentOpened,
    IncidentTakenOver,
    ServiceAccountResult,
    SignalAlreadyAnswered,
    SignalCounted,
    SignalDeferred,
)
from lambdas.contract.environment import Environment, Function

PARAMETERS_KEPT_S: Final = 20
"""Maximum age of a binding that the checker uses. The remediator reads bindings again before a write."""
FACTS_KEPT_S: Final = 300
"""Maximum age of a cluster's description, a role and an OIDC provider, so that a storm of events costs one read of each."""


@uncollected_start
def lambda_handler(event: object, context: object) -> dict[str, Any]:
    """Check what the event reports, and return the result.

    Raises:
        RemediatorError: Lambda delivers the event again, then sends it to the dead-letter queue.
    """
    return result_to_json(run(event, _dependencies()))


def result_to_json(result: EventResult | ServiceAccountResult) -> dict[str, Any]:
    """The JSON that the function returns: `result` names the kind, and the other fields depend on it."""
    match result:
        case EventIgnored(reason):
            return {"result": "ignored", "reason": reason}
        case ChecksRequested():
            lists = {"clusters": result.clusters, "unbound": result.unbound, "missing": result.missing}
            return {"result": "checks-requested", **{name: list(clusters) for name, clusters in lists.items()}}
        case DigestRequested(clusters):
            return {"result": "digest-requested", "clusters": list(clusters)}
        case ClusterChecked(results):
            service_accounts = {target.key: result_to_json(each) for target, each in results.items()}
            return {"result": "cluster-checked", "service_accounts": service_accounts}
        case Healthy(verdict):
            return {"result": "healthy", "verdict": verdict}
        case IncidentOpened():
            return {"result": "incident-opened", "verdict": result.verdict, "incident_id": result.incident_id}
        case SignalCounted():
            return {"result": "signal-counted", "incident_id": result.incident_id, "signals": result.signals}
        case IncidentTakenOver():
            ids = {"incident_id": result.incident_id, "former_incident_id": result.former_incident_id}
            return {"result": "incident-taken-over", **ids}
        case SignalAlreadyAnswered(check_began_at):
            return {"result": "signal-already-answered", "check_began_at": check_began_at.isoformat()}
        case SignalDeferred(lease_holder):
            return {"result": "signal-deferred", "lease_holder": lease_holder}
        case CheckHandedOver():
            return {"result": "check-handed-over"}
        case _:
            assert_never(result)


@cache
def _dependencies() -> CheckDependencies:
    environment = Environment.read(os.environ)
    session = AwsSession(environment.region)
    cached = {"parameters_kept_s": PARAMETERS_KEPT_S, "facts_kept_s": FACTS_KEPT_S}
    return CheckDependencies(
        readers=aws_readers(session, environment, Function.CHECKER, ThreadPoolExecutor, **cached),
        uncached_readers=aws_readers(session, environment, Function.CHECKER, ThreadPoolExecutor),
        incidents=Incidents(session, environment.incidents_table),
        remediator=Remediator(session, environment.remediator_arn),
        events=EventBus(session, environment.event_bus),
        metrics=count,
        log=write,
        environment=environment,
        now=lambda: datetime.now(UTC),
    )
