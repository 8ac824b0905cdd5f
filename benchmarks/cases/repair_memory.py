"""Event to annotation by memory size: both functions have the share of a processor that Lambda gives each size, cold and then warm."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.cases.memory_sizes import SIZES_MIB
from benchmarks.harness import cost_model, fault_injection, timeline
from benchmarks.harness.cpu_share import CpuShare, NoCpuQuota
from benchmarks.harness.events import check_requested
from benchmarks.harness.measurement import Sample
from benchmarks.harness.row import Goal, Row, explain_missed
from benchmarks.harness.table import MEMORY_SIZES
from lambdas.contract.environment import Function
from lambdas.contract.memory import MEMORY_MIB
from sandbox.simulation.aws_account import CHECKER, CLUSTER, REMEDIATOR
from sandbox.simulation.environment import SandboxEnvironment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.harness.run import Run

Pair = tuple[int, int]
"""Memory of checker and remediator, in MiB."""
CHOSEN: Final[Pair] = (MEMORY_MIB[Function.CHECKER], MEMORY_MIB[Function.REMEDIATOR])
_COLD, _WARM = Goal(on="value", bound=3_000), Goal(on="value", bound=500)
_THOUSAND: Final = 1e3
_END_WITHIN_S: Final = 240.0
_END_S: Final = 0.1  # the end of a repair is not measured, so it is polled slowly
_LIMIT: Final = "At a share of a processor the start of a process and its imports take most of a cold start; see Memory size"


@dataclass(frozen=True, kw_only=True)
class Repair:
    """Times of one repair: from the event to the start of the execution, and from there to the annotation; all of the remediator's time."""

    checker_ms: float
    remediator_ms: float
    billed_ms: float

    @property
    def whole_ms(self) -> float:
        return self.checker_ms + self.remediator_ms


class ExceedsTimeOut(RuntimeError):
    """A repair did not succeed, since a function with this share of a processor exceeds its time-out."""


def run(run: Run) -> list[Row]:
    """Repair the same fault at each size of both functions and at the chosen sizes, in rotating order. A quick run has only the latter."""
    try:
        with CpuShare(SIZES_MIB[0]):
            pass
    except NoCpuQuota as error:
        run.skip(f"{MEMORY_SIZES}, event to annotation: {error}")
        return []
    pairs: list[Pair] = [*run.choose((), tuple((mib, mib) for mib in SIZES_MIB)), CHOSEN]
    cold, warm = _measure(pairs, run)
    curve = {mib: cold[mib, mib] for mib in SIZES_MIB if (mib, mib) in cold}
    return [
        *(_row(f"remediator, cold start to annotation, {mib} MB", [it.remediator_ms for it in found]) for mib, found in curve.items()),
        *(_price(mib, found) for mib, found in curve.items()),
        *_chosen("cold", cold[CHOSEN], _COLD),
        *_chosen("warm", warm[CHOSEN], _WARM),
    ]


def _measure(pairs: Sequence[Pair], run: Run) -> tuple[dict[Pair, list[Repair]], dict[Pair, list[Repair]]]:
    """Return the cold and the warm repairs of each pair. A pair that exceeds a time-out is left out, and the run says so.

    Raises:
        ExceedsTimeOut: the chosen sizes exceed a time-out.
    """
    cold: dict[Pair, list[Repair]] = {pair: [] for pair in pairs}
    warm: dict[Pair, list[Repair]] = {pair: [] for pair in pairs}
    with SandboxEnvironment(fault_injection.world(run)) as env:
        fault_injection.wait_until("a settled cluster", lambda: fault_injection.is_settled(env))
        _repair(env)  # one run that is not measured fills the page cache
        for n in range(run.choose(1, 3)):
            for pair in [pair for pair in (*pairs[n % len(pairs) :], *pairs[: n % len(pairs)]) if pair in cold]:
                try:
                    with ExitStack() as shares:
                        cold[pair].append(_repair(env, lambda pair=pair: _restart(env, pair, shares)))  # type: ignore[misc]
                        warm[pair].append(_repair(env))
                except ExceedsTimeOut as error:
                    if pair == CHOSEN:
                        raise
                    run.skip(f"{MEMORY_SIZES}, a repair with {pair[1]} MB: {error}")
                    del cold[pair], warm[pair]
    return cold, warm


