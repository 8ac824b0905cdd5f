"""Entry point of the remediator: a durable function. Wires the adapters and runs the workflow."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Final

from aws_durable_execution_sdk_python import DurableContext, durable_execution

from lambdas.adapters.aws_readers import aws_readers
from lambdas.adapters.aws_session import AwsSession
from lambdas.adapters.change_calendar import Calendar
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.gc_tuning import uncollected_start
from lambdas.adapters.incidents import Incidents
from lambdas.adapters.log import write
from lambdas.adapters.metrics import count
from lambdas.adapters.notifier import Notifier
from lambdas.application.assessment import PolicySources
from lambdas.application.daily_digest import DigestDependencies, sum_up
from lambdas.application.readers import Readers
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.application.remediation.workflow import remediate
from lambdas.application.workflow_steps import Json, PollSchedule
from lambdas.contract.environment import Environment, Function
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import TransientError
from lambdas.domain.incidents.incident import Incident
from lambdas.remediator.durable_steps import DurableSteps

OPENING: Final = PollSchedule(timeout_s=1800)
"""How long to try to read the incident; after that the execution ends, and the next sweep takes the incident over."""


FACTS_KEPT_S: Final = 2
"""How old a cluster's description, a role and an OIDC provider may be: what a look read serves the write that follows it."""
CHECKPOINT_TIMEOUT_S: Final = 50
"""As the SDK's own client waits for the service."""


class _Service:
    """The service's client from our session, made when first used: the SDK's own would load botocore's data a second time."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_session().client("lambda", read_timeout_s=CHECKPOINT_TIMEOUT_S), name)


def _run(event: dict[str, Any], context: DurableContext) -> Json:
    """Remediate the incident `{"incident_id": ..., "target": "cluster/namespace/name"}`; everything else is read from its row.

    Or tell of a day: `{"digest": {"until": iso, "clusters": [...]}}`.
    """
    steps = DurableSteps(context)
    if "digest" in event:
        return sum_up(event["digest"], steps, _digest_desk())
    opened = steps.until("open", lambda _: _opened(event), lambda state: "incident" in state or "outcome" in state, OPENING)
    if "incident" not in opened:
        return opened
    incident = _incident(event, opened["incident"])
    return remediate(incident, steps, desk(incident))


_service: Any = _Service()
lambda_handler = uncollected_start(durable_execution(_run, boto3_client=_service))


def _opened(event: dict[str, Any]) -> Json:
    """The incident's row as JSON, once: a replay must not depend on what has become of it. Empty where the table does not answer."""
    target = ServiceAccountRef.from_key(event["target"])
    try:
        found = incidents().get(target)
    except TransientError as error:  # what is raised here would end the execution for good
        write("snapshot", str(error), incident=event["incident_id"])
        return {}
    if found is None or found.id != event["incident_id"]:
        return {"outcome": "the incident is no longer open", "incident_id": event["incident_id"]}
    return {
        "incident": {
            "opened_at": found.opened_at.isoformat(),
            "signals": found.signals,
            "request": dict(found.request),
            "binding_path": found.binding_path,
        }
    }


def _incident(event: dict[str, Any], row: Json) -> Incident:
    return Incident(
        id=event["incident_id"],
        target=ServiceAccountRef.from_key(event["target"]),
        opened_at=datetime.fromisoformat(row["opened_at"]),
        signals=row["signals"],
        request=row["request"],
        started=True,
        binding_path=row["binding_path"],
    )


@cache
def _here() -> Environment:
    return Environment.read(os.environ)


@cache
def _session() -> AwsSession:
    return AwsSession(_here().region)


@cache
def incidents() -> Incidents:
    """Incidents and history."""
    return Incidents(_session(), _here().incidents_table)


@cache
def _readers() -> Readers:
    return aws_readers(_session(), _here(), Function.REMEDIATOR, ThreadPoolExecutor, facts_kept_s=FACTS_KEPT_S)


@cache
def _notifier() -> Notifier:
    return Notifier(_session(), chat_topic_arn=_here().chat_topic_arn, people_topic_arn=_here().people_topic_arn)


def _digest_desk() -> DigestDependencies:
    clock = partial(datetime.now, UTC)
    return DigestDependencies(readers=_readers(), incidents=incidents(), notifier=_notifier(), log=write, environment=_here(), now=clock)


def desk(incident: Incident) -> RemediationSteps:
    """What the steps of one incident work with; clients are shared by all incidents of the process."""
    here, session = _here(), _session()
    return RemediationSteps(
        incident=incident,
        readers=_readers(),
        policy_sources=PolicySources(incidents=incidents(), calendar=Calendar(session)),
        incidents=incidents(),
        notifier=_notifier(),
        events=EventBus(session, here.event_bus),
        metrics=count,
        log=write,
        environment=here,
    )
