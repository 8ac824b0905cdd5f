"""Entry point of the remediator, a durable function: builds the adapters and runs a workflow."""

import json
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Final

from aws_durable_execution_sdk_python import DurableContext, durable_execution

from lambdas.adapters.aws_readers import aws_readers
from lambdas.adapters.aws_session import AwsSession
from lambdas.adapters.change_calendar import Calendar
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.gc_tuning import without_gc_at_start
from lambdas.adapters.incidents import Incidents
from lambdas.adapters.log import write
from lambdas.adapters.metrics import count
from lambdas.adapters.notifier import Notifier
from lambdas.application.assessment import PolicySources
from lambdas.application.codec import decode, encode
from lambdas.application.daily_digest import DigestDependencies, DigestRequest, send_digest
from lambdas.application.readers import Readers
from lambdas.application.remediation.carried_state import CarriedState
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.application.remediation.workflow import remediate
from lambdas.application.workflow_steps import PollSchedule, StepId, StepPurpose
from lambdas.contract.environment import Environment, Function
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.self_test import is_self_test
from lambdas.domain.errors import TransientError
from lambdas.domain.incidents.incident import Incident
from lambdas.remediator.durable_steps import DurableSteps

OPEN_SCHEDULE: Final = PollSchedule(timeout_s=1800)
"""How long to try to read the incident. After that the execution ends, and the next sweep takes the incident over."""
FACTS_TTL_S: Final = 2
"""Maximum age of a cluster's description, a role and an OIDC provider, so that a write uses what its assessment has read."""
CHECKPOINT_TIMEOUT_S: Final = 50
"""The time-out of the SDK's own client."""


@dataclass(frozen=True, kw_only=True)
class OpenResult:
    """The incident to work on, with the state that the execution before this one has handed over.

    Without an incident, `is_answered` distinguishes an incident that is not open from a table that does not answer.
    """

    incident: Incident | None = None
    is_answered: bool = False
    carried: CarriedState | None = None


class _Service:
    """The service's client from our session, made at its first use: the SDK's own client would load botocore's data a second time."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_session().client("lambda", read_timeout_s=CHECKPOINT_TIMEOUT_S), name)


def _run(event: dict[str, Any], context: DurableContext) -> Any:
    """The result of one workflow, as JSON.

    `{"incident_id": ..., "target": "cluster/namespace/name"}` remediates an incident, which is read from its row. With `"execution": 2` or
    more it continues what the execution before has handed over.
    `{"digest": {"until": ISO time, "clusters": [...]}}` sends the digest of a day.
    `{"selfTest": {...}}` tests the function itself.
    """
    steps = DurableSteps(context)
    if is_self_test(event):
        from lambdas.adapters.self_test import self_test

        return self_test(event, _session(), _environment(), Function.REMEDIATOR, steps)
    if "digest" in event:
        return encode(send_digest(decode(DigestRequest, event["digest"]), steps, _digest_dependencies()))
    opened = steps.until(
        StepId(StepPurpose.OPEN), OpenResult(), lambda _: open_incident(event), lambda result: result.is_answered, OPEN_SCHEDULE
    )
    if opened.incident is None:
        return {"incident": event["incident_id"], "outcome": "not-open"}
    return encode(remediate(opened.incident, steps, remediation_steps(opened.incident), opened.carried))


_service: Any = _Service()
lambda_handler = without_gc_at_start(durable_execution(_run, boto3_client=_service))


def open_incident(event: dict[str, Any]) -> OpenResult:
    """The incident as its row has it now. It is stored, since a replay must not depend on later changes of the row."""
    target = ServiceAccountRef.from_key(event["target"])
    try:
        incident = incidents().get(target)
        state = incidents().carried_state(incident) if incident and incident.execution > 1 else ""
    except TransientError as error:  # raised here, it would end the execution for good
        write("snapshot", str(error), incident=event["incident_id"])
        return OpenResult()
    if incident is None or (incident.id, incident.execution) != (event["incident_id"], event.get("execution", 1)):
        return OpenResult(is_answered=True)
    carried = decode(CarriedState, json.loads(state)) if state else None
    return OpenResult(incident=replace(incident, started=True), is_answered=True, carried=carried)


@cache
def _environment() -> Environment:
    return Environment.read(os.environ)


@cache
def _session() -> AwsSession:
    return AwsSession(_environment().region)


@cache
def incidents() -> Incidents:
    """The table of incidents and history."""
    return Incidents(_session(), _environment().incidents_table)


@cache
def _readers() -> Readers:
    return aws_readers(_session(), _environment(), Function.REMEDIATOR, ThreadPoolExecutor, facts_ttl_s=FACTS_TTL_S)


@cache
def _notifier() -> Notifier:
    return Notifier(_session(), chat_topic_arn=_environment().chat_topic_arn, people_topic_arn=_environment().people_topic_arn)


def _digest_dependencies() -> DigestDependencies:
    return DigestDependencies(
        readers=_readers(),
        incidents=incidents(),
        notifier=_notifier(),
        log=write,
        metrics=count,
        environment=_environment(),
        now=partial(datetime.now, UTC),
    )


def remediation_steps(incident: Incident) -> RemediationSteps:
    """The steps of one incident. All incidents of the process share the clients."""
    return RemediationSteps(
        incident=incident,
        readers=_readers(),
        policy_sources=PolicySources(incidents=incidents(), calendar=Calendar(_session())),
        incidents=incidents(),
        notifier=_notifier(),
        events=EventBus(_session(), _environment().event_bus),
        metrics=count,
        log=write,
        environment=_environment(),
        now=partial(datetime.now, UTC),
        sleep=time.sleep,
        jitter=partial(random.uniform, 0.5, 1.0),
    )
