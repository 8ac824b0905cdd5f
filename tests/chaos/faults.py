"""Faults that a repair in the sandbox must survive: each external system fails in each of its ways, a limited number of times."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from lambdas.adapters.kubernetes_api import READ_TIMEOUT_S
from sandbox.aws.faults import Fault as AwsFault
from sandbox.aws.faults import FaultKind
from sandbox.cluster.faults import ConnectionBreak, Fault
from sandbox.simulation.aws_account import REMEDIATOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.simulation.environment import SandboxEnvironment
    from tests.chaos.sandbox_runs import Disturb

ACCOUNT: Final = "/serviceaccounts/aws-node$"
WORKLOAD: Final = "/daemonsets/aws-node$"
PODS: Final = "/pods"
LONGEST_CHECK_S: Final = 120.0


def cluster(*faults: Fault) -> Disturb:
    """Faults of the Kubernetes API after the start of the remediator. Lambda and the sweep repeat a failed check."""

    def disturb(env: SandboxEnvironment) -> Callable[[], int]:
        planned = sum(fault.times or 0 for fault in faults)
        armed = _when_begun(env, lambda: [env.backend.cluster.faults.add(fault) for fault in faults])
        return lambda: planned - sum(fault.times or 0 for fault in faults) if armed.is_set() else 0

    return disturb


def _when_begun(env: SandboxEnvironment, do: Callable[[], object]) -> threading.Event:
    """Call `do` when the remediator has started; the event is set afterwards."""
    done = threading.Event()

    def wait() -> None:
        until = time.monotonic() + LONGEST_CHECK_S
        while time.monotonic() < until and not any("remediator started" in line for _, line in list(env.lines)):
            time.sleep(0.01)
        do()
        done.set()

    threading.Thread(target=wait, daemon=True, name="faults").start()
    return done


def aws(*faults: AwsFault) -> Disturb:
    """Faults of AWS APIs."""

    def disturb(env: SandboxEnvironment) -> Callable[[], int]:
        planned = sum(fault.times for fault in faults)
        for fault in faults:
            env.aws.faults.add(fault)
        return lambda: planned - env.aws.faults.left()

    return disturb


def both(*disturbs: Disturb) -> Disturb:
    """Several kinds of faults at once."""

    def disturb(env: SandboxEnvironment) -> Callable[[], int]:
        counts = [disturb(env) for disturb in disturbs]
        return lambda: sum(count() for count in counts)

    return disturb


def _of_remediator(service: str, operation: str | None, kind: FaultKind, times: int, *, after: bool = False) -> AwsFault:
    return AwsFault(service=service, operation=operation, kind=kind, times=times, principal=REMEDIATOR, after_effect=after, hold_s=4.0)


KUBERNETES: Final[dict[str, Disturb]] = {
    "409 conflict": cluster(Fault(verb="PATCH", path=ACCOUNT, status=409, times=2)),
    "429 with Retry-After": cluster(
        Fault(path=PODS, status=429, retry_after_s=1, times=4), Fault(path=ACCOUNT, status=429, retry_after_s=1, times=2)
    ),
    "500": cluster(Fault(path=PODS, status=500, times=4), Fault(verb="PATCH", path=ACCOUNT, status=500, times=2)),
    "503": cluster(Fault(path=WORKLOAD, status=503, retry_after_s=1, times=4), Fault(path=ACCOUNT, status=503, times=2)),
    "slow answers": cluster(Fault(path=PODS, delay_s=3.0, times=3)),
    "half-open connections": cluster(Fault(path=PODS, delay_s=READ_TIMEOUT_S + 1.0, times=2)),
    "connection cut before a write": cluster(Fault(verb="PATCH", path=ACCOUNT, close=ConnectionBreak.BEFORE, times=2)),
    "answer of a write lost": cluster(
        Fault(verb="PATCH", path=ACCOUNT, close=ConnectionBreak.AFTER, times=1),
        Fault(verb="PATCH", path=WORKLOAD, close=ConnectionBreak.AFTER, times=1),
        Fault(verb="DELETE", path=PODS, close=ConnectionBreak.AFTER, times=1),
    ),
    "a list that expires": cluster(Fault(path=PODS, expire_continue=True, times=2)),
    "401, as when a login has run out": cluster(Fault(path=ACCOUNT, status=401, times=2), Fault(path=WORKLOAD, status=401, times=2)),
}

AWS: Final[dict[str, Disturb]] = {
    "every service throttled": aws(
        _of_remediator("eks", None, FaultKind.THROTTLE, 3),
        _of_remediator("ssm", None, FaultKind.THROTTLE, 2),
        _of_remediator("iam", None, FaultKind.THROTTLE, 2),
        _of_remediator("dynamodb", None, FaultKind.THROTTLE, 3),
        _of_remediator("sns", None, FaultKind.THROTTLE, 2),
        _of_remediator("events", None, FaultKind.THROTTLE, 2),
    ),
    "Parameter Store down": aws(_of_remediator("ssm", None, FaultKind.SERVER_ERROR, 8)),
    "SNS down": aws(_of_remediator("sns", "Publish", FaultKind.SERVER_ERROR, 24)),
    "SNS connection cut": aws(_of_remediator("sns", "Publish", FaultKind.RESET, 1)),
    "DynamoDB down for a moment": aws(_of_remediator("dynamodb", None, FaultKind.SERVER_ERROR, 8)),
    "answers of DynamoDB lost": aws(
        _of_remediator("dynamodb", "UpdateItem", FaultKind.RESET, 2, after=True),
        _of_remediator("dynamodb", "TransactWriteItems", FaultKind.RESET, 1, after=True),
    ),
    "credentials that run out": aws(
        _of_remediator("eks", None, FaultKind.EXPIRED, 2),
        _of_remediator("dynamodb", None, FaultKind.EXPIRED, 2),
        _of_remediator("sns", None, FaultKind.EXPIRED, 1),
    ),
    "EKS silent": aws(_of_remediator("eks", "DescribeCluster", FaultKind.TIMEOUT, 2)),
    "answer of UpdateAddon lost": aws(_of_remediator("eks", "UpdateAddon", FaultKind.RESET, 1, after=True)),
}
