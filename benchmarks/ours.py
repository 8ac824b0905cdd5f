"""The product's side where it is measured in a process of its own instead of in the emulator."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.events import check_requested, not_ready
from benchmarks.measure import Cost, timed
from lambdas.adapters.aws_session import AwsSession
from lambdas.adapters.cluster import Clusters
from lambdas.adapters.eks import Eks
from lambdas.adapters.eks_token import Tokens
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.iam import Iam
from lambdas.adapters.incidents import Incidents
from lambdas.adapters.log import write
from lambdas.adapters.metrics import count
from lambdas.adapters.parameter_store import ParameterStore
from lambdas.adapters.remediator_invocation import Remediator
from lambdas.application.check.dependencies import Ports
from lambdas.application.check.pipeline import run
from lambdas.application.readers import Readers
from lambdas.checker.handler import PARAMETERS_KEPT_S, lambda_handler
from lambdas.contract.environment import Environment
from lambdas.node_watcher.audit_events import Ports as WatcherPorts
from lambdas.node_watcher.audit_events import watch

WARM_UP: Final = 20


def big_check() -> Cost:
    """A warm check of pods and nodes."""
    lambda_handler(not_ready(), None)
    return timed(lambda: lambda_handler(not_ready(), None))


def warm_checks(times: int) -> Cost:
    """Healthy checks, each of now."""
    return timed(lambda: [lambda_handler(check_requested(trigger="identity-changed"), None) for _ in range(times)])


def storm(events: int) -> Cost:
    """What one event of a storm costs, over a table whose row says that there is nothing to look at."""
    for _ in range(WARM_UP):
        lambda_handler(not_ready(), None)
    made = [not_ready() for _ in range(events)]
    whole = timed(lambda: [lambda_handler(event, None) for event in made])
    return Cost(wall_ms=whole.wall_ms / events, cpu_ms=whole.cpu_ms / events)


def sweep(clusters: Sequence[str], times: int) -> Cost:
    """What a cluster costs in a sweep that begins five minutes after the last: nothing read then is used now, nor a connection or login.

    Each cluster's check reads for itself, since Lambda runs the checks of a sweep beside each other in environments of their own.
    """
    here = Environment.read()
    session = AwsSession(here.region)
    forgetful = _ports_that_forget(session)

    def check(name: str) -> None:
        parameters = ParameterStore(session, keep_s=PARAMETERS_KEPT_S)  # one reading serves the whole of one check
        clusters = Clusters(Tokens(session, here.partition))  # kept, they would make one cluster alone cheaper than many
        readers = replace(forgetful.readers, parameters=parameters, clusters=clusters)
        run(check_requested(name), replace(forgetful, readers=readers, swept={}))

    def every_check() -> None:
        for _ in range(times):
            for name in clusters:
                check(name)

    for name in clusters[:WARM_UP]:
        check(name)
    whole = timed(every_check)
    checks = times * len(clusters)
    return Cost(wall_ms=whole.wall_ms / checks, cpu_ms=whole.cpu_ms / checks)


def _ports_that_forget(session: AwsSession) -> Ports:
    here = Environment.read()
    readers = Readers(
        parameters=ParameterStore(session),
        eks=Eks(session),
        iam=Iam(session, account=here.account, partition=here.partition),
        clusters=Clusters(Tokens(session, here.partition)),
        account=here.account,
        region=here.region,
        partition=here.partition,
        may_simulate=False,
    )
    return Ports(
        readers=readers,
        fresh=readers,
        incidents=Incidents(session, here.incidents_table),
        remediator=Remediator(session, here.remediator_arn),
        events=EventBus(session, here.event_bus),
        metrics=count,
        log=write,
        environment=here,
        now=lambda: datetime.now(UTC),
    )


class _Bound:
    """No bindings but those that are known by name."""

    def load(self, *_: object) -> dict[str, Any]:
        return {}


class _Bus:
    def __init__(self) -> None:
        self.sent = 0

    def put(self, events: Sequence[object]) -> None:
        self.sent += len(events)


def audit(batch: str) -> Cost:
    """One batch of audit records through the watcher, which has seen it before."""
    event, bus = orjson.loads(Path(batch).read_bytes()), _Bus()
    ports = WatcherPorts(parameters=_Bound(), bus=bus, loads=orjson.loads, warn=print)

    def once() -> None:
        done = watch(event, ports, account=event["account"], our_roles=())
        assert done["events"] == event["records"], done
        assert not done["malformed"], done

    once()
    return timed(once)
