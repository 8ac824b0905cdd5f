"""Entry point of the node watcher: reads audit log batches and publishes `Node Not Ready` and `Identity Changed` events."""

import logging
import os
from dataclasses import asdict
from functools import cache
from typing import Any, Final

import orjson

from lambdas.adapters.aws_session import AwsSession
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.parameter_store import ParameterStore
from lambdas.contract.environment import Environment
from lambdas.node_watcher.audit_events import BatchIgnored, WatcherDependencies, publish_findings

BINDINGS_TTL_S: Final = 60
"""Maximum age of bindings. A new binding takes effect within a minute, and a busy log group costs one read a minute."""

_log: Final = logging.getLogger(__name__)


def lambda_handler(event: object, context: object) -> dict[str, Any]:
    """Publish the findings of one batch. Returns and logs the result.

    Raises:
        RemediatorError: Lambda delivers the batch again, then sends it to the dead-letter queue.
    """
    environment = _environment()
    roles = tuple(arn for arn in environment.our_role_arns.split(",") if arn)
    result = publish_findings(event, _dependencies(), account=environment.account, our_roles=roles)
    as_json = {"ignored": isinstance(result, BatchIgnored), **asdict(result)}
    _log.info("audit batch read", extra=as_json)
    return as_json


@cache
def _environment() -> Environment:
    return Environment.read(os.environ)


@cache
def _dependencies() -> WatcherDependencies:
    session = AwsSession(_environment().region)
    return WatcherDependencies(
        parameters=ParameterStore(session, ttl_s=BINDINGS_TTL_S),
        bus=EventBus(session, _environment().event_bus),
        parse_json=orjson.loads,
        warn=_log.warning,
    )
