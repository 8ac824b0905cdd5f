"""Entry point: the control plane's audit log in, `Node Not Ready` and `Identity Changed` events out."""

import logging
import os
from functools import cache
from typing import Any, Final

import orjson

from lambdas.adapters.aws_session import AwsSession
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.parameter_store import ParameterStore
from lambdas.contract.environment import Environment
from lambdas.node_watcher.audit_events import Ports, watch

BINDINGS_KEPT_S: Final = 60
"""A new binding is watched a minute later, and a busy log group reads the bindings once a minute."""

_log: Final = logging.getLogger(__name__)


def lambda_handler(event: object, context: object) -> dict[str, Any]:
    """Watch one batch; what was done goes to the log and is returned.

    Raises:
        RemediatorError: Lambda delivers the batch again, then to the dead-letter queue.
    """
    environment = _environment()
    roles = tuple(part for part in environment.our_role_arns.split(",") if part)
    done = watch(event, _ports(), account=environment.account, our_roles=roles)
    _log.info("audit batch read", extra=done)
    return done


@cache
def _environment() -> Environment:
    return Environment.read(os.environ)


@cache
def _ports() -> Ports:
    session = AwsSession(_environment().region)
    return Ports(
        parameters=ParameterStore(session, keep_s=BINDINGS_KEPT_S),
        bus=EventBus(session, _environment().event_bus),
        loads=orjson.loads,
        warn=_log.warning,
    )
