"""Faults of workload and pods, each named for its verdict, in a world of the fakes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.snapshot.snapshot import ControllerError
from sandbox.simulation.scenario import lookup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.over_fakes.scenario_world import ScenarioWorld

STS_TIMES_OUT = "WebIdentityErr: failed to retrieve credentials caused by: RequestError: dial tcp 10.0.0.9:443: i/o timeout"
"""The end of a container's log, which a kubelet puts into its status under `terminationMessagePolicy: FallbackToLogsOnError`.

Source: https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/#customizing-the-termination-message
"""
LONG_AGO = timedelta(minutes=10)


def set_fault(world: ScenarioWorld, fault: str) -> None:
    """Set the fault that the verdict of this name describes."""
    lookup(fault, _FAULTS, "fault")(world)


def _change_pods(world: ScenarioWorld, count: int | None = None, **changes: Any) -> None:
    for pod in list(world.cluster.pods.values())[:count]:
        pod.facts = replace(pod.facts, created_at=world.now - LONG_AGO, **changes)


def _change_workload(world: ScenarioWorld, **changes: Any) -> None:
    for name, (facts, account) in world.cluster.workloads.items():
        world.cluster.workloads[name] = (replace(facts, **changes), account)


def _not_created(world: ScenarioWorld) -> None:
    world.cluster.pods.clear()
    reason = 'failed calling webhook "validate.kyverno.svc": context deadline exceeded'
    world.cluster.controller_errors.append(ControllerError(message=reason, at=world.now))


def _other_service_account(world: ScenarioWorld) -> None:
    _change_workload(world, service_account="aws-vpc-cni")
    for pod in world.cluster.pods.values():
        pod.service_account = (pod.service_account[0], "aws-vpc-cni")


def _in_template(world: ScenarioWorld) -> None:
    other = "arn:aws:iam::111122223333:role/from-the-chart"
    _change_workload(world, template_role_arn=other)
    _change_pods(world, role_arn=other)


def _not_ready(world: ScenarioWorld) -> None:
    _change_pods(world, ready=False, waiting="CrashLoopBackOff")
    world.fail("iam.role", AccessDenied("read the role: 403", denial=Denial.FORBIDDEN), times=None)


_FAULTS: Mapping[str, Callable[[ScenarioWorld], None]] = {
    Verdict.PODS_NOT_CREATED: _not_created,
    Verdict.PODS_STUCK: lambda world: _change_pods(world, 1, ready=False, phase="Pending", node=""),
    Verdict.SERVICE_ACCOUNT_MISMATCH: _other_service_account,
    Verdict.ROLE_IN_POD_TEMPLATE: _in_template,
    Verdict.PODS_NOT_READY: _not_ready,
    Verdict.STS_UNREACHABLE: lambda world: _change_pods(world, ready=False, waiting="CrashLoopBackOff", termination_message=STS_TIMES_OUT),
}
