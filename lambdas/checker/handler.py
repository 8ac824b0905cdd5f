"""Entry point of the checker: wires the adapters, runs the pipeline and returns its result as JSON."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from lambdas.adapters.aws_readers import aws_readers
from lambdas.adapters.aws_session import AwsSession
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.gc_tuning import without_gc_at_start
from lambdas.adapters.incidents import Incidents
from lambdas.adapters.lambda_functions import Checker, Remediator
from lambdas.adapters.log import write
from lambdas.adapters.metrics import count
from lambdas.application.check.dependencies import CheckDependencies
from lambdas.application.check.pipeline import run
from lambdas.application.check.results import (
    CheckHandedOver,
    ChecksRequested,
    ClusterChecked,
    DeliveryRecorded,
    DigestRequested,
    EventIgnored,
    EventMalformed,
    EventResult,
    IncidentOpened,
    IncidentTakenOver,
    NoFaultFound,
    ServiceAccountResult,
    SignalAlreadyAnswered,
    SignalCounted,
    SignalDeferred,
)
from lambdas.contract.environment import FUNCTION_NAME, Environment, Function
from lambdas.contract.self_test import is_self_test

PARAMETERS_TTL_S: Final = 20
"""Maximum age of a binding that the checker uses. The remediator reads bindings again before a write."""
FACTS_TTL_S: Final = 300
"""Maximum age of a cluster's description, a role and an OIDC provider, so that a storm of events costs one read of each."""
_RESULT_NAMES: Final[Mapping[type, str]] = {
    EventIgnored: "ignored",
    EventMalformed: "malformed",
    ChecksRequested: "checks-requested",
    DigestRequested: "digest-requested",
    DeliveryRecorded: "delivery-recorded",
    ClusterChecked: "cluster-checked",
    NoFaultFound: "no-fault-found",
    IncidentOpened: "incident-opened",
    SignalCounted: "signal-counted",
    IncidentTakenOver: "incident-taken-over",
    SignalAlreadyAnswered: "signal-already-answered",
    SignalDeferred: "signal-deferred",
    CheckHandedOver: "check-handed-over",
}


@without_gc_at_start
def lambda_handler(event: object, context: object) -> dict[str, Any]:
    """Check what the event reports, and return the result. A self-test comes first: it needs no event.

    Raises:
        RemediatorError: Lambda delivers the event again, then sends it to the dead-letter queue.
    """
    if is_self_test(event):
        from lambdas.adapters.self_test import self_test

        return self_test(event, _session(), _environment(), Function.CHECKER)
    return result_to_json(run(event, _dependencies()))


def result_to_json(result: EventResult | ServiceAccountResult) -> dict[str, Any]:
    """The JSON that the function returns: the name of the result, and its fields."""
    return {"result": _RESULT_NAMES[type(result)], **{field.name: _to_json(getattr(result, field.name)) for field in fields(result)}}


def _to_json(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case tuple():
            return list(value)
        case Mapping():
            return {target.key: result_to_json(result) for target, result in value.items()}
        case _:
            return value


def _now() -> datetime:
    return datetime.now(UTC)


@cache
def _environment() -> Environment:
    return Environment.read(os.environ)


@cache
def _session() -> AwsSession:
    return AwsSession(_environment().region)


@cache
def _dependencies() -> CheckDependencies:
    environment, session = _environment(), _session()
    cached = {"parameters_ttl_s": PARAMETERS_TTL_S, "facts_ttl_s": FACTS_TTL_S}
    return CheckDependencies(
        readers=aws_readers(session, environment, Function.CHECKER, ThreadPoolExecutor, **cached),
        uncached_readers=aws_readers(session, environment, Function.CHECKER, ThreadPoolExecutor),
        incidents=Incidents(session, environment.incidents_table),
        remediator=Remediator(session, environment.remediator_arn),
        events=EventBus(session, environment.event_bus),
        checks=Checker(session, os.environ[FUNCTION_NAME], account=environment.account, new_executor=ThreadPoolExecutor, now=_now),
        metrics=count,
        log=write,
        environment=environment,
        now=_now,
    )
