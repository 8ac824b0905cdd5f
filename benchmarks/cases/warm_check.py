"""Warm healthy check compared with a raw client that makes the same requests, and the requests of both."""

import time
from typing import Final

from benchmarks.harness import fault_injection, profiler
from benchmarks.harness.cost_model import LINE_OVERHEAD_BYTES
from benchmarks.harness.emulated_functions import baselines_with_product_packages, cpu_ms, function
from benchmarks.harness.events import check_requested, payload
from benchmarks.harness.measurement import Cost, interleave
from benchmarks.harness.row import Goal, Row, compare, explain_missed
from benchmarks.harness.run import Run
from benchmarks.harness.static_fleet import StaticFleet
from lambdas.contract.environment import Function
from sandbox.functions.execution_environment import Environment
from sandbox.simulation.deployment import function_asset

NAME: Final = "warm healthy check"
_RAW: Final = "raw: urllib3, orjson, same requests"
_LIMIT: Final = (
    "The baseline caches its facts without expiry, sends its requests in one thread and makes a few comparisons. The product reads in"
    " threads, which costs CPU and saves network round trips, parses responses by botocore's models and evaluates twelve links"
)
_BATCH: Final = 20  # the kernel counts CPU in hundredths of a second
_KUBERNETES, _AWS = Goal(on="value", bound=3), Goal(on="value", bound=4)


def run(run: Run) -> list[Row]:
    """Invoke one environment of each function in interleaved batches."""
    with StaticFleet() as fleet:
        environment = fleet.function_environment()
        product = function("checker", function_asset(), Function.CHECKER.handler, environment)
        raw = function("raw", baselines_with_product_packages(), "raw_http.lambda_handler", environment)
        with Environment(product) as checker, Environment(raw) as client:
            cold = _requests(fleet, checker)
            warm = _requests(fleet, checker)
            _requests(fleet, client)
            same = _requests(fleet, client)
            logged = _logged(checker)
            costs = interleave({"product": lambda: _batch(checker), _RAW: lambda: _batch(client)}, run.choose(4, 11))
        goal = Goal(on="ratio", bound=1.4)
        timed = [compare(NAME, name, part, costs, baseline=_RAW, goal=goal) for name, part in (("wall", "wall_ms"), ("CPU", "cpu_ms"))]
        timed = explain_missed(
            timed,
            lambda: profiler.cpu_shares("benchmarks.harness.product:repeat_warm_check", {"times": run.choose(30, 100)}, environment),
            _LIMIT,
        )
    run.facts["log_bytes"] = logged
    return [
        *timed,
        _counted("Kubernetes requests, warm", warm[0], same[0], _KUBERNETES, "12 pods: one page"),
        _counted("Kubernetes requests, cold", cold[0], None, _KUBERNETES, "signing the token needs no request"),
        _counted(
            "AWS requests, warm",
            warm[1],
            same[1],
            _AWS,
            "incident, add-on, associations, time of the check; most checks of a sweep skip the last",
        ),
        _counted("AWS requests, cold", cold[1], None, None, "also: four parameter paths, cluster, role, OIDC provider"),
    ]


def _counted(name: str, value: int, baseline: int | None, goal: Goal | None, note: str) -> Row:
    row = Row(benchmark="requests on the wire", name=name, value=value, unit="requests", goal=goal, note=note)
    return row if baseline is None else row.compared_with(_RAW, baseline)


def _requests(fleet: StaticFleet, environment: Environment) -> tuple[int, int]:
    mark = fleet.mark()
    ended = environment.invoke(payload(check_requested(trigger="identity-changed")))
    assert not ended.failed, ended.payload[:500]
    assert b"no-fault-found" in ended.payload, ended.payload[:500]
    kubernetes, aws = fleet.requests_since(mark)
    return len(kubernetes), len(aws)


def _logged(checker: Environment) -> float:
    """Return the billed log bytes of one check of a sweep."""
    before = len(checker.lines)
    assert not checker.invoke(payload(check_requested())).failed
    fault_injection.wait_until("the log line of the check", lambda: any('"diagnosis"' in line for line in checker.lines[before:]))
    return sum(len(line.encode()) + LINE_OVERHEAD_BYTES for line in checker.lines[before:])


def _batch(environment: Environment) -> Cost:
    wall, cpu = time.perf_counter(), cpu_ms(environment)
    for _ in range(_BATCH):  # a new event each time: the previous check would answer an older one
        assert b"no-fault-found" in environment.invoke(payload(check_requested(trigger="identity-changed"))).payload
    return Cost(wall_ms=(time.perf_counter() - wall) * 1e3 / _BATCH, cpu_ms=(cpu_ms(environment) - cpu) / _BATCH)
