"""A remediator at work on a world of fakes, with things that happen to it in between its steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from lambdas.application.workflow_steps import InProcessSteps, PollSchedule, StepId, StepPurpose
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.incident import Signal
from sandbox.simulation import scenario as told
from tests.over_fakes import events
from tests.over_fakes.ground import CLUSTER, ground_of
from tests.over_fakes.performance import Performance, StillWatching
from tests.world import role_arn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lambdas.application.workflow_steps import Steps
    from lambdas.notifications.message_context import ApprovalAnswer


R = TypeVar("R")
KEY = ("kube-system", "aws-node")
TARGET = ServiceAccountRef(CLUSTER, *KEY)
OTHER = role_arn("other")
REPAIR = ["annotate", "delete", "restart"]
APPROVE = {"settings": {"mode": "approve"}}


@dataclass
class InterruptedSteps(InProcessSteps):
    """Steps of this process. `before` lets something happen just before the step of that name; it stops at the `watches`-th watch."""

    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    watches: int = 0

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        self._happen(step)
        return super().once(step, do, result)

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        self._happen(step)
        if step.purpose is StepPurpose.WATCH:
            if self.watches == 0:
                raise StillWatching
            self.watches -= 1
        return super().until(step, initial, check, is_settled, schedule)

    def _happen(self, step: StepId) -> None:
        self.before.pop(str(step), lambda: None)()


@dataclass
class Staged:
    """What came of it: the performance, and the steps that were taken."""

    play: Performance
    steps: InterruptedSteps

    @property
    def told(self) -> list[str]:
        """Why people were told, in order."""
        return [message["metadata"]["additionalContext"]["outcome"] for message in self.play.outcome().messages]

    @property
    def writes(self) -> list[str]:
        """The writes, by their first word."""
        return ["delete" if write.startswith("delete") else write.split()[0] for write in self.play.world.writes]

    @property
    def outcome(self) -> str:
        return self.play.outcome().outcome

    @property
    def annotation(self) -> str | None:
        return self.play.world.cluster.annotations.get("kube-system/aws-node")


def staged(
    world: dict[str, Any] | None = None,
    *,
    before: Mapping[str, Callable[[Performance], None]] | None = None,
    first: Callable[[Performance], None] = lambda _: None,
    answer: Callable[[str], ApprovalAnswer] | None = None,
    watches: int = 0,
) -> Staged:
    """Let a check be asked for in a world whose annotation is gone, and run what follows."""
    kept: list[InterruptedSteps] = []

    def steps(play: Performance) -> Steps:
        happenings: dict[str, Callable[[], None]] = {name: partial(run_step, play) for name, run_step in (before or {}).items()}
        made = InterruptedSteps(sleep=play.world.sleep, before=happenings, watches=watches)
        if answer:
            made.answer = answer
        kept.append(made)
        return made

    told_of = {"annotation": None, "nodes": 6, **(world or {})}
    told_of["trust"] = told.TrustPolicyKind(told_of.get("trust", "valid"))
    play = Performance(ground_of(told.World(**told_of)), steps)
    first(play)
    play.deliver(events.check_requested(play.world.now))
    return Staged(play, kept[-1] if kept else InterruptedSteps(sleep=play.world.sleep))


def annotates(role: str | None, by: str = "kubectl-annotate") -> Callable[[Performance], None]:
    """Somebody sets the annotation."""
    return lambda play: play.world.set_annotation(play.world.cluster, KEY, role, by)


def signalled(play: Performance) -> None:
    """Another check counts a signal."""
    play.incidents.signal(TARGET, Signal(occurred_at=play.world.now, check="another", at=play.world.now))


def hangs(waiting: str) -> Callable[[Performance], None]:
    """One pod does not start with the role, as we wait for the proof."""

    def run_step(play: Performance) -> None:
        play.world.roll_out(play.world.cluster, KEY, None)
        name = next(iter(play.world.cluster.pods))
        pod = play.world.cluster.pods[name]
        pod.facts = replace(pod.facts, ready=False, waiting=waiting)

    return run_step