def _restart(env: SandboxEnvironment, pair: Pair, shares: ExitStack) -> None:
    """Stop both functions and start their emulators with the processor shares of the sizes."""
    for name, mib in zip((CHECKER, REMEDIATOR), pair, strict=True):
        pool = env.functions.pool(name)
        pool.restart()
        shares.enter_context(CpuShare(mib)).add(pool.start())


def _repair(env: SandboxEnvironment, prepare: Callable[[], None] = lambda: None) -> Repair:
    fault_injection.inject_fault(env)
    prepare()
    remediator = env.functions.pool(REMEDIATOR)
    mark, billed = len(fault_injection.kubernetes_requests(env)), len(remediator.durations_ms)
    began_at = datetime.now(UTC)
    env.bus.put(check_requested(CLUSTER, "identity-changed"))
    annotated_at = partial(fault_injection.patched_at, env, "serviceaccounts", mark)
    try:
        fault_injection.wait_until("the annotation", annotated_at, within_s=_END_WITHIN_S)
    except fault_injection.WaitTimeout as error:
        raise ExceedsTimeOut(f"the role is not restored after {_END_WITHIN_S:.0f} s") from error
    started = next(
        call.at
        for call in env.aws.calls.of(action="lambda:InvokeFunction")
        if call.at >= began_at and call.params.get("DurableExecutionName")
    )
    annotated = annotated_at()
    assert annotated
    _wait_for_end(env)
    return Repair(
        checker_ms=(started - began_at).total_seconds() * 1e3,
        remediator_ms=(annotated - started).total_seconds() * 1e3,
        billed_ms=sum(remediator.durations_ms[billed:]),
    )


def _wait_for_end(env: SandboxEnvironment) -> None:
    client, arn = env.aws.client("lambda"), fault_injection.list_executions(env)[-1]

    def status() -> str:
        return str(client.get_durable_execution(DurableExecutionArn=arn)["Status"])

    try:
        fault_injection.wait_until("the end of the repair", lambda: status() != "RUNNING", within_s=_END_WITHIN_S, every_s=_END_S)
    except fault_injection.WaitTimeout as error:
        raise ExceedsTimeOut(f"the repair has not ended after {_END_WITHIN_S:.0f} s") from error
    if status() != "SUCCEEDED":
        raise ExceedsTimeOut(f"it exceeds the time-out of the function, and ends as {status()}")


def _row(name: str, values: Sequence[float], goal: Goal | None = None) -> Row:
    of = Sample(tuple(values))
    return Row(benchmark=MEMORY_SIZES, name=name, value=of.median, unit="ms", spread=of.spread, runs=len(of.values), goal=goal)


def _price(mib: int, repairs: Sequence[Repair]) -> Row:
    """The price of the remediator's compute time in a thousand repairs. Waits of an execution are not billed."""
    seconds = Sample(tuple(repair.billed_ms / 1e3 for repair in repairs)).median
    price = seconds * mib / 1024 * cost_model.gb_second() * _THOUSAND
    return Row(benchmark=MEMORY_SIZES, name=f"remediator, a thousand repairs, {mib} MB", value=price, unit="USD")


def _chosen(state: str, repairs: Sequence[Repair], goal: Goal) -> list[Row]:
    name = f"event to annotation, {state}, checker {CHOSEN[0]} MB and remediator {CHOSEN[1]} MB"
    parts = [{"checker": it.checker_ms / it.whole_ms, "remediator": it.remediator_ms / it.whole_ms} for it in repairs]
    return explain_missed([_row(name, [it.whole_ms for it in repairs], goal)], lambda: timeline.describe(parts), _LIMIT)
