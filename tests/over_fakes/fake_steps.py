"""Executes the steps of a scenario over the fakes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lambdas.contract.names import CNI_ADDON, ROLE_ANNOTATION
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import AccessDenied, Denial, TransientError
from lambdas.domain.planning.policies import PAST_SPAN
from lambdas.domain.snapshot.snapshot import FieldWriter, HealthIssue
from sandbox.simulation.scenario import lookup
from sandbox.simulation.scenario_steps import past_repairs
from tests.over_fakes import events
from tests.over_fakes.scenario_world import CLUSTER, resolve_role
from tests.over_fakes.workload_faults import set_fault
from tests.world import Update

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.over_fakes.scenario_run import ScenarioRun

FOREVER = 10**6
_ERRORS: Mapping[str, Callable[[str], Exception]] = {
    "access-denied": lambda text: AccessDenied(text, denial=Denial.FORBIDDEN),
    "throttle": TransientError,
    "server-error": TransientError,
    "timeout": TransientError,
    "reset": TransientError,
}
_METHODS = {"eks:DescribeAddon": "eks.addon", "eks:DescribeCluster": "eks.cluster", "iam:GetRole": "iam.role"}


@dataclass(frozen=True)
class FakeSteps:
    """A `StepExecutor` over the fakes; nothing shows its sentences, so they are empty."""

    run: ScenarioRun

    def update_addon(self, version: str = "", role: str | None = None) -> str:
        cluster, arn = self.run.world.cluster, resolve_role(role)
        record = cluster.addons[CNI_ADDON]
        updated = replace(record, version=version or record.version, role_arn=arn, status="ACTIVE")
        failure = self.run.next_failure
        if failure:
            updated = replace(record, status="UPDATE_FAILED", issues=(failure,))
        cluster.addons[CNI_ADDON] = replace(record, status="UPDATING")
        cluster.updates[CNI_ADDON] = Update(updated, cluster.update_reads, annotates=failure is None)
        self.run.next_failure = None
        self.run.undelivered.append(events.update_addon(self.run.world.now, version=updated.version, role=arn))
        return ""

    def wait_for_update(self) -> str:
        self.run.world.cluster.updates[CNI_ADDON].reads_left = 0
        self.run.world.advance_update(self.run.world.cluster, CNI_ADDON)
        return ""

    def set_update_duration(self, seconds: float) -> str:
        self.run.world.cluster.update_reads = int(seconds)
        return ""

    def fail_next_update(self, code: str, message: str, resources: Sequence[str] = ()) -> str:
        self.run.next_failure = HealthIssue(code=code, message=message, resources=tuple(resources))
        return ""

    def delay_cloudtrail(self) -> str:
        return ""  # over the fakes events always arrive after the last step

    def join_nodes(self, count: int) -> str:
        self.run.world.join_nodes(count)
        return ""

    def annotate(self, role: str | None, key: str = ROLE_ANNOTATION, field_manager: str = "kubectl-annotate") -> str:
        world, value = self.run.world, resolve_role(role)
        if key == ROLE_ANNOTATION:
            world.set_annotation(world.cluster, world.key, value, field_manager)
            return ""
        old = world.cluster.accounts[world.key]
        annotations = {name: text for name, text in {**old.role_annotations, key: value}.items() if text is not None}
        writer = FieldWriter(manager=field_manager, at=world.now, owns_annotation=True)
        world.cluster.accounts[world.key] = replace(
            old, role_annotations=annotations, resource_version=world.number(), writers=(*old.writers, writer)
        )
        return ""

    def delete_association(self) -> str:
        self.run.world.cluster.associations.pop(self.run.world.key, None)
        return ""

    def set_agents(self, absent: int = 0, unready: int = 0) -> str:
        self.run.world.set_agents(absent=absent, unready=unready)
        return ""

    def replace_pods(self, count: int | None = None, reachable_only: bool = False) -> str:
        cluster = self.run.world.cluster
        names = [name for name, pod in cluster.pods.items() if not (reachable_only and cluster.is_lost(pod.facts.node))]
        for name in names[:count]:
            self.run.world.replace_pod(cluster, name)
        return ""

    def configure_webhook(self, outage: bool = False, miss_next: int = 0) -> str:
        self.run.world.cluster.webhook.misses = FOREVER if outage else miss_next
        return ""

    def delete_webhook_configuration(self) -> str:
        self.run.world.cluster.webhook.is_registered = False
        return ""

    def stop_kubelets(self, count: int = 1) -> str:
        for name in list(self.run.world.cluster.nodes)[:count]:
            self.run.world.lose_node(self.run.world.cluster, name)
        return ""

    def set_node_not_ready(self, message: str, pressures: Sequence[str] = (), taints: Sequence[str] = ()) -> str:
        nodes = self.run.world.cluster.nodes
        first = next(iter(nodes.values()))
        shut_down = "node.cloudprovider.kubernetes.io/shutdown" in taints
        nodes[first.name] = replace(
            first,
            ready=False,
            reason="KubeletNotReady",
            since=self.run.world.now,
            message=message,
            pressures=tuple(pressures),
            shut_down=shut_down,
        )
        return ""

    def block_sts(self) -> str:
        self.replace_pods()
        # the container of the plug-in runs, and its log is a file on the node; other programs exit
        waiting = "" if self.run.world.is_plugin else "CrashLoopBackOff"
        for pod in self.run.world.cluster.pods.values():
            pod.facts = replace(pod.facts, ready=False, waiting=waiting)
        return ""

    def refuse_tokens(self, code: str) -> str:
        self.run.world.sts_code = code
        return self.block_sts()

    def set_workload_fault(self, fault: str) -> str:
        set_fault(self.run.world, fault)
        return ""

    def run_check(self) -> str:
        self.run.deliver(events.check_requested(self.run.world.now))
        assert not self.run.opened, "the check must find no problem"
        self.run.log.lines.clear()
        self.run.world.sleep(1)
        return ""

    def add_past_repairs(self, count: int) -> str:
        for past in past_repairs(count, ServiceAccountRef(CLUSTER, *self.run.world.key), self.run.world.now):
            self.run.incidents.remember(past)
        cluster = self.run.world.cluster
        cluster.facts = replace(cluster.facts, created_at=self.run.world.now - PAST_SPAN)
        return ""

    def inject_fault(self, service: str, operation: str, kind: str, times: int = 1) -> str:
        method = lookup(f"{service}:{operation}", _METHODS, "operation")
        words = " ".join(re.findall("[A-Z][a-z]+", operation)).lower()
        self.run.world.fail(method, _ERRORS[kind](f"{words}: {kind}"), times=times)
        return ""

    def wait(self, seconds: float) -> str:
        self.run.world.sleep(seconds)
        return ""
