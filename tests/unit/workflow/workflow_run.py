"""Runs the remediation workflow over the fakes, with changes of the world before chosen steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from lambdas.application.workflow_steps import InProcessSteps, PollSchedule, StepId, StepPurpose
from lambdas.contract.approval import PLAN, decode_plan
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.incidents.incident import Signal
from lambdas.domain.snapshot.snapshot import RoleFacts
from sandbox.simulation.scenario import TrustPolicyKind, World
from tests.over_fakes import events
from tests.over_fakes.scenario_run import ScenarioRun, WatchReached
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER, world_of
from tests.world import right_trust, role_arn

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
SHOWN = "shown"
"""Stands for the digest of the plan that the latest approval request has shown."""


@dataclass
class InterruptedSteps(InProcessSteps):
    """Steps of this process with a call before each step that `before` names. After `watches` watches the run ends."""

    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    watches: int = 0

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        self._interrupt(step)
        return super().once(step, do, result)

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        self._interrupt(step)
        if step.purpose is StepPurpose.WATCH:
            if self.watches == 0:
                raise WatchReached
            self.watches -= 1
        return super().until(step, initial, check, is_settled, schedule)

    def _interrupt(self, step: StepId) -> None:
        self.before.pop(str(step), lambda: None)()


@dataclass
class WorkflowRun:
    """A finished run and its steps."""

    run: ScenarioRun
    steps: InterruptedSteps

    @property
    def notified(self) -> list[str]:
        """The kinds of the notifications, in order."""
        return [message["metadata"]["additionalContext"]["outcome"] for message in self.run.outcome().messages]

    @property
    def writes(self) -> list[str]:
        """The writes, by their first word."""
        return ["delete" if write.startswith("delete") else write.split()[0] for write in self.run.world.writes]

    @property
    def outcome(self) -> str:
        return self.run.outcome().outcome

    @property
    def annotation(self) -> str | None:
        return self.run.world.cluster.annotations.get("kube-system/aws-node")


def run_workflow(
    world: dict[str, Any] | None = None,
    *,
    before: Mapping[str, Callable[[ScenarioRun], None]] | None = None,
    first: Callable[[ScenarioRun], None] = lambda _: None,
    answer: Callable[[str], ApprovalAnswer] | None = None,
    watches: int = 0,
    prepare: Callable[[ScenarioRun, InterruptedSteps], None] = lambda *_: None,
    kind: type[InterruptedSteps] = InterruptedSteps,
) -> WorkflowRun:
    """Request a check in a world without the annotation, and run the workflow. `first` changes the world before the request,
    `prepare` the steps before the run. `kind` is the type of the steps.
    """
    kept: list[InterruptedSteps] = []

    def steps(run: ScenarioRun) -> Steps:
        changes: dict[str, Callable[[], None]] = {name: partial(change, run) for name, change in (before or {}).items()}
        made = kind(sleep=run.world.sleep, before=changes, watches=watches)
        if answer:
            made.answer = lambda callback_id: _with_plan(answer(callback_id), run)
        prepare(run, made)
        kept.append(made)
        return made

    fields = {"annotation": None, "nodes": 6, **(world or {})}
    fields["trust"] = TrustPolicyKind(fields.get("trust", "valid"))
    run = ScenarioRun(world_of(World(**fields)), steps)
    first(run)
    run.deliver(events.check_requested(run.world.now))
    return WorkflowRun(run, kept[-1] if kept else InterruptedSteps(sleep=run.world.sleep))


def _with_plan(answer: ApprovalAnswer, run: ScenarioRun) -> ApprovalAnswer:
    return replace(answer, plan=shown_plan(run)) if answer.plan == SHOWN else answer


def shown_plan(run: ScenarioRun) -> str:
    """The digest that the buttons of the latest approval request send."""
    return shown_plan_of(run.outcome().messages[-1])


def shown_plan_of(message: dict[str, Any]) -> str:
    """The digest that the buttons of this approval request send."""
    return decode_plan(message["metadata"]["additionalContext"][PLAN])


def set_annotation(role: str | None, by: str = "kubectl-annotate") -> Callable[[ScenarioRun], None]:
    """Set the annotation, as this field manager."""
    return lambda run: run.world.set_annotation(run.world.cluster, KEY, role, by)


def by_hand(run: ScenarioRun) -> None:
    """A person sets the annotation and replaces every pod."""
    set_annotation(BOUND_ROLE)(run)
    for name in list(run.world.cluster.pods):
        run.world.replace_pod(run.world.cluster, name)


def trust_issuer(run: ScenarioRun, issuer: str) -> None:
    """Let the role trust the pods of the cluster with this issuer."""
    run.world.roles[BOUND_ROLE] = RoleFacts(arn=BOUND_ROLE, trust=right_trust(issuer))


def break_trust(run: ScenarioRun) -> None:
    """Let the role trust another cluster."""
    trust_issuer(run, "https://oidc.eks.eu-west-1.amazonaws.com/id/OTHER")


def mend_trust(run: ScenarioRun) -> None:
    """Let the role trust the cluster."""
    trust_issuer(run, run.world.cluster.facts.issuer or "")


def together(*changes: Callable[[ScenarioRun], None]) -> Callable[[ScenarioRun], None]:
    """Several changes at once."""

    def change(run: ScenarioRun) -> None:
        for each in changes:
            each(run)

    return change


def update_runs(run: ScenarioRun) -> None:
    """An add-on update that does not end."""
    addons = run.world.cluster.addons
    addons["vpc-cni"] = replace(addons["vpc-cni"], status="UPDATING")


def update_ends(run: ScenarioRun) -> None:
    """The add-on update ends."""
    addons = run.world.cluster.addons
    addons["vpc-cni"] = replace(addons["vpc-cni"], status="ACTIVE")


def refuse_role(run: ScenarioRun) -> None:
    """Let IAM refuse to read the role from now on."""
    run.world.fail("iam.role", AccessDenied("read the role: 403", denial=Denial.FORBIDDEN), times=None)


def count_signal(run: ScenarioRun) -> None:
    """Count a signal, as another check does."""
    run.incidents.signal(TARGET, Signal(occurred_at=run.world.now, check="another", at=run.world.now))


def keep_waiting(waiting: str) -> Callable[[ScenarioRun], None]:
    """Roll the pods, and keep one of them waiting for this reason."""

    def change(run: ScenarioRun) -> None:
        run.world.roll_out(run.world.cluster, KEY, None)
        name = next(iter(run.world.cluster.pods))
        pod = run.world.cluster.pods[name]
        pod.facts = replace(pod.facts, ready=False, waiting=waiting)

    return change
