"""Scenario runs in the sandbox with injected faults, and the counted results."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.incidents import SORT_KEY
from sandbox.aws.faults import ConnectionDropped
from sandbox.cluster.aws_node import NAME, ROLE_KEY
from sandbox.cluster.resources import DAEMON_SETS, SERVICE_ACCOUNTS
from sandbox.simulation.aws_account import NAMESPACE, REMEDIATOR, TABLE, resolve_role
from sandbox.simulation.cluster_backend import nodes_ready
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import BOUND, Scenario, load
from sandbox.simulation.scenario_run import ScenarioRun

if TYPE_CHECKING:
    from sandbox.aws.http_messages import Request, Response

LASTS_S: Final = 400.0
POLL_S: Final = 0.1
OWN_ROLL_OUTS: Final = {"addon-role-missing": 1}
"""Rollouts that the steps of a scenario cause: an add-on update changes the pod template."""


@dataclass(frozen=True)
class Ran:
    """The result of one run. `extra_restarts` are rollouts additional to that of the repair; `titles` are those of the chat messages."""

    outcome: str
    extra_restarts: int
    titles: tuple[str, ...]
    faults: int
    lost: int
    seconds: float

    @property
    def converged(self) -> bool:
        """Whether the repair was verified and the incident closed."""
        return self.outcome == "verified"

    def kept_the_promises(self, *, faults: int = 1) -> None:
        """At least this many faults occurred; the run converged, restarted once, lost no signal, and sent two messages."""
        assert self.faults >= faults, "the faults befell nothing"
        assert self.converged, self
        assert (self.extra_restarts, self.lost) == (0, 0), self
        assert len(self.titles) == len(set(self.titles)) == 2, self.titles


Disturb = Callable[[SandboxEnvironment], Callable[[], int]]
"""Injects faults into a running environment; returns a function that counts them."""


def ran(name: str, disturb: Disturb, *, settings: dict[str, str] | None = None) -> Ran:
    """Run a scenario with injected faults to the end of its incident."""
    began = time.monotonic()
    with _stage(load(name), settings or {}) as (env, scenario):
        count = disturb(env)
        outcome = ScenarioRun(scenario, env, timeout_s=LASTS_S).run()
        closed = wait_until_closed(env)
        return Ran(
            outcome=outcome.outcome if closed else "open",
            extra_restarts=generation(env) - 2 - OWN_ROLL_OUTS.get(name, 0),
            titles=tuple(item["content"]["title"] for item in [*outcome.messages, *env.messages()]),
            faults=count(),
            lost=lost_signals(env),
            seconds=time.monotonic() - began,
        )


@contextmanager
def _stage(scenario: Scenario, settings: Mapping[str, str]) -> Iterator[tuple[SandboxEnvironment, Scenario]]:
    """The scenario with additional settings, and its environment, in which failed invocations are retried soon."""
    world = replace(scenario.world, settings={**scenario.world.settings, **settings})
    with SandboxEnvironment(world) as env:
        env.functions.durable.configure(retry_after_s=0.05)
        yield env, replace(scenario, world=world)


def generation(env: SandboxEnvironment) -> int:
    """The generation of aws-node: 1 after its creation, plus 1 for each rollout."""
    found = env.backend.find(DAEMON_SETS, NAME, NAMESPACE) or {}
    return int(found["metadata"].get("generation", 1))


def annotation(env: SandboxEnvironment) -> str | None:
    """The role in the annotation of aws-node."""
    found = env.backend.find(SERVICE_ACCOUNTS, NAME, NAMESPACE) or {}
    value = (found.get("metadata", {}).get("annotations") or {}).get(ROLE_KEY)
    return str(value) if value else None


def items(env: SandboxEnvironment) -> list[dict[str, Any]]:
    """The table's items."""
    found: list[dict[str, Any]] = env.aws.client("dynamodb").scan(TableName=TABLE, ConsistentRead=True)["Items"]
    return found


def open_row(env: SandboxEnvironment) -> dict[str, Any] | None:
    """The row of the open incident."""
    return next((item for item in items(env) if item[SORT_KEY]["S"] == "now" and "incident_id" in item), None)


