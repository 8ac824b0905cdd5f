"""The steps that a scenario can contain. Each is defined once, as a method of `StepExecutor`; the sandbox and the fakes implement it.

The name of a method is the word in the YAML file, and the method's parameters are the parameters of the step.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.incident import Outcome, PastIncident

PAST_INCIDENT_PREFIX: Final = "past"
"""Begins the ids of the incidents that `add_past_repairs` creates."""


class StepExecutor(Protocol):
    """Executes the steps of a scenario. Each method returns a sentence for the timeline, or an empty string."""

    def update_addon(self, version: str = "", role: str | None = None) -> str:
        """A CI pipeline calls UpdateAddon with this version and role; `bound` is the role of the world."""

    def wait_for_update(self) -> str:
        """Wait until EKS has applied the update to the cluster."""

    def set_update_duration(self, seconds: float) -> str:
        """Set the duration of add-on updates."""

    def fail_next_update(self, code: str, message: str, resources: Sequence[str] = ()) -> str:
        """Let the next add-on update fail with this issue."""

    def delay_cloudtrail(self) -> str:
        """Deliver CloudTrail events after the last step."""

    def join_nodes(self, count: int) -> str:
        """Register new nodes."""

    def annotate(self, role: str | None, key: str = ROLE_ANNOTATION, field_manager: str = "kubectl-annotate") -> str:
        """Set or remove the annotation of the ServiceAccount."""

    def delete_association(self) -> str:
        """Delete the pod identity association of the ServiceAccount."""

    def set_agents(self, absent: int = 0, unready: int = 0) -> str:
        """Let the Pod Identity agent be absent from the first nodes, not ready on the next ones, and ready on all others."""

    def replace_pods(self, count: int | None = None, reachable_only: bool = False) -> str:
        """Delete pods and wait for their replacements: all, the first `count`, or those on nodes whose kubelet responds."""

    def configure_webhook(self, outage: bool = False, miss_next: int = 0) -> str:
        """Make the identity webhook fail, or skip the next pods."""

    def delete_webhook_configuration(self) -> str:
        """Remove the registration of the identity webhook, so that the API server calls it for no pod."""

    def stop_kubelets(self, count: int = 1) -> str:
        """Stop the kubelets of the first nodes."""

    def set_node_not_ready(self, message: str, pressures: Sequence[str] = (), taints: Sequence[str] = ()) -> str:
        """Set one node NotReady with this message, pressure conditions and taints."""

    def block_sts(self) -> str:
        """Block STS and wait until every pod has failed once."""

    def refuse_tokens(self, code: str) -> str:
        """Let STS refuse every token with this error code, although role and trust policy allow it, and wait for a failure of each pod."""

    def set_workload_fault(self, fault: str) -> str:
        """Set the fault of workload or pods that the verdict of this name describes; only over the fakes."""

    def run_check(self) -> str:
        """Run a check that finds no problem, so that a last known good state is recorded."""

    def add_past_repairs(self, count: int) -> str:
        """Record repairs of the last hours in the history of a cluster that is older than they are."""

    def inject_fault(self, service: str, operation: str, kind: str, times: int = 1) -> str:
        """Let the next calls of an AWS operation fail."""

    def wait(self, seconds: float) -> str:
        """Wait."""


STEPS: Final = {name: inspect.signature(method) for name, method in vars(StepExecutor).items() if not name.startswith("_")}
"""Name of a step -> its signature."""


@dataclass(frozen=True)
class ScenarioStep:
    """One step with its arguments by name."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def run(self, executor: StepExecutor) -> str:
        """Execute the step; returns a sentence for the timeline, or an empty string."""
        return str(getattr(executor, self.name)(**self.arguments))


def parse_step(document: Any) -> ScenarioStep:
    """Parse `name`, `name: value` (the first parameter) or `name: {parameter: value}`.

    Raises:
        ValueError: the step does not exist or does not have these parameters.
    """
    name, value = next(iter(document.items())) if isinstance(document, Mapping) and len(document) == 1 else (document, {})
    if name not in STEPS:
        raise ValueError(f"unknown step {name!r}; known are {', '.join(STEPS)}")
    try:
        bound = STEPS[name].bind(None, **value) if isinstance(value, Mapping) else STEPS[name].bind(None, value)
    except TypeError as error:
        raise ValueError(f"step {name}: {error}; its parameters are {', '.join(list(STEPS[name].parameters)[1:]) or 'none'}") from error
    return ScenarioStep(name, {key: item for key, item in bound.arguments.items() if key != "self"})


def past_repairs(count: int, target: ServiceAccountRef, now: datetime) -> Iterator[PastIncident]:
    """Verified repairs of one ServiceAccount, one per hour, the latest two hours ago."""
    for number in range(count):
        at = now - timedelta(hours=2 + number)
        yield PastIncident(
            id=f"{PAST_INCIDENT_PREFIX}{number}",
            target=target,
            opened_at=at,
            closed_at=at,
            outcome=Outcome.VERIFIED,
            verdict="annotation-missing",
            trigger="sweep",
            changes=("annotate-service-account",),
            signals=1,
        )
