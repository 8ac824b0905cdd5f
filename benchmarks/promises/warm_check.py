"""A warm healthy check beside a raw client that makes the same requests, and the requests of both on the wire."""

import time
from typing import Final

from benchmarks import profiled, stages
from benchmarks.events import check_requested, payload
from benchmarks.functions import cpu_ms, function, rivals_beside_ours
from benchmarks.ground import Ground
from benchmarks.measure import Cost, in_turns
from benchmarks.price import LINE_OVERHEAD_BYTES
from benchmarks.row import Goal, Row, compared, explained
from benchmarks.run import Run
from lambdas.contract.environment import Function
from sandbox.functions.emulator import Environment
from sandbox.play.deployment import our_asset

NAME: Final = "warm healthy check"
_RAW: Final = "raw: urllib3, orjson, same requests"
_LIMIT: Final = (
    "The rival keeps its facts for ever, asks one after the other in one thread and makes a few comparisons; it signs with botocore too."
    " Ours besides reads in threads, which costs CPU and saves trips of the network, has botocore read the answers by their models, and"
    " judges twelve links"
)
_BATCH: Final = 20  # the kernel counts CPU in hundredths of a second
_KUBERNETES, _AWS = Goal(on="value", bound=3), Goal(on="value", bound=4)


def run(run: Run) -> list[Row]:
    """One environment of each, invoked in batches by turns."""
    with Ground() as ground:
        environment = ground.function_environment()
        ours = function("checker", our_asset(), Function.CHECKER.handler, environment)
        raw = function("raw", rivals_beside_ours(), "raw.lambda_handler", environment)
        with Environment(ours) as checker, Environment(raw) as client:
            cold = _requests(ground, checker)
            warm = _requests(ground, checker)
            _requests(ground, client)
            same = _requests(ground, client)
            logged = _logged(checker)
            costs = in_turns({"ours": lambda: _batch(checker), _RAW: lambda: _batch(client)}, run.pick(4, 11))
        goal = Goal(on="ratio", bound=1.5)
        timed = [compared(NAME, name, part, costs, rival=_RAW, goal=goal) for name, part in (("wall", "wall_ms"), ("CPU", "cpu_ms"))]
        timed = explained(timed, lambda: profiled.where("benchmarks.ours:warm_checks", {"times": run.pick(30, 100)}, environment), _LIMIT)
    run.facts["log_bytes"] = logged
    return [
        *timed,
        _counted("Kubernetes requests, warm", warm[0], same[0], _KUBERNETES, "12 pods: one page"),
        _counted("Kubernetes requests, cold", cold[0], None, _KUBERNETES, "the token is signed without a request"),
        _counted(
            "AWS requests, warm",
            warm[1],
            same[1],
            _AWS,
            "incident, add-on, associations, time of the check; a sweep's check mostly leaves the last out",
        ),
        _counted("AWS requests, cold", cold[1], None, None, "more: four folders of parameters, cluster, role, OIDC provider"),
    ]


def _counted(name: str, value: int, rival: int | None, goal: Goal | None, note: str) -> Row:
    row = Row(promise="requests on the wire", name=name, value=value, unit="requests", goal=goal, note=note)
    return row if rival is None else row.beside(_RAW, rival)


def _requests(ground: Ground, environment: Environment) -> tuple[int, int]:
    mark = ground.mark()
    ended = environment.invoke(payload(check_requested(trigger="identity-changed")))
    assert not ended.failed, ended.payload[:500]
    assert b"healthy" in ended.payload, ended.payload[:500]
    kubernetes, aws = ground.requests_since(mark)
    return len(kubernetes), len(aws)


def _logged(checker: Environment) -> float:
    """Bytes of log that one check of a sweep is billed for."""
    before = len(checker.lines)
    assert not checker.invoke(payload(check_requested())).failed
    stages.until("the check's line, which is read beside its answer", lambda: any('"diagnosis"' in item for item in checker.lines[before:]))
    return sum(len(line.encode()) + LINE_OVERHEAD_BYTES for line in checker.lines[before:])


def _batch(environment: Environment) -> Cost:
    wall, cpu = time.perf_counter(), cpu_ms(environment)
    for _ in range(_BATCH):  # each of now: an event of a second ago would be answered by the check before
        assert b"healthy" in environment.invoke(payload(check_requested(trigger="identity-changed"))).payload
    return Cost(wall_ms=(time.perf_counter() - wall) * 1e3 / _BATCH, cpu_ms=(cpu_ms(environment) - cpu) / _BATCH)