def past(env: SandboxEnvironment) -> list[dict[str, Any]]:
    """History, oldest first."""
    found = [item for item in items(env) if item[SORT_KEY]["S"].startswith("past#")]
    return sorted(found, key=lambda item: str(item[SORT_KEY]["S"]))


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 240.0) -> Any:
    """The first true value of the condition.

    Raises:
        TimeoutError: it did not come true; says what was waited for.
    """
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(POLL_S)
    raise TimeoutError(f"{what} did not happen within {timeout_s:.0f} s")


def wait_until_closed(env: SandboxEnvironment, timeout_s: float = 240.0) -> bool:
    """Whether the incident's row is closed in time."""
    try:
        wait_for(lambda: open_row(env) is None and past(env), "the end of the incident", timeout_s)
    except TimeoutError:
        return False
    return True


def lost_signals(env: SandboxEnvironment) -> int:
    """Lost signals: those counted in the log minus those in the history."""
    counted = 0
    for function, line in list(env.lines):
        if function != REMEDIATOR and '"signals":' in line:
            with_signals = _json(line)
            counted = max(counted, int(with_signals.get("signals", 0)))
    seen = max((int(item["signals"]["N"]) for item in past(env)), default=0)
    return max(0, counted - seen)


def _json(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# --- killing -----------------------------------------------------------------------------------------------------------------------------


class Phase(StrEnum):
    """When the process is killed, relative to the checkpoint of a step."""

    NOT_REMEMBERED = "after its effect, before its checkpoint"
    REMEMBERED = "after its checkpoint"


@dataclass
class Killer:
    """Kills the process of the remediator once at each checkpoint that `at` selects.

    The start of a step is a checkpoint, too, and the step runs while it is sent, so a kill there interrupts the step. A message that was
    sent and not yet recorded as sent is sent again; `during_notifications` says whether to kill there, too.
    """

    env: SandboxEnvironment
    phase: Phase
    at: Callable[[str, str], bool]
    during_notifications: bool = False
    killed: list[tuple[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._inner = self.env.functions
        # One life after another ends here without any progress in between, which Lambda would give up at some time.
        self.env.functions.durable.configure(most_failures=1000)
        self.env.aws.route("lambda", self)

    def __call__(self, request: Request) -> Response:
        if not request.path.endswith("/checkpoint") or not self._due(request):
            return self._inner(request)
        if self.phase is Phase.REMEMBERED:
            self._inner(request)
        self._inner.pool(REMEDIATOR).kill()
        raise ConnectionDropped

    def _due(self, request: Request) -> bool:
        updates = json.loads(request.body).get("Updates") or []
        points = [(str(update.get("Name")), str(update.get("Action"))) for update in updates]
        if not self.during_notifications and any(" notify " in name and action == "START" for name, action in points):
            return False
        with self._lock:
            due = [point for point in points if point not in self.killed and self.at(*point)]
            self.killed += due
        return bool(due)


def killing(phase: Phase, at: Callable[[str, str], bool] = lambda _name, _action: True, *, during_notifications: bool = False) -> Disturb:
    """Kill at each checkpoint that `at(step, action)` selects; with `during_notifications`, also while a message is sent."""

    def disturb(env: SandboxEnvironment) -> Callable[[], int]:
        killer = Killer(env, phase, at, during_notifications)
        return lambda: len(killer.killed)

    return disturb


# --- a stage for one's own story ---------------------------------------------------------------------------------------------------------


@contextmanager
def sandbox_env(name: str, **settings: str) -> Iterator[SandboxEnvironment]:
    """A settled environment of a scenario, with additional settings."""
    with _stage(load(name), settings) as (env, scenario):
        wait_for(lambda: env.backend.find(DAEMON_SETS, NAME, NAMESPACE), "the workload")
        ScenarioRun(scenario, env).settle()
        yield env


def healed(env: SandboxEnvironment) -> bool:
    """Whether the annotation is correct and every node is Ready."""
    ready, total = nodes_ready(env.backend)
    return annotation(env) == resolve_role(BOUND) and ready == total
