"""Functions of the product that a benchmark measures in a child process instead of in the emulator."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.harness.events import check_requested, not_ready
from benchmarks.harness.measurement import Cost, timed
from lambdas.adapters.aws_session import AwsSession
from lambdas.adapters.cluster import Clusters
from lambdas.adapters.eks import Eks
from lambdas.adapters.eks_token import Tokens
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.iam import Iam
from lambdas.adapters.incidents import Incidents
from lambdas.adapters.lambda_functions import Remediator
from lambdas.adapters.log import write
from lambdas.adapters.metrics import count
from lambdas.adapters.parameter_store import ParameterStore
from lambdas.application.check import parameter_handover
from lambdas.application.check.dependencies import CheckDependencies
from lambdas.application.check.pipeline import run
from lambdas.application.readers import Readers
from lambdas.checker.handler import PARAMETERS_TTL_S, lambda_handler
from lambdas.contract.environment import Environment
from lambdas.contract.events import SWEEP_INPUT
from lambdas.node_watcher.audit_events import BatchRead, WatcherDependencies, publish_findings

WARM_UP: Final = 20


def check_with_nodes() -> Cost:
    """Measure a warm check that reads pods and nodes."""
    lambda_handler(not_ready(), None)
    return timed(lambda: lambda_handler(not_ready(), None))


def repeat_warm_check(times: int) -> Cost:
    """Measure healthy checks, each with a new event."""
    return timed(lambda: [lambda_handler(check_requested(trigger="identity-changed"), None) for _ in range(times)])


def handle_storm(events: int) -> Cost:
    """Measure one event of a storm, with a row in the table that makes a check unnecessary."""
    for _ in range(WARM_UP):
        lambda_handler(not_ready(), None)
    payloads = [not_ready() for _ in range(events)]
    whole = timed(lambda: [lambda_handler(event, None) for event in payloads])
    return Cost(wall_ms=whole.wall_ms / events, cpu_ms=whole.cpu_ms / events)


def sweep_clusters(clusters: Sequence[str], times: int) -> Cost:
    """Measure one cluster's check in a sweep five minutes after the last: without cached reads, connections or logins.

    Each check starts with empty caches, since Lambda runs the checks of a sweep concurrently in separate environments. The sweep hands it
    the parameters of its cluster.
    """
    function_environment = Environment.read(os.environ)
    session = AwsSession(function_environment.region)
    uncached = _ports_without_caches(session)

    every_parameter = ParameterStore(session).load()

    def check(name: str) -> None:
        parameters = ParameterStore(session, ttl_s=PARAMETERS_TTL_S)  # shared within one check
        clusters = Clusters(Tokens(session, function_environment.partition))  # a shared client would make a fleet of one cluster cheaper
        readers = replace(uncached.readers, parameters=parameters, clusters=clusters)
        handed = orjson.loads(orjson.dumps(parameter_handover.encode(every_parameter, name, datetime.now(UTC))))
        run({**check_requested(name), **handed}, replace(uncached, readers=readers, last_sweep_checks={}))

    def every_check() -> None:
        for _ in range(times):
            for name in clusters:
                check(name)

    for name in clusters[:WARM_UP]:
        check(name)
    whole = timed(every_check)
    checks = times * len(clusters)
    return Cost(wall_ms=whole.wall_ms / checks, cpu_ms=whole.cpu_ms / checks)


def sweep(times: int) -> Cost:
    """Measure the sweep itself, which requests the checks, after one that is not measured."""
    lambda_handler(SWEEP_INPUT, None)
    whole = timed(lambda: [lambda_handler(SWEEP_INPUT, None) for _ in range(times)])
    return Cost(wall_ms=whole.wall_ms / times, cpu_ms=whole.cpu_ms / times)


def _ports_without_caches(session: AwsSession) -> CheckDependencies:
    function_environment = Environment.read(os.environ)
    readers = Readers(
        parameters=ParameterStore(session),
        eks=Eks(session),
        iam=Iam(session, account=function_environment.account, partition=function_environment.partition),
        clusters=Clusters(Tokens(session, function_environment.partition)),
        new_executor=ThreadPoolExecutor,
        account=function_environment.account,
        region=function_environment.region,
        partition=function_environment.partition,
        may_simulate=False,
    )
    return CheckDependencies(
        readers=readers,
        uncached_readers=readers,
        incidents=Incidents(session, function_environment.incidents_table),
        remediator=Remediator(session, function_environment.remediator_arn),
        events=EventBus(session, function_environment.event_bus),
        checks=_NoChecks(),
        metrics=count,
        log=write,
        environment=function_environment,
        now=lambda: datetime.now(UTC),
    )


class _NoChecks:
    def request(self, checks: Sequence[object]) -> None:
        raise AssertionError(f"a check requests no {len(checks)} checks")


class _NoBindings:
    """Parameters without bindings, so that only the known workloads count as bound."""

    def load(self, *_: object) -> dict[str, Any]:
        return {}


class _CountingBus:
    def __init__(self) -> None:
        self.sent = 0

    def put(self, events: Sequence[object]) -> None:
        self.sent += len(events)


def watch_batch(batch: str) -> Cost:
    """Measure the node watcher over one batch, after one run that is not measured."""
    event, bus = orjson.loads(Path(batch).read_bytes()), _CountingBus()
    ports = WatcherDependencies(parameters=_NoBindings(), bus=bus, parse_json=orjson.loads, warn=print)

    def once() -> None:
        result = publish_findings(event, ports, account=event["account"], our_roles=())
        assert isinstance(result, BatchRead), result
        assert (result.events, result.malformed) == (event["records"], 0), result

    once()
    return timed(once)
